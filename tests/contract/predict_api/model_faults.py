"""Bad model versions for tests, and the check that the version in charge keeps serving."""

from __future__ import annotations

import pytest

from tests.contract.predict_api.api_kit import RECORD, TTL_S, Function, Registry, logs, metrics

WEB_PAGE = b"<!DOCTYPE html><html><body>404: not here</body></html>"


def with_flipped_bit(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def assert_refused_and_first_version_serves(
    registry: Registry, version: int, capsys: pytest.CaptureFixture[str], message: str
) -> None:
    """Point the alias at a bad version under a running function, and start another one."""
    function = Function(registry)
    capsys.readouterr()
    registry.writer.assign("live", version)
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == 1
    output = capsys.readouterr().out
    [refusal] = logs(output, "model version not loaded; the versions in charge stay")
    assert refusal["model_version"] == version
    assert message in f"{refusal['error']}: {refusal['reason']}"
    assert [line["model_version"] for line in metrics(output, "ModelLoadFailures")] == [str(version)]
    # One that starts now answers by the revision before.
    cold = Function(registry)
    assert cold.post(RECORD).version == 1
    assert cold.get("/readyz").status == 200
    registry.writer.assign("live", 1)
    cold.clock.advance(TTL_S)
    assert cold.post(RECORD).version == 1
