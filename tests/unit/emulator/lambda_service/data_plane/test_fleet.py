"""Versions kept in step with the account, without a process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.operations import Operations, open_operations
from emulator.lambda_service.data_plane.fleet import PER_PROCESSOR, Fleet, capacity, most_provisioned
from emulator.lambda_service.data_plane.ledger import ConcurrencyLedger
from emulator.lambda_service.data_plane.running_version import utc_now
from emulator.lambda_service.function_version import FunctionVersion
from emulator.template.project import FunctionSpec


class BrokenVersion:
    """A version whose snapshot raises an unexpected error."""

    pool: Any = SimpleNamespace(provision=lambda _: None)

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
        fleet = Fleet(operations.catalogue, ConcurrencyLedger(), lambda _: broken, most_provisioned=1)
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


class ProvisionedVersion(BrokenVersion):
    """A version that notes how many environments it is to keep initialised, and has them at once."""

    def __init__(self) -> None:
        self.provisioned = 0
        self.pool: Any = SimpleNamespace(provision=self._provision, status=self._status)

    def _provision(self, count: int) -> None:
        self.provisioned = count

    def _status(self) -> Any:
        return SimpleNamespace(provisioned_ready=self.provisioned, provisioning_failure=None)


@pytest.mark.fidelity("provisioned-concurrency-capped")
def test_the_machine_limits_how_many_environments_are_provisioned(tmp_path: Path) -> None:
    operations = open_operations(None, ArnScope("eu-west-1", "123456789012"), utc_now)
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "app.py").write_text("")
    for name in ("f", "g"):
        operations.template.update(FunctionSpec(name, name, folder, "app.handler", "python3.13"))
        operations.versions.publish(function_name=name)
    versions: dict[str, ProvisionedVersion] = {}

    def begin(function: FunctionVersion) -> Any:
        return versions.setdefault(function.spec.name, ProvisionedVersion())

    def provision(name: str, count: int) -> Any:
        which = {"function_name": name, "qualifier": "1"}
        operations.concurrency.put_provisioned(**which, provisioned_concurrent_executions=count)
        return which

    async def scenario() -> None:
        fleet = Fleet(operations.catalogue, ConcurrencyLedger(), begin, most_provisioned=10)
        fleet.start()
        get = operations.concurrency.get_provisioned
        first, second = provision("f", 8), provision("g", 800)
        async with asyncio.timeout(10):
            while "g" not in versions:
                await asyncio.sleep(0)
        assert get(**first)["Status"] == "READY"
        answer = get(**second)
        assert (answer["Status"], answer["AvailableProvisionedConcurrentExecutions"]) == ("FAILED", 2)
        assert "at most 10 environments" in answer["StatusReason"]
        assert "798 of version 1 are left out" in answer["StatusReason"]
        await fleet.close()

    asyncio.run(scenario())
    operations.close()


def test_a_machines_capacity_is_that_of_its_processors_or_of_half_its_memory() -> None:
    gigabyte = 1 << 30
    assert capacity(2, 64 * gigabyte) == 2 * PER_PROCESSOR
    assert capacity(64, 8 * gigabyte) == 32
    assert capacity(1, gigabyte // 8) == 1
    assert 1 <= most_provisioned() < 1_000_000
