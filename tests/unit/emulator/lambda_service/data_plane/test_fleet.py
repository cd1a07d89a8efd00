"""Versions kept in step with the account, without a process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.operations import Operations, open_operations
from emulator.lambda_service.data_plane.fleet import Fleet
from emulator.lambda_service.data_plane.ledger import ConcurrencyLedger
from emulator.lambda_service.data_plane.running_version import utc_now
from emulator.template.project import FunctionSpec


class BrokenVersion:
    """A version whose snapshot raises an unexpected error."""

    pool = SimpleNamespace(provision=lambda _: None)

    async def prepare_snapshot(self) -> bytes | None:
        raise RuntimeError("a bug")

    def refuse_snapshots(self) -> None:
        """Nothing waits for it."""

    async def close(self) -> None:
        """It has no process."""


@pytest.fixture
def operations(tmp_path: Path) -> Any:
    (tmp_path / "app.py").write_text("")
    operations = open_operations(None, ArnScope("eu-west-1", "123456789012"), utc_now)
    spec = FunctionSpec("F", "f", tmp_path, "app.handler", "python3.13", snap_start=True)
    operations.template.update(spec)
    yield operations
    operations.close()


@pytest.mark.parametrize("is_published_before", [True, False])
def test_a_snapshot_that_raises_fails_its_version_and_is_logged(
    operations: Operations, is_published_before: bool, caplog: pytest.LogCaptureFixture
) -> None:
    broken: Any = BrokenVersion()

    def publish() -> None:
        operations.versions.publish(function_name="f")
        operations.aliases.create(function_name="f", name="live", function_version="1")

    async def scenario() -> None:
        fleet = Fleet(operations.catalogue, ConcurrencyLedger(), lambda _: broken)
        if is_published_before:
            publish()
        fleet.start()
        if not is_published_before:
            publish()
        body = operations.functions.get_configuration(function_name="f", qualifier="1")
        assert body["State"] == "Pending"
        async with asyncio.timeout(10):
            while body["State"] == "Pending":
                await asyncio.sleep(0)
                body = operations.functions.get_configuration(function_name="f", qualifier="1")
        assert (body["State"], body["StateReasonCode"]) == ("Failed", "InternalError")
        assert body["StateReason"] == "RuntimeError('a bug')"
        await fleet.close()

    asyncio.run(scenario())
    assert "the background task 'initialise f:1' failed" in caplog.text
