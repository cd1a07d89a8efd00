"""`--log-file` is rotated while functions write into it, and so is the emulator's own stderr if it is the same file."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from emulator.child import EmulatorChild
from emulator.lambda_service.log_groups.log_file import MAX_FILE_BYTES, rotated
from tests.integration.emulator.lambda_client import ONE_ATTEMPT, invoke, until

LINE_BYTES = 100_000


@pytest.mark.fidelity("log-file-rotated")
def test_no_line_is_lost_at_the_rotation(tmp_path: Path, functions: Path) -> None:
    path, count = tmp_path / "log", MAX_FILE_BYTES // LINE_BYTES + 50
    template = functions / "environments" / "template.yaml"
    arguments = ["--port", "0", "-t", str(template), "--log-file", str(path), "--state-dir", str(tmp_path / "state")]
    with path.open("ab") as log:
        child = EmulatorChild("start-lambda", arguments, output=log)
    try:
        client = boto3.client("lambda", endpoint_url=child.wait_ready(60)["url"], config=ONE_ATTEMPT)
        event = {"act": "flood", "mark": "a", "lines": count, "length": LINE_BYTES}
        assert "FunctionError" not in invoke(client, "Worker", event)[1]
        until(rotated(path).exists)
    finally:
        child.stop(20)
    lines = (rotated(path).read_text() + path.read_text()).splitlines()
    assert [line for line in lines if line.startswith("a ")] == [
        *(f"a {number} {'a' * LINE_BYTES}" for number in range(count)), "a the end",
    ]  # fmt: skip
    assert "Press CTRL+C to quit" in lines, "what the emulator itself says"
