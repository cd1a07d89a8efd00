"""What survives a restart, and which folders are refused rather than overwritten."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.operations import Operations, open_operations
from emulator.lambda_service.control_plane.state import StateError, StateFolder
from emulator.lambda_service.data_plane.running_version import utc_now
from emulator.template.project import FunctionSpec

ARN_SCOPE = ArnScope("eu-west-1", "123456789012")


def everything(operations: Operations) -> list[object]:
    name = {"function_name": "hello"}
    return [
        operations.functions.list(function_version="ALL"),
        operations.versions.list(**name),
        operations.aliases.list(**name),
        operations.concurrency.get_reserved(**name),
        operations.event_invoke.list(**name),
        operations.concurrency.list_provisioned(**name),
        operations.functions.get_account_settings(),
    ]


@pytest.mark.fidelity("start-deploys-changes")
def test_a_restart_keeps_everything(operations: Operations, reopen: object, spec: FunctionSpec) -> None:
    name = {"function_name": "hello"}
    operations.versions.publish(**name, description="first")
    operations.functions.update_configuration(**name, changes={"Timeout": 9, "Description": "é"})
    operations.versions.publish(**name)
    weights = {"AdditionalVersionWeights": {"2": 0.25}}
    operations.aliases.create(**name, name="live", function_version="1", routing_config=weights, description="d")
    operations.concurrency.put_reserved(**name, reserved_concurrent_executions=7)
    operations.event_invoke.put(**name, qualifier="live", changes={"MaximumRetryAttempts": 1})
    operations.concurrency.put_provisioned(**name, qualifier="2", provisioned_concurrent_executions=3)
    before = everything(operations)
    again = reopen()  # type: ignore[operator]
    assert everything(again) == before
    # The template says what it said: what was changed by the API stays.
    assert again.template.update(spec) is None
    assert everything(again) == before
    again.aliases.update(**name, name="live", routing_config={"AdditionalVersionWeights": {}})
    assert "RoutingConfig" not in reopen().aliases.get(**name, name="live")  # type: ignore[operator]


def test_a_changed_template_is_deployed_over_what_is_there(
    operations: Operations, reopen: object, spec: FunctionSpec, source: Path
) -> None:
    operations.versions.publish(function_name="hello")
    (source / "app.py").write_text("changed = True\n")
    again: Operations = reopen()  # type: ignore[operator]
    assert again.template.update(spec) is not None
    assert again.versions.publish(function_name="hello")["Version"] == "2"


def test_a_deployment_that_was_cut_off_before_its_alias_is_done_again(reopen: object, spec: FunctionSpec) -> None:
    aliased = dataclasses.replace(spec, alias="live")
    first: Operations = reopen()  # type: ignore[operator]
    assert first.template.update(aliased) is not None
    again: Operations = reopen()  # type: ignore[operator]
    digest = again.template.update(aliased)
    assert digest is not None
    again.template.point_alias(aliased, again.versions.publish(function_name="hello")["Version"], digest)
    assert reopen().template.update(aliased) is None  # type: ignore[operator]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ("[" * 100_000, "is damaged"),
        ('{"format":' * 100_000, "is damaged"),
        ('{"format": 1}', "is damaged"),
        ('{"format": 1, "functions": {"f": {}}, "layers": {}, "retired": {}}', "is damaged"),
        (
            '{"format": 2, "functions": {}}',
            "has format 2, and this emulator reads format 1: run the emulator",
        ),
    ],
)
@pytest.mark.fidelity("state-survives-kill")
def test_a_state_that_cannot_be_read_is_refused_and_left_as_it_was(tmp_path: Path, content: str, words: str) -> None:
    root = tmp_path / "state"
    root.mkdir()
    (root / "state.json").write_text(content)
    (root / "code").mkdir()
    (root / "code" / "kept").mkdir()
    with pytest.raises(StateError, match=words) as caught:
        open_operations(root, ARN_SCOPE, utc_now)
    assert str(root) in str(caught.value)
    assert "move" in str(caught.value)
    assert (root / "state.json").read_text() == content
    assert (root / "code" / "kept").is_dir()


def test_missing_code_is_reported_with_its_versions(operations: Operations, reopen: object) -> None:
    operations.versions.publish(function_name="hello")
    code = operations.catalogue.account.functions["hello"].latest.code
    (operations.catalogue.code.folder(code.digest) / "app.py").unlink()
    with pytest.raises(StateError, match=r"the code of hello:\$LATEST, hello:1 is damaged or missing"):
        reopen()  # type: ignore[operator]


@pytest.mark.fidelity("state-survives-kill")
def test_a_folder_in_use_is_refused(operations: Operations, tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"another emulator keeps its functions in .*--state-dir"):
        open_operations(tmp_path / "state", ARN_SCOPE, utc_now)
    assert operations.functions.get(function_name="hello")


def test_a_folder_of_somebody_else_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StateError, match="holds other files"):
        open_operations(tmp_path, ARN_SCOPE, utc_now)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_start_works_after_a_first_one_that_was_cut_off(tmp_path: Path) -> None:
    for name in ("lock", "state.json.tmp"):
        (tmp_path / name).touch()
    (tmp_path / "code").mkdir()
    operations = open_operations(tmp_path, ARN_SCOPE, utc_now)
    assert operations.functions.list() == {"Functions": []}
    operations.close()


def test_without_a_folder_nothing_is_left(spec: FunctionSpec) -> None:
    operations = open_operations(None, ARN_SCOPE, utc_now)
    operations.template.update(spec)
    folder = operations.catalogue.code.folder("x").parent
    assert folder.is_dir()
    operations.close()
    assert not folder.parent.exists()


def test_the_file_says_its_format(operations: Operations, tmp_path: Path) -> None:
    assert json.loads((tmp_path / "state" / "state.json").read_text())["format"] == 1


def test_a_folder_that_cant_be_locked_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "state" / "lock").mkdir(parents=True)
    with pytest.raises(StateError, match="can't be used for the functions' state: Is a directory"):
        StateFolder(tmp_path / "state").open()
