"""Versions, aliases and deployments with real processes: what runs, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.data_plane.deployer import DeploymentError
from emulator.lambda_service.data_plane.faults import ERROR, Fault
from emulator.lambda_service.errors import ResourceNotFoundError, TooManyRequestsError
from emulator.lambda_service.sandbox.logs import LogSink
from emulator.template.project import FunctionSpec
from tests.integration.emulator.lambda_service.versions_rig import (
    GENEROUS_S,
    NAME,
    Load,
    Project,
    answer,
    run,
    until,
    write_code,
)


@pytest.fixture(params=[True, False], ids=["snap-start", "on-demand"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    source = write_code(tmp_path / "source", "one")
    spec = FunctionSpec(
        "Hello", NAME, source, "app.handler", "python3.13", timeout_s=GENEROUS_S, memory_mb=512,
        snap_start=request.param, alias="live",
    )  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        sink = LogSink(log.fileno())
        yield Project(tmp_path, spec, sink)
        sink.close()


@pytest.mark.fidelity("deployment")
def test_a_deployment_under_load_loses_nothing_and_requests_end_where_they_began(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            gate, began = project.folder / "gate", project.folder / "began"
            held = service.submit(NAME, json.dumps({"began": str(began), "until": str(gate)}).encode(), "live")
            await until(began.exists)
            load = Load(service)
            await load.more()
            write_code(project.source, "two")
            assert await service.redeploy("Hello")
            deployed = service.operations.functions.get_configuration(function_name=NAME, qualifier="live")
            assert (deployed["Version"], deployed["FunctionArn"].rpartition(":")[2]) == ("2", "live")
            after = service.submit(NAME, b"{}", "live")
            await load.more()
            assert (await answer(after))["text"] == "two", "whoever calls after the deployment gets the new version"
            assert not held.done()
            gate.touch()
            # Even what it imports only now is of the version that it began on.
            ended = await answer(held)
            assert (ended["text"], ended["lazy"], ended["version"]) == ("one", "one", "1")
            seen = collections.Counter((one["text"], one["version"]) for one in await load.stop())
            assert set(seen) == {("one", "1"), ("two", "2")}
            # Nobody refers to version 1 any more, and its environments end; called by number it is there again.
            assert (await answer(service.submit(NAME, b"{}", "1")))["text"] == "one"
            assert service.ledger.in_flight(NAME) == 0

    run(scenario())


def test_code_that_was_changed_in_the_store_is_not_run_after_a_restart(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            assert (await answer(service.submit(NAME, b"{}", "live")))["text"] == "one"
            folder = service.operations.catalogue.resolve(NAME, "live", 0.0).function.spec.code_dir
        file = folder / "app.py"
        file.chmod(0o644)
        file.write_bytes(file.read_bytes().replace(b"'one'", b"'eno'"))
        async with project.serve() as service:
            refused = await service.submit(NAME, b"{}", "live")
            assert refused.function_error == "Unhandled"
            error = json.loads(refused.payload)
            assert error["errorType"] == "Runtime.StartFailed"
            assert "the code of hello:1 is damaged" in error["errorMessage"]
            assert str(folder) in error["errorMessage"]

    run(scenario())


@pytest.mark.fidelity("deployment")
def test_a_version_that_cannot_be_initialised_is_not_shifted_to(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            load = Load(service)
            await load.more(5)
            write_code(project.source, "bad", broken="raise ValueError('no such model')\n")
            with pytest.raises(
                DeploymentError, match=r"version 2 can't be initialised, so 'live' isn't moved to it: .*no such model"
            ):
                await service.redeploy("Hello")
            await load.more(5)
            assert {one["version"] for one in await load.stop()} == {"1"}
            assert service.operations.aliases.get(function_name=NAME, name="live")["FunctionVersion"] == "1"
            # The next one that works is version 3: numbers are never used twice.
            write_code(project.source, "good")
            await service.redeploy("Hello")
            assert service.operations.aliases.get(function_name=NAME, name="live")["FunctionVersion"] == "3"
            assert (await answer(service.submit(NAME, b"{}", "live")))["text"] == "good"

    run(scenario())


@pytest.mark.parametrize("project", [False], indirect=True)
def test_a_version_that_is_deleted_while_it_is_deployed_ends_the_deployment_alone(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            operations = service.operations

            def delete_the_second() -> None:
                if operations.catalogue.runnable(NAME, "2") is not None:
                    operations.functions.delete(function_name=NAME, qualifier="2")

            operations.catalogue.on_change(delete_the_second)
            write_code(project.source, "two")
            with pytest.raises(DeploymentError, match="was deleted meanwhile"):
                await service.redeploy("Hello")
            assert (await answer(service.submit(NAME, b"{}", "live")))["version"] == "1"

    run(scenario())


@pytest.mark.fidelity("weights-drawn")
def test_weights_draw_the_version_of_each_request_and_shifting_loses_none(project: Project) -> None:
    """The draws are those of a seeded generator, so the shares are known to the request."""

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
                assert [one["version"] for one in answers] == expected
                assert {(one["version"], one["text"]) for one in answers} <= {("1", "one"), ("2", "two")}
                assert all(one["arn"].endswith(f":function:{NAME}:live") for one in answers)
            await asyncio.to_thread(
                operations.aliases.update, function_name=NAME, name="live", function_version="2",
                routing_config={"AdditionalVersionWeights": {}},
            )  # fmt: skip
            assert (await answer(service.submit(NAME, b"{}", "live")))["version"] == "2"

    run(scenario())


@pytest.mark.parametrize("project", [False], indirect=True)
@pytest.mark.fidelity("faults-on-purpose")
def test_a_canary_that_fails_on_purpose_costs_its_own_share_and_ends_with_the_rollback(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            operations, alias = service.operations, {"function_name": NAME, "name": "live"}
            new = write_code(project.folder / "new", "two")
            operations.functions.update_code(function_name=NAME, code_folder=new, publish=True)
            service.faults.set(f"{NAME}:2", Fault(ERROR))
            operations.aliases.update(**alias, routing_config={"AdditionalVersionWeights": {"2": 0.5}})
            ended = [await service.submit(NAME, b"{}", "live") for _ in range(60)]
            assert {(one.version, one.function_error) for one in ended} == {("1", None), ("2", "Unhandled")}
            operations.aliases.update(**alias, routing_config={"AdditionalVersionWeights": {}})
            ended = [await service.submit(NAME, b"{}", "live") for _ in range(20)]
            assert {(one.version, one.function_error) for one in ended} == {("1", None)}
            # The fault is still there: it was the rollback that ended the failures.
            assert (await service.submit(NAME, b"{}", "2")).function_error == "Unhandled"

    run(scenario())


@pytest.mark.fidelity("published-version-fixed")
def test_editing_the_source_changes_no_version_until_it_is_deployed(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            write_code(project.source, "edited")
            for qualifier in ("live", "1", "$LATEST"):
                got = await answer(service.submit(NAME, b"{}", qualifier))
                assert (got["text"], got["lazy"]) == ("one", "one")
            assert await service.redeploy("Hello")
            assert not await service.redeploy("Hello"), "nothing has changed since"
            for qualifier, text, version in (("live", "edited", "2"), ("1", "one", "1"), (None, "edited", "$LATEST")):
                got = await answer(service.submit(NAME, b"{}", qualifier))
                assert (got["text"], got["lazy"], got["version"]) == (text, text, version)
            with pytest.raises(ResourceNotFoundError, match=f"Function not found: arn:.*:{NAME}:3"):
                service.submit(NAME, b"{}", "3")

    run(scenario())


@pytest.mark.fidelity("start-deploys-changes")
def test_what_changed_while_the_emulator_was_off_is_deployed_by_the_start(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            new, operations = write_code(project.folder / "new", "two"), service.operations
            operations.functions.update_code(function_name=NAME, code_folder=new, publish=True)
            weights = {"AdditionalVersionWeights": {"1": 0.0}}
            operations.aliases.update(function_name=NAME, name="live", function_version="2", routing_config=weights)
        async with project.serve() as service:
            # The template says what it said, so what was done by hand stays.
            assert (await answer(service.submit(NAME, b"{}", "live")))["text"] == "two"
            alias = service.operations.aliases.get(function_name=NAME, name="live")
            assert alias["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 0.0}}
        write_code(project.source, "three")
        async with project.serve() as service:
            got = await answer(service.submit(NAME, b"{}", "live"))
            assert (got["text"], got["version"]) == ("three", "3")

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
            name, operations, whole = {"function_name": NAME}, service.operations, service.ledger.unreserved
            operations.concurrency.put_reserved(**name, reserved_concurrent_executions=5)
            await until(lambda: service.ledger.unreserved == whole - 5)
            operations.functions.delete(**name)
            await until(lambda: service.ledger.unreserved == whole)

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
            await service.redeploy("Hello")
            await until(is_ready)
            both = [service.submit(NAME, b"{}", "live") for _ in range(2)]
            got = [await answer(one) for one in both]
            assert {(one["text"], one["version"]) for one in got} == {("two", "2")}
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
            assert {one["text"] for one in await load.stop()} == {"one"}

    run(scenario())
