"""The parts of the Lambda service that need no process."""

from __future__ import annotations

import asyncio
import errno
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.lambda_service import invocation
from emulator.lambda_service.function_version import (
    FunctionVersion,
    environment_variables,
    import_folders,
    is_built_for_another_python,
    needs_own_interpreter,
)
from emulator.lambda_service.log_groups.sink import LogSink
from emulator.lambda_service.sandbox.forking_process import ForkingProcess
from emulator.lambda_service.sandbox.processes import SpawnLauncher
from emulator.template.project import FunctionSpec


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (7, "Runtime exited with error: exit status 7"),
        (0, "Runtime exited without providing a reason"),
        (None, "Runtime exited without providing a reason"),
        (-9, "Runtime exited with error: signal: killed"),
        (-11, "Runtime exited with error: signal: segmentation fault"),
    ],
)
@pytest.mark.fidelity("crash-costs-one-request")
def test_the_end_of_a_process_is_described_in_lambdas_words(status: int | None, words: str) -> None:
    payload = json.loads(invocation.exited("id", status))
    assert payload == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: id Error: {words}"}


@pytest.mark.fidelity("function-surroundings", "no-x-ray-daemon")
def test_variables_of_a_function(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "python").mkdir(parents=True)
    spec = FunctionSpec(
        "F", "f", tmp_path, "a.b", "python3.13", (layer,), {"A": "1", "TZ": "UTC"}, snap_start=True, alias="live"
    )
    machine = {"PATH": "/bin", "EVIL": "1", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}

    def variables(version: str, machine: dict[str, str]) -> dict[str, str]:
        function = FunctionVersion(spec, version, "arn")
        return environment_variables(function, machine, region="r", log_stream="s", runtime_api="h:1")

    published = variables("1", machine)
    assert published["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"
    assert (published["AWS_ACCESS_KEY_ID"], published["A"], published["TZ"]) == ("k", "1", "UTC")
    assert "EVIL" not in published
    logs = {"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f", "AWS_LAMBDA_LOG_STREAM_NAME": "s"}
    assert not logs.keys() & published.keys(), "as AWS documents of SnapStart"
    assert logs.items() <= variables("$LATEST", machine).items()
    assert "AWS_SESSION_TOKEN" not in published
    assert "AWS_XRAY_DAEMON_ADDRESS" not in published
    latest = variables("$LATEST", {})
    assert latest["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert latest["AWS_ACCESS_KEY_ID"]
    assert import_folders(spec) == [str(tmp_path), str(layer / "python"), str(layer)]
    # As for the template's runtime, whatever Python this is, and for this Python.
    names = dict.fromkeys((f"python{sys.version_info.major}.{sys.version_info.minor}", spec.runtime))
    of_versions = [layer / "python" / "lib" / name / "site-packages" for name in names]
    for folder in of_versions:
        folder.mkdir(parents=True)
    expected = [tmp_path, *of_versions, layer / "python", layer]
    assert import_folders(spec) == list(map(str, expected))


@pytest.mark.parametrize("is_snapshot", [False, True])
def test_a_process_that_cannot_be_started_leaves_no_descriptor_open(tmp_path: Path, is_snapshot: bool) -> None:
    async def scenario() -> None:
        sink = LogSink(2)
        launcher = SpawnLauncher({}, tmp_path / "nowhere")
        output = sink.stream("g", "s")
        before = sorted(Path("/dev/fd").iterdir())
        # The error is kept, so that its frames keep what they have opened.
        with pytest.raises(FileNotFoundError) as error:
            ForkingProcess(launcher, {}, output) if is_snapshot else launcher.spawn({}, output, {})
        assert sorted(Path("/dev/fd").iterdir()) == before
        assert error.value.errno == errno.ENOENT
        sink.close()

    asyncio.run(scenario())


@pytest.mark.fidelity("forked-from-base")
def test_python_is_started_for_functions_that_a_running_python_would_not_suit(tmp_path: Path) -> None:
    spec = FunctionSpec("F", "f", tmp_path, "a.b", "python3.13", environment={"TABLE": "t", "TZ": "UTC"})
    for name in ("app.py", "token.json", "README"):
        (tmp_path / name).touch()
    assert not needs_own_interpreter(spec)
    for variable in ("PYTHONHASHSEED", "LD_PRELOAD", "LC_ALL", "MALLOC_ARENA_MAX"):
        assert needs_own_interpreter(replace(spec, environment={variable: "1"}))
    # Their JSON is longer than a message to the process that is forked.
    for long in ("x" * 65_536, "\N{GRINNING FACE}" * 6_000):
        assert needs_own_interpreter(replace(spec, environment={"LONG": long}))
    # No process can have it, which starting one says.
    assert needs_own_interpreter(replace(spec, environment={"BAD": "a\0b"}))
    for module in ("email", "queue.py", "sitecustomize.py"):
        folder = tmp_path / module.partition(".")[0]
        folder.mkdir()
        (folder / module).touch()
        assert needs_own_interpreter(replace(spec, layer_dirs=(folder,)))


def test_code_that_was_compiled_for_another_python_is_noticed(tmp_path: Path) -> None:
    spec = FunctionSpec("F", "f", tmp_path, "a.b", "python3.13")
    assert not is_built_for_another_python(spec)
    (tmp_path / "x.cpython-399-x86_64-linux-gnu.so").touch()
    assert is_built_for_another_python(spec)
