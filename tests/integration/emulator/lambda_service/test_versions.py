"""Versions and aliases with real processes: what runs, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import threading
from pathlib import Path

import pytest

from emulator.lambda_service.data_plane.faults import ERROR, Fault
from emulator.lambda_service.errors import TooManyRequestsError
from tests.integration.emulator.lambda_service.versions_rig import (
    NAME,
    Load,
    Project,
    answer,
    run,
    until,
    write_code,
)


@pytest.mark.fidelity("weights-drawn")
def test_weights_draw_the_version_of_each_request_and_shifting_loses_none(project: Project) -> None:
    """A seeded generator makes the draws, so the version of each request is predictable."""

    async def scenario() -> None:
        async with project.serve(draw=random.Random(5).random) as service:
            operations = service.operations
            await asyncio.to_thread(
                operations.functions.update_code,
                function_name=NAME, code_folder=write_code(project.folder / "new", "two"), publish=True,
            )  # fmt: skip
            draws = random.Random(5)
            for weight in (0.0, 0.25, 1.0):
                config = {"AdditionalVersionWeights": {"2": weight}}
                await asyncio.to_thread(
                    operations.aliases.update, function_name=NAME, name="live", routing_config=config
                )
                expected = ["2" if draws.random() < weight else "1" for _ in range(80)]
                answers = []
                for start in range(0, 80, 4):
                    calls = [service.submit(NAME, b"{}", "live") for _ in expected[start : start + 4]]
                    answers += [await answer(call) for call in calls]
                assert [body["version"] for body in answers] == expected
                assert {(body["version"], body["text"]) for body in answers} <= {("1", "one"), ("2", "two")}
                assert all(body["arn"].endswith(f":function:{NAME}:live") for body in answers)
            await asyncio.to_thread(
                operations.aliases.update, function_name=NAME, name="live", function_version="2",
                routing_config={"AdditionalVersionWeights": {}},
            )  # fmt: skip
            assert (await answer(service.submit(NAME, b"{}", "live")))["version"] == "2"

    run(scenario())


@pytest.mark.parametrize("project", [False], indirect=True)
@pytest.mark.fidelity("injected-faults")
def test_a_canary_with_injected_errors_costs_its_own_share_and_ends_with_the_rollback(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            operations, alias = service.operations, {"function_name": NAME, "name": "live"}
            new = write_code(project.folder / "new", "two")
            operations.functions.update_code(function_name=NAME, code_folder=new, publish=True)
            service.faults.set(f"{NAME}:2", Fault(ERROR))
            operations.aliases.update(**alias, routing_config={"AdditionalVersionWeights": {"2": 0.5}})
            ended = [await service.submit(NAME, b"{}", "live") for _ in range(60)]
            assert {(result.version, result.function_error) for result in ended} == {("1", None), ("2", "Unhandled")}
            operations.aliases.update(**alias, routing_config={"AdditionalVersionWeights": {}})
            ended = [await service.submit(NAME, b"{}", "live") for _ in range(20)]
            assert {(result.version, result.function_error) for result in ended} == {("1", None)}
            # The fault is still there: it was the rollback that ended the failures.
            assert (await service.submit(NAME, b"{}", "2")).function_error == "Unhandled"

    run(scenario())


@pytest.mark.fidelity("caller-gone")
def test_reserved_concurrency_is_obeyed_as_soon_as_it_is_set(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            name = {"function_name": NAME}
            await asyncio.to_thread(
                service.operations.concurrency.put_reserved, **name, reserved_concurrent_executions=0
            )
            await asyncio.sleep(0)
            with pytest.raises(TooManyRequestsError) as caught:
                service.submit(NAME, b"{}", "live")
            assert caught.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
            await asyncio.to_thread(
                service.operations.concurrency.put_reserved, **name, reserved_concurrent_executions=1
            )
            await asyncio.sleep(0)
            gate, began = project.folder / "gate", project.folder / "began"
            held = service.submit(NAME, json.dumps({"began": str(began), "until": str(gate)}).encode(), "live")
            await until(began.exists)
            # A caller that gives up does not free the environment's place: the function is still at work.
            held.cancel()
            await asyncio.sleep(0.05)
            with pytest.raises(TooManyRequestsError):
                service.submit(NAME, b"{}", "1")
            gate.touch()
            await until(lambda: service.ledger.in_flight(NAME) == 0)
            assert (await answer(service.submit(NAME, b"{}", "live")))["text"] == "one"
            service.operations.concurrency.delete_reserved(**name)

    run(scenario())


@pytest.mark.parametrize("project", [False], indirect=True)
@pytest.mark.fidelity("deleted-function")
def test_a_deleted_function_gives_its_concurrency_back(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            name, operations = {"function_name": NAME}, service.operations
            whole = operations.catalogue.unreserved_concurrency()
            operations.concurrency.put_reserved(**name, reserved_concurrent_executions=5)
            await until(lambda: service.ledger.reserved(NAME) == 5)
            assert operations.catalogue.unreserved_concurrency() == whole - 5
            operations.functions.delete(**name)
            await until(lambda: service.ledger.reserved(NAME) is None)
            assert operations.catalogue.unreserved_concurrency() == whole

    run(scenario())


@pytest.mark.fidelity("version-replaced")
def test_environments_end_once_no_alias_leads_to_their_version(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            operations = service.operations
            await answer(service.submit(NAME, b"{}", "live"))
            (old,) = [pid for pool in service.pools() for pid in pool.status().pids]
            new = write_code(project.folder / "new", "two")
            operations.functions.update_code(function_name=NAME, code_folder=new, publish=True)
            operations.aliases.update(function_name=NAME, name="live", function_version="2")
            await until(lambda: not Path(f"/proc/{old}").exists())
            assert (await answer(service.submit(NAME, b"{}", "live")))["version"] == "2"
            assert (await answer(service.submit(NAME, b"{}", "1")))["version"] == "1"

    run(scenario())


@pytest.mark.parametrize("project", [False], indirect=True)
@pytest.mark.fidelity("provisioned-concurrency-alias")
def test_provisioned_concurrency_is_ready_and_moves_with_its_alias(project: Project) -> None:
    project.spec = dataclasses.replace(project.spec, provisioned_concurrency=2)

    async def scenario() -> None:
        async with project.serve() as service:
            operations, name = service.operations, {"function_name": NAME, "qualifier": "live"}

            def is_ready() -> bool:
                return bool(operations.concurrency.get_provisioned(**name)["Status"] == "READY")

            await until(is_ready)
            assert (await answer(service.submit(NAME, b"{}", "live")))["type"] == "provisioned-concurrency"
            write_code(project.source, "two")
            await service.deployer.redeploy("Hello")
            await until(is_ready)
            both = [service.submit(NAME, b"{}", "live") for _ in range(2)]
            bodies = [await answer(call) for call in both]
            assert {(body["text"], body["version"]) for body in bodies} == {("two", "2")}
            operations.concurrency.delete_provisioned(**name)
            await asyncio.sleep(0)
            assert operations.concurrency.list_provisioned(function_name=NAME) == {"ProvisionedConcurrencyConfigs": []}

    run(scenario())


@pytest.mark.fidelity("snapstart-pending")
def test_a_published_version_says_when_its_snapshot_is_ready(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            operations = service.operations
            operations.functions.update_configuration(function_name=NAME, changes={"Description": "other"})
            published = operations.versions.publish(function_name=NAME)
            version = {"function_name": NAME, "qualifier": published["Version"]}
            assert published["State"] == ("Pending" if project.spec.snap_start else "Active")
            await until(lambda: operations.functions.get_configuration(**version)["State"] == "Active")
            status = operations.functions.get_configuration(**version)["SnapStart"]["OptimizationStatus"]
            assert status == ("On" if project.spec.snap_start else "Off")

    run(scenario())


def test_operations_in_other_threads_do_not_disturb_requests(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            operations, stop = service.operations, threading.Event()

            def change_and_change() -> int:
                changes = 0
                while not stop.is_set():
                    operations.aliases.create(function_name=NAME, name="other", function_version="1")
                    operations.aliases.delete(function_name=NAME, name="other")
                    changes += 1
                return changes

            changing = asyncio.create_task(asyncio.to_thread(change_and_change))
            load = Load(service)
            await load.more(100)
            stop.set()
            assert await changing > 0
            assert {body["text"] for body in await load.stop()} == {"one"}

    run(scenario())
