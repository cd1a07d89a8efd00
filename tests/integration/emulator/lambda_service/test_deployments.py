"""Deployments with real processes: what runs after each, and that nothing is lost on the way."""

from __future__ import annotations

import collections
import dataclasses
import json

import pytest

from emulator.lambda_service.data_plane.deployer import DeploymentError
from emulator.lambda_service.errors import ResourceNotFoundError
from tests.integration.emulator.lambda_service.versions_rig import (
    NAME,
    Load,
    Project,
    answer,
    run,
    until,
    write_code,
)


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
            assert await service.deployer.redeploy("Hello")
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
            seen = collections.Counter((body["text"], body["version"]) for body in await load.stop())
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
                await service.deployer.redeploy("Hello")
            await load.more(5)
            assert {body["version"] for body in await load.stop()} == {"1"}
            assert service.operations.aliases.get(function_name=NAME, name="live")["FunctionVersion"] == "1"
            # The next one that works is version 3: numbers are never used twice.
            write_code(project.source, "good")
            await service.deployer.redeploy("Hello")
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
                await service.deployer.redeploy("Hello")
            assert (await answer(service.submit(NAME, b"{}", "live")))["version"] == "1"

    run(scenario())


@pytest.mark.fidelity("published-version-fixed")
def test_editing_the_source_changes_no_version_until_it_is_deployed(project: Project) -> None:
    async def scenario() -> None:
        async with project.serve() as service:
            write_code(project.source, "edited")
            for qualifier in ("live", "1", "$LATEST"):
                got = await answer(service.submit(NAME, b"{}", qualifier))
                assert (got["text"], got["lazy"]) == ("one", "one")
            assert await service.deployer.redeploy("Hello")
            assert not await service.deployer.redeploy("Hello"), "nothing has changed since"
            for qualifier, text, version in (("live", "edited", "2"), ("1", "one", "1"), (None, "edited", "$LATEST")):
                got = await answer(service.submit(NAME, b"{}", qualifier))
                assert (got["text"], got["lazy"], got["version"]) == (text, text, version)
            with pytest.raises(ResourceNotFoundError, match=f"Function not found: arn:.*:{NAME}:3"):
                service.submit(NAME, b"{}", "3")

    run(scenario())


@pytest.mark.fidelity("start-deploys-changes")
def test_changes_made_while_the_emulator_was_off_are_deployed_at_its_start(project: Project) -> None:
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


@pytest.mark.fidelity("version-hash")
@pytest.mark.parametrize("project", [False], indirect=True)
def test_a_deployment_with_the_same_hash_moves_no_alias_and_says_so(project: Project) -> None:
    async def deploy(text: str, *, version_id: str, version: str, stage: str = "dev") -> None:
        write_code(project.source, text)
        project.spec = dataclasses.replace(project.spec, version_id=version_id, environment={"STAGE": stage})
        async with project.serve() as service:
            live = service.operations.aliases.get(function_name=NAME, name="live")
            versions = service.operations.versions.list(function_name=NAME)["Versions"]
            assert (live["FunctionVersion"], versions[-1]["Version"]) == (version, version)
            # $LATEST has what the template says, as on AWS.
            assert (await answer(service.submit(NAME, b"{}")))["text"] == text

    async def scenario() -> None:
        project.spec = dataclasses.replace(project.spec, version_follows_code=False)
        await deploy("one", version_id="HelloVersion1", version="1")
        await deploy("two", version_id="HelloVersion1", version="1")
        await deploy("two", version_id="HelloVersion1", version="1", stage="prod")
        await deploy("two", version_id="HelloVersion2", version="2", stage="prod")
        # Code decides where there is no AutoPublishCodeSha256; a parameter doesn't.
        project.spec = dataclasses.replace(project.spec, version_follows_code=True)
        await deploy("three", version_id="HelloVersion2", version="3", stage="prod")
        await deploy("three", version_id="HelloVersion2", version="3", stage="dev")

    run(scenario())
    project.sink.close()
    notes = (project.folder / "log").read_text()
    assert notes.count("Hello changed but its version's hash did not, so live stays at version 1, as on AWS; ") == 2
    assert notes.count("so live stays at version 3") == 1


@pytest.mark.fidelity("saved-code-deployed")
@pytest.mark.parametrize("project", [False], indirect=True)
def test_saved_code_is_published_whatever_its_hash_says(project: Project) -> None:
    async def scenario() -> None:
        project.spec = dataclasses.replace(project.spec, version_follows_code=False, version_id="HelloVersion1")
        async with project.serve() as service:
            write_code(project.source, "two")
            assert await service.deployer.redeploy("Hello", is_save=True) == "Hello: changed code is deployed"
            assert (await answer(service.submit(NAME, b"{}", "live")))["text"] == "two"
        async with project.serve() as service:
            assert (await answer(service.submit(NAME, b"{}", "live")))["text"] == "two"

    run(scenario())
