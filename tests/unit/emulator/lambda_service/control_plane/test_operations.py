"""What Lambda's operations answer and refuse, as AWS does."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.control_plane.configuration import CREATING, Readiness
from emulator.lambda_service.control_plane.operations import FunctionOperations
from emulator.lambda_service.control_plane.template_functions import KEPT_SAVES
from emulator.lambda_service.errors import ResourceConflictError
from emulator.template.project import FunctionSpec
from tests.unit.emulator.lambda_service.control_plane.asking import ARN, F, refusal


def test_the_configuration_has_awss_members(operations: FunctionOperations) -> None:
    body = operations.get_function_configuration(**F)
    assert body["FunctionArn"] == ARN
    assert body["Environment"] == {"Variables": {"A": "1"}}
    assert body["LastModified"] == "2026-01-02T03:04:05.000+0000"
    assert body["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert body["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/hello"}
    assert (body["State"], body["LastUpdateStatus"], body["PackageType"]) == ("Active", "Successful", "Zip")
    assert body["CodeSize"] == 42
    assert len(body["CodeSha256"]) == 44
    qualified = operations.get_function_configuration(**F, qualifier="$LATEST")
    assert (qualified["FunctionArn"], qualified["Version"]) == (f"{ARN}:$LATEST", "$LATEST")
    assert operations.get_function(**F)["Configuration"] == body


def test_unknown_functions_versions_and_aliases_are_404_with_their_arn(operations: FunctionOperations) -> None:
    not_found = "ResourceNotFoundException", 404
    for call, arguments, arn in [
        (operations.get_function, {"function_name": "nobody"}, f"{ARN[:-5]}nobody"),
        (operations.get_function, {**F, "qualifier": "9"}, f"{ARN}:9"),
        (operations.get_function_configuration, {"function_name": "hello:gone"}, f"{ARN}:gone"),
        (operations.create_alias, {**F, "name": "live", "function_version": "9"}, f"{ARN}:9"),
        (operations.delete_function, {**F, "qualifier": "9"}, f"{ARN}:9"),
    ]:
        assert refusal(call, **arguments) == (*not_found, f"Function not found: {arn}")
    assert refusal(operations.get_alias, **F, name="live") == (*not_found, f"Cannot find alias arn: {ARN}:live")
    assert refusal(lambda: operations.resolve("hello", "9", 0.0))[:2] == not_found


def test_publishing_is_idempotent_gives_latest_a_new_revision_and_checks_what_it_is_told(
    operations: FunctionOperations,
) -> None:
    before = operations.get_function_configuration(**F)
    wrong = "3" * 43 + "="
    assert refusal(operations.publish_version, **F, code_sha256=wrong)[:2] == ("InvalidParameterValueException", 400)
    assert refusal(operations.publish_version, **F, revision_id="x")[:2] == ("PreconditionFailedException", 412)
    first = operations.publish_version(**F, code_sha256=before["CodeSha256"], revision_id=before["RevisionId"])
    assert (first["Version"], first["FunctionArn"]) == ("1", f"{ARN}:1")
    latest = operations.get_function_configuration(**F)["RevisionId"]
    assert latest not in {before["RevisionId"], first["RevisionId"]}
    assert operations.publish_version(**F, description="ignored") == first
    operations.update_function_configuration(**F, changes={"Description": "two"})
    second = operations.publish_version(**F, description="mine")
    assert (second["Version"], second["Description"]) == ("2", "mine")
    assert operations.get_function_configuration(**F)["Description"] == "two"


def test_numbers_are_not_used_again_even_by_a_function_that_comes_back(
    operations: FunctionOperations, spec: FunctionSpec
) -> None:
    operations.publish_version(**F)
    operations.delete_function(**F, qualifier="1")
    assert operations.publish_version(**F)["Version"] == "2"
    operations.delete_function(**F)
    assert operations.list_functions() == {"Functions": []}
    operations.update_from_template(spec)
    assert operations.publish_version(**F)["Version"] == "3"


def test_updating_code(operations: FunctionOperations, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "app.py").write_text("new")
    before = operations.get_function_configuration(**F)
    dry = operations.update_function_code(**F, code_folder=folder, dry_run=True)
    assert dry["CodeSha256"] != before["CodeSha256"]
    assert operations.get_function_configuration(**F) == before
    zipped = operations.update_function_code(**F, code_folder=folder, code_sha256="zip's", code_size=123)
    assert (zipped["CodeSha256"], zipped["CodeSize"]) == ("zip's", 123)
    published = operations.update_function_code(**F, code_folder=folder, publish=True)
    assert (published["Version"], published["CodeSha256"]) == ("1", dry["CodeSha256"])
    refused = refusal(operations.update_function_code, **F, code_folder=folder, revision_id=before["RevisionId"])
    assert refused[:2] == ("PreconditionFailedException", 412)
    with operations.catalogue.updating("hello"):
        for call, arguments in [
            (operations.update_function_code, {"code_folder": folder}),
            (operations.update_function_configuration, {"changes": {"Timeout": 5}}),
            (operations.publish_version, {}),
        ]:
            code, status, message = refusal(call, **F, **arguments)
            assert (code, status) == ("ResourceConflictException", 409)
            assert message.endswith(f"An update is in progress for resource: {ARN}")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Timeout": 901}, "ValidationException"),
        ({"Timeout": 0}, "ValidationException"),
        ({"Timeout": True}, "ValidationException"),
        ({"MemorySize": 127}, "ValidationException"),
        ({"MemorySize": 10_241}, "ValidationException"),
        ({"EphemeralStorage": {"Size": 511}}, "ValidationException"),
        ({"Handler": "a b"}, "ValidationException"),
        ({"Handler": "x" * 129}, "ValidationException"),
        ({"Description": "x" * 257}, "ValidationException"),
        ({"SnapStart": {"ApplyOn": "Always"}}, "ValidationException"),
        ({"LoggingConfig": {"LogFormat": "XML"}}, "ValidationException"),
        ({"Environment": {"Variables": {"1A": "x"}}}, "ValidationException"),
        ({"Environment": {"Variables": {"A_B": 1}}}, "ValidationException"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException"),
        ({"Environment": {"Variables": {"LONG": "x" * 4090}}}, "InvalidParameterValueException"),
        ({"Runtime": "nodejs22.x"}, "InvalidParameterValueException"),
        ({"Runtime": "python3.11", "SnapStart": {"ApplyOn": "PublishedVersions"}}, "InvalidParameterValueException"),
        ({"VpcConfig": {"SubnetIds": ["s"]}}, "InvalidParameterValueException"),
        ({"Layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:none:1"]}, "ResourceNotFoundException"),
    ],
)
def test_configurations_that_are_refused_change_nothing(
    operations: FunctionOperations, changes: dict[str, Any], code: str
) -> None:
    before = operations.get_function_configuration(**F)
    assert refusal(operations.update_function_configuration, **F, changes=changes)[0] == code
    assert operations.get_function_configuration(**F) == before


def test_a_changed_configuration_is_what_runs(operations: FunctionOperations) -> None:
    running = operations.resolve("hello", None, 0.0).function
    operations.publish_version(**F)
    assert operations.resolve("hello", None, 0.0).function is running, "a new revision alone starts nothing anew"
    operations.update_function_configuration(
        **F, changes={"Timeout": 900, "MemorySize": 512, "Handler": "b.c", "LoggingConfig": {"LogFormat": "JSON"},
                      "Environment": {"Variables": {"AB": "é"}}, "Runtime": None},
    )  # fmt: skip
    spec = operations.resolve("hello", None, 0.0).function.spec
    assert (spec.timeout_s, spec.memory_mb, spec.handler, spec.log_format) == (900, 512, "b.c", "JSON")
    assert dict(spec.environment) == {"AB": "é"}
    assert operations.resolve("hello", "1", 0.0).function.spec.timeout_s == 3


def test_layers_have_versions_of_their_own(reopen: Any, spec: FunctionSpec, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "lib.py").write_text("1")
    arn = "arn:aws:lambda:eu-west-1:123456789012:layer:Shared"
    layered = dataclasses.replace(spec, layer_dirs=(layer,), layer_arns=(arn,))
    operations: FunctionOperations = reopen()
    operations.update_from_template(layered)
    assert operations.publish_version(**F)["Layers"] == [{"Arn": f"{arn}:1", "CodeSize": 1}]
    (layer / "lib.py").write_text("22")
    assert operations.update_from_template(layered) is not None
    assert operations.publish_version(**F)["Layers"] == [{"Arn": f"{arn}:2", "CodeSize": 2}]
    back = operations.update_function_configuration(**F, changes={"Layers": [f"{arn}:1"]})
    assert back["Layers"] == [{"Arn": f"{arn}:1", "CodeSize": 1}]
    (folder,) = operations.resolve("hello", None, 0.0).function.spec.layer_dirs
    assert (folder / "lib.py").read_text() == "1"
    both = {"Layers": [f"{arn}:1", f"{arn}:2"]}
    assert refusal(operations.update_function_configuration, **F, changes=both)[0] == "InvalidParameterValueException"
    assert "Layers" not in operations.update_function_configuration(**F, changes={"Layers": []})


def test_only_the_last_versions_that_saves_made_are_kept(operations: FunctionOperations, spec: FunctionSpec) -> None:
    aliased = dataclasses.replace(spec, alias="live")

    def save(number: int) -> None:
        (spec.code_dir / "app.py").write_text(f"NUMBER = {number}\n")
        said = operations.update_from_template(aliased)
        operations.point_alias(aliased, operations.publish_saved(spec.name)["Version"], said)

    save(1)
    operations.create_alias(**F, name="kept", function_version="1")
    save(2)
    assert operations.publish_version(**F)["Version"] == "2", "asked for, it is no save any more"
    for number in range(3, 3 + KEPT_SAVES + 2):
        save(number)
    versions = [one["Version"] for one in operations.list_versions_by_function(**F)["Versions"]]
    assert versions == ["$LATEST", "1", "2", *(str(number) for number in range(5, 3 + KEPT_SAVES + 2))]
    assert operations.get_alias(**F, name="live")["FunctionVersion"] == versions[-1]


def test_what_an_update_publishes_is_its_own_code(operations: FunctionOperations, tmp_path: Path) -> None:
    def update(number: int) -> tuple[str, str]:
        folder = tmp_path / f"update {number}"
        folder.mkdir()
        (folder / "app.py").write_text(f"NUMBER = {number}\n")
        while True:
            try:
                done = operations.update_function_code(**F, code_folder=folder, publish=True, code_sha256=str(number))
            except ResourceConflictError:
                continue
            return done["CodeSha256"], done["Version"]

    with ThreadPoolExecutor(4) as callers:
        done = list(callers.map(update, range(20)))
    assert [sha256 for sha256, _ in done] == [str(number) for number in range(20)]
    assert len({version for _, version in done}) == 20


def test_the_state_of_a_version_is_not_overwritten_by_a_thread_that_is_late(operations: FunctionOperations) -> None:
    operations.publish_version(**F)
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


def test_event_invoke_configurations(operations: FunctionOperations) -> None:
    put, get = operations.put_function_event_invoke_config, operations.get_function_event_invoke_config
    missing = refusal(get, **F)
    assert missing == (
        "ResourceNotFoundException", 404, f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig",
    )  # fmt: skip
    assert refusal(put, **F)[:2] == ("InvalidParameterValueException", 400)
    assert refusal(put, **F, maximum_retry_attempts=3)[0] == "ValidationException"
    assert refusal(put, **F, maximum_event_age_in_seconds=59)[0] == "ValidationException"
    assert refusal(put, **F, qualifier="live", maximum_retry_attempts=1)[1] == 404
    made = put(**F, maximum_retry_attempts=0)
    assert (made["FunctionArn"], made["MaximumRetryAttempts"]) == (f"{ARN}:$LATEST", 0)
    operations.update_function_event_invoke_config(**F, maximum_event_age_in_seconds=60)
    assert (get(**F)["MaximumRetryAttempts"], get(**F)["MaximumEventAgeInSeconds"]) == (0, 60)
    put(**F, maximum_event_age_in_seconds=61)
    assert "MaximumRetryAttempts" not in get(**F)
    assert len(operations.list_function_event_invoke_configs(**F)["FunctionEventInvokeConfigs"]) == 1
    operations.delete_function_event_invoke_config(**F)
    assert refusal(operations.delete_function_event_invoke_config, **F)[1] == 404


def test_lists_come_in_pages(operations: FunctionOperations) -> None:
    for timeout in range(3, 8):
        operations.update_function_configuration(**F, changes={"Timeout": timeout})
        operations.publish_version(**F)
    seen: list[str] = []
    marker = None
    while True:
        page = operations.list_versions_by_function(**F, marker=marker, max_items=2)
        assert len(page["Versions"]) <= 2
        seen += [one["Version"] for one in page["Versions"]]
        marker = page.get("NextMarker")
        if marker is None:
            break
    assert seen == ["$LATEST", "1", "2", "3", "4", "5"]
    for marker in ("?", "²", "9" * 5000):
        assert refusal(operations.list_functions, marker=marker)[1] == 400
    every = operations.list_functions(function_version="ALL")["Functions"]
    assert [one["FunctionArn"] for one in every][:2] == [f"{ARN}:$LATEST", f"{ARN}:1"]
    assert [one["FunctionArn"] for one in operations.list_functions()["Functions"]] == [ARN]


def test_a_disk_that_refuses_leaves_everything_as_it_was(operations: FunctionOperations, tmp_path: Path) -> None:
    operations.publish_version(**F)
    before = operations.list_functions(function_version="ALL")
    # A folder in its place is what no file can be renamed over.
    file = tmp_path / "state" / "state.json"
    kept = file.read_bytes()
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    code, status, message = refusal(operations.create_alias, **F, name="live", function_version="1")
    assert (code, status) == ("ServiceException", 500)
    assert message.startswith("The change can't be kept, and is undone: ")
    assert operations.list_functions(function_version="ALL") == before
    assert operations.list_aliases(**F) == {"Aliases": []}
    (file / "in the way").rmdir()
    file.rmdir()
    file.write_bytes(kept)
    assert operations.create_alias(**F, name="live", function_version="1")


def test_unused_code_is_removed_unless_an_update_may_be_about_to_use_it(
    operations: FunctionOperations, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "app.py").write_text("new")
    catalogue = operations.catalogue
    old = operations.resolve("hello", None, 0.0).function
    with catalogue.updating("hello"):
        copied = catalogue.code.put(folder)
        catalogue.remove_unused_code([])
        assert catalogue.code.holds(copied.digest, copied.size_bytes)
    operations.update_function_code(**F, code_folder=folder)
    catalogue.remove_unused_code([old])
    assert old.spec.code_dir.is_dir(), "its last requests may still be under way"
    catalogue.remove_unused_code([])
    assert not old.spec.code_dir.exists()
    assert catalogue.code.holds(copied.digest, copied.size_bytes)
