"""Answers and refusals of Lambda's operations, as AWS gives them."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.control_plane import functions, template_functions
from emulator.lambda_service.control_plane.configuration import CREATING, Readiness
from emulator.lambda_service.control_plane.operations import Operations
from emulator.lambda_service.control_plane.template_functions import KEPT_SAVES
from emulator.lambda_service.errors import PreconditionFailedError, ResourceConflictError
from emulator.template.project import FunctionSpec
from tests.unit.emulator.lambda_service.control_plane.refusals import ARN, F, refusal


def test_the_configuration_has_awss_members(operations: Operations) -> None:
    body = operations.functions.get_configuration(**F)
    assert body["FunctionArn"] == ARN
    assert body["Environment"] == {"Variables": {"A": "1"}}
    assert body["LastModified"] == "2026-01-02T03:04:05.000+0000"
    assert body["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert body["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/hello"}
    assert (body["State"], body["LastUpdateStatus"], body["PackageType"]) == ("Active", "Successful", "Zip")
    runtime = body["RuntimeVersionConfig"]["RuntimeVersionArn"]
    assert runtime.startswith("arn:aws:lambda:eu-west-1::runtime:")
    assert body["CodeSize"] == 42
    assert len(body["CodeSha256"]) == 44
    qualified = operations.functions.get_configuration(**F, qualifier="$LATEST")
    assert (qualified["FunctionArn"], qualified["Version"]) == (f"{ARN}:$LATEST", "$LATEST")
    assert operations.functions.get(**F)["Configuration"] == body


@pytest.mark.fidelity("absent-version-deleted")
def test_unknown_functions_versions_and_aliases_are_404_with_their_arn(operations: Operations) -> None:
    not_found = "ResourceNotFoundException", 404
    for call, arguments, arn in [
        (operations.functions.get, {"function_name": "nobody"}, f"{ARN[:-5]}nobody"),
        (operations.functions.get, {**F, "qualifier": "9"}, f"{ARN}:9"),
        (operations.functions.get_configuration, {"function_name": "hello:gone"}, f"{ARN}:gone"),
        (operations.aliases.create, {**F, "name": "live", "function_version": "9"}, f"{ARN}:9"),
    ]:
        assert refusal(call, **arguments) == (*not_found, f"Function not found: {arn}")
    assert refusal(operations.aliases.get, **F, name="live") == (*not_found, f"Cannot find alias arn: {ARN}:live")
    assert refusal(lambda: operations.catalogue.resolve("hello", "9", 0.0))[:2] == not_found
    operations.functions.delete(**F, qualifier="9")
    assert operations.functions.get(**F)


@pytest.mark.fidelity("publish-unchanged-code")
def test_publishing_is_idempotent_gives_latest_a_new_revision_and_checks_digest_and_revision(
    operations: Operations,
) -> None:
    before = operations.functions.get_configuration(**F)
    wrong = "3" * 43 + "="
    assert refusal(operations.versions.publish, **F, code_sha256=wrong)[:2] == (
        "InvalidParameterValueException",
        400,
    )
    assert refusal(operations.versions.publish, **F, revision_id="x")[:2] == (
        "PreconditionFailedException",
        412,
    )
    first = operations.versions.publish(**F, code_sha256=before["CodeSha256"], revision_id=before["RevisionId"])
    assert (first["Version"], first["FunctionArn"]) == ("1", f"{ARN}:1")
    latest = operations.functions.get_configuration(**F)["RevisionId"]
    assert latest not in {before["RevisionId"], first["RevisionId"]}
    assert operations.versions.publish(**F, description="ignored") == first
    operations.functions.update_configuration(**F, changes={"Description": "two"})
    second = operations.versions.publish(**F, description="mine")
    assert (second["Version"], second["Description"]) == ("2", "mine")
    assert operations.functions.get_configuration(**F)["Description"] == "two"


@pytest.mark.fidelity("publish-unchanged-code")
def test_numbers_are_not_used_again_even_by_a_function_that_comes_back(
    operations: Operations, spec: FunctionSpec
) -> None:
    operations.versions.publish(**F)
    operations.functions.delete(**F, qualifier="1")
    assert operations.versions.publish(**F)["Version"] == "2"
    operations.functions.delete(**F)
    assert operations.functions.list() == {"Functions": []}
    operations.template.update(spec)
    assert operations.versions.publish(**F)["Version"] == "3"


@pytest.mark.fidelity("concurrent-updates")
def test_updating_code(operations: Operations, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "app.py").write_text("new")
    before = operations.functions.get_configuration(**F)
    dry = operations.functions.update_code(**F, code_folder=folder, dry_run=True)
    assert dry["CodeSha256"] != before["CodeSha256"]
    assert operations.functions.get_configuration(**F) == before
    zipped = operations.functions.update_code(**F, code_folder=folder, code_sha256="zip's", code_size=123)
    assert (zipped["CodeSha256"], zipped["CodeSize"]) == ("zip's", 123)
    published = operations.functions.update_code(**F, code_folder=folder, publish=True)
    assert (published["Version"], published["CodeSha256"]) == ("1", dry["CodeSha256"])
    refused = refusal(operations.functions.update_code, **F, code_folder=folder, revision_id=before["RevisionId"])
    assert refused[:2] == ("PreconditionFailedException", 412)
    with operations.catalogue.updating("hello"):
        for call, arguments in [
            (operations.functions.update_code, {"code_folder": folder}),
            (operations.functions.update_configuration, {"changes": {"Timeout": 5}}),
            (operations.versions.publish, {}),
        ]:
            code, status, message = refusal(call, **F, **arguments)
            assert (code, status) == ("ResourceConflictException", 409)
            assert message.endswith(f"An update is in progress for resource: {ARN}")


def test_a_variable_names_the_version_that_the_template_published_last(
    operations: Operations, spec: FunctionSpec
) -> None:
    operations.versions.publish_deployed(**F, is_saved=False)
    watching = dataclasses.replace(
        spec, name="watching", environment={"VERSION": f"{ARN}:1"}, version_variables={"VERSION": "hello"}
    )
    operations.template.update(watching)
    operations.functions.update_configuration(**F, changes={"Timeout": 5})
    assert operations.versions.publish(**F)["Version"] == "2"
    assert operations.template.update(watching) is None
    operations.functions.update_configuration(**F, changes={"Timeout": 6})
    assert operations.versions.publish_deployed(**F, is_saved=False)["Version"] == "3"
    assert operations.template.update(watching) is not None
    found = operations.functions.get_configuration(function_name="watching")
    assert found["Environment"] == {"Variables": {"VERSION": f"{ARN}:3"}}


def test_a_look_at_the_templates_code_refuses_no_update(
    operations: Operations, spec: FunctionSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = functions.store_package

    def store_while_somebody_updates(*arguments: Any) -> Any:
        operations.functions.update_configuration(**F, changes={"Timeout": 5})
        operations.versions.publish(**F)
        return store(*arguments)

    monkeypatch.setattr(template_functions, "store_package", store_while_somebody_updates)
    assert operations.template.update(spec) is None
    with operations.catalogue.updating("hello"), pytest.raises(ResourceConflictError):
        operations.template.update(dataclasses.replace(spec, timeout_s=7))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Timeout": 901}, "ValidationException"),
        ({"MemorySize": 10_241}, "ValidationException"),
        ({"EphemeralStorage": {"Size": 10_241}}, "ValidationException"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException"),
        ({"Environment": {"Variables": {"LONG": "x" * 4090}}}, "InvalidParameterValueException"),
        ({"Runtime": "nodejs22.x"}, "InvalidParameterValueException"),
        ({"Runtime": "python3.11", "SnapStart": {"ApplyOn": "PublishedVersions"}}, "InvalidParameterValueException"),
        ({"DurableConfig": {"ExecutionTimeout": 1}}, "InvalidParameterValueException"),
        ({"Layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:none:1"]}, "ResourceNotFoundException"),
    ],
)
@pytest.mark.fidelity("update-configuration")
def test_configurations_that_are_refused_change_nothing(
    operations: Operations, changes: dict[str, Any], code: str
) -> None:
    before = operations.functions.get_configuration(**F)
    assert refusal(operations.functions.update_configuration, **F, changes=changes)[0] == code
    assert operations.functions.get_configuration(**F) == before


def test_a_changed_configuration_is_what_runs(operations: Operations) -> None:
    running = operations.catalogue.resolve("hello", None, 0.0).function
    operations.versions.publish(**F)
    assert operations.catalogue.resolve("hello", None, 0.0).function is running, (
        "a new revision alone starts nothing anew"
    )
    operations.functions.update_configuration(
        **F, changes={"Timeout": 900, "MemorySize": 512, "Handler": "b.c", "LoggingConfig": {"LogFormat": "JSON"},
                      "Environment": {"Variables": {"AB": "é"}}, "Runtime": None},
    )  # fmt: skip
    spec = operations.catalogue.resolve("hello", None, 0.0).function.spec
    assert (spec.timeout_s, spec.memory_mb, spec.handler, spec.log_format) == (900, 512, "b.c", "JSON")
    assert dict(spec.environment) == {"AB": "é"}
    assert operations.catalogue.resolve("hello", "1", 0.0).function.spec.timeout_s == 3


@pytest.mark.fidelity("layer-versions")
def test_layers_have_versions_of_their_own(reopen: Any, spec: FunctionSpec, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "lib.py").write_text("1")
    arn = "arn:aws:lambda:eu-west-1:123456789012:layer:Shared"
    layered = dataclasses.replace(spec, layer_dirs=(layer,), layer_arns=(arn,))
    operations: Operations = reopen()
    operations.template.update(layered)
    assert operations.versions.publish(**F)["Layers"] == [{"Arn": f"{arn}:1", "CodeSize": 1}]
    (layer / "lib.py").write_text("22")
    assert operations.template.update(layered) is not None
    assert operations.versions.publish(**F)["Layers"] == [{"Arn": f"{arn}:2", "CodeSize": 2}]
    back = operations.functions.update_configuration(**F, changes={"Layers": [f"{arn}:1"]})
    assert back["Layers"] == [{"Arn": f"{arn}:1", "CodeSize": 1}]
    (folder,) = operations.catalogue.resolve("hello", None, 0.0).function.spec.layer_dirs
    assert (folder / "lib.py").read_text() == "1"
    both = {"Layers": [f"{arn}:1", f"{arn}:2"]}
    assert refusal(operations.functions.update_configuration, **F, changes=both)[0] == "InvalidParameterValueException"
    assert "Layers" not in operations.functions.update_configuration(**F, changes={"Layers": []})


def test_a_deployment_moves_no_alias_that_has_another_revision_than_it_left(
    operations: Operations, spec: FunctionSpec
) -> None:
    aliased = dataclasses.replace(spec, alias="live")
    change = operations.template.update(aliased)
    with pytest.raises(PreconditionFailedError):
        operations.template.point_alias(aliased, "1", change, "of-a-deleted-alias")
    operations.versions.publish(**F)
    operations.aliases.create(**F, name="live", function_version="1")
    with pytest.raises(PreconditionFailedError):
        operations.template.point_alias(aliased, "1", change, "of-a-change-before")


def test_only_the_last_versions_that_saves_made_are_kept(operations: Operations, spec: FunctionSpec) -> None:
    aliased = dataclasses.replace(spec, alias="live")

    def save(number: int) -> None:
        (spec.code_dir / "app.py").write_text(f"NUMBER = {number}\n")
        digest = operations.template.update(aliased)
        operations.template.point_alias(
            aliased, operations.versions.publish_deployed(**F, is_saved=True)["Version"], digest
        )

    save(1)
    operations.aliases.create(**F, name="kept", function_version="1")
    save(2)
    assert operations.versions.publish(**F)["Version"] == "2", "published on request, it no longer counts as a save"
    for number in range(3, 3 + KEPT_SAVES + 2):
        save(number)
    versions = [version["Version"] for version in operations.versions.list(**F)["Versions"]]
    assert versions == ["$LATEST", "1", "2", *(str(number) for number in range(5, 3 + KEPT_SAVES + 2))]
    assert operations.aliases.get(**F, name="live")["FunctionVersion"] == versions[-1]


def test_an_update_publishes_its_own_code(operations: Operations, tmp_path: Path) -> None:
    def update(number: int) -> tuple[str, str]:
        folder = tmp_path / f"update {number}"
        folder.mkdir()
        (folder / "app.py").write_text(f"NUMBER = {number}\n")
        while True:
            try:
                done = operations.functions.update_code(**F, code_folder=folder, publish=True, code_sha256=str(number))
            except ResourceConflictError:
                continue
            return done["CodeSha256"], done["Version"]

    with ThreadPoolExecutor(4) as callers:
        done = list(callers.map(update, range(20)))
    assert [sha256 for sha256, _ in done] == [str(number) for number in range(20)]
    assert len({version for _, version in done}) == 20


def test_the_state_of_a_version_is_not_overwritten_by_a_thread_that_is_late(operations: Operations) -> None:
    operations.versions.publish(**F)
    catalogue = operations.catalogue
    function = catalogue.runnable("hello", "1")
    assert function is not None
    being_made = Readiness("Pending", "The function is being created.", CREATING)
    catalogue.begin_readiness(function, being_made)
    for qualified in ({"function_name": "hello", "qualifier": "1"}, {"function_name": "hello:1", "qualifier": None}):
        assert refusal(catalogue.check_created, **qualified)[:2] == ("ResourceConflictException", 409)
    catalogue.check_created("hello", None)
    catalogue.set_readiness(function, Readiness())
    catalogue.begin_readiness(function, being_made)
    assert catalogue.readiness("hello", "1").state == "Active"
    catalogue.check_created("hello", "1")


@pytest.mark.fidelity("lists-without-state")
def test_lists_come_in_pages(operations: Operations) -> None:
    for timeout in range(3, 8):
        operations.functions.update_configuration(**F, changes={"Timeout": timeout})
        operations.versions.publish(**F)
    seen: list[str] = []
    marker = None
    while True:
        page = operations.versions.list(**F, marker=marker, max_items=2)
        assert len(page["Versions"]) <= 2
        seen += [version["Version"] for version in page["Versions"]]
        marker = page.get("NextMarker")
        if marker is None:
            break
    assert seen == ["$LATEST", "1", "2", "3", "4", "5"]
    for marker in ("?", "²", "9" * 5000):
        assert refusal(operations.functions.list, marker=marker)[1] == 400
    every = operations.functions.list(function_version="ALL")["Functions"]
    one = operations.functions.get_configuration(**F)
    for listed in (every, operations.functions.list()["Functions"], operations.versions.list(**F)["Versions"]):
        for function in listed:
            assert one.keys() - function.keys() == {"State", "LastUpdateStatus", "RuntimeVersionConfig"}
    assert [function["FunctionArn"] for function in every][:2] == [f"{ARN}:$LATEST", f"{ARN}:1"]
    assert [function["FunctionArn"] for function in operations.functions.list()["Functions"]] == [ARN]


def test_a_disk_that_refuses_leaves_everything_as_it_was(operations: Operations, tmp_path: Path) -> None:
    operations.versions.publish(**F)
    before = operations.functions.list(function_version="ALL")
    # A folder in its place is what no file can be renamed over.
    file = tmp_path / "state" / "state.json"
    content = file.read_bytes()
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    code, status, message = refusal(operations.aliases.create, **F, name="live", function_version="1")
    assert (code, status) == ("ServiceException", 500)
    assert message.startswith("The change can't be kept, and is undone: ")
    assert operations.functions.list(function_version="ALL") == before
    assert operations.aliases.list(**F) == {"Aliases": []}
    (file / "in the way").rmdir()
    file.rmdir()
    file.write_bytes(content)
    assert operations.aliases.create(**F, name="live", function_version="1")


def test_unused_code_is_removed_unless_an_update_may_be_about_to_use_it(operations: Operations, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "app.py").write_text("new")
    catalogue = operations.catalogue
    old = operations.catalogue.resolve("hello", None, 0.0).function
    with catalogue.updating("hello"):
        copied = catalogue.code.put(folder)
        catalogue.remove_unused_code([])
        assert catalogue.code.holds(copied.digest, copied.size_bytes)
    operations.functions.update_code(**F, code_folder=folder)
    catalogue.remove_unused_code([old])
    assert old.spec.code_dir.is_dir(), "its last requests may still be under way"
    catalogue.remove_unused_code([])
    assert not old.spec.code_dir.exists()
    assert catalogue.code.holds(copied.digest, copied.size_bytes)
