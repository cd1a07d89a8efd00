"""Functions that the API creates, and settings that it keeps without effect."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.control_plane.operations import Operations, open_operations
from emulator.lambda_service.control_plane.progress import ChangesInProgress
from emulator.lambda_service.data_plane.running_version import utc_now
from emulator.template.project import FunctionSpec
from tests.unit.emulator.lambda_service.control_plane.refusals import ARN_SCOPE, F, refusal

ROLE = "arn:aws:iam::123456789012:role/any"
BASE = {"Handler": "app.handler", "Runtime": "python3.13", "Role": ROLE}


def create(operations: Operations, folder: Path, name: str = "made", **more: Any) -> dict[str, Any]:
    changes = {**BASE, **more.pop("changes", {})}
    return operations.functions.create(function_name=name, code_folder=folder, changes=changes, **more)


@pytest.mark.fidelity("create-function")
def test_a_function_is_created_with_awss_defaults(operations: Operations, source: Path, reopen: Any) -> None:
    body = create(operations, source, tags={"a": "b"}, code_sha256="zip's", code_size=7)
    assert {name: body[name] for name in BASE} == BASE
    assert (body["Timeout"], body["MemorySize"], body["Version"]) == (3, 128, "$LATEST")
    assert (body["CodeSha256"], body["CodeSize"]) == ("zip's", 7)
    assert body["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/made"}
    assert operations.catalogue.resolve("made", None, 0.0).function.spec.handler == "app.handler"
    assert operations.functions.get(function_name="made")["Tags"] == {"a": "b"}
    assert create(operations, source, "published", publish=True)["Version"] == "1"
    again = reopen()
    assert again.functions.get_configuration(function_name="made") == body


@pytest.mark.fidelity("create-function")
def test_what_cant_be_created_is_refused_and_changes_nothing(operations: Operations, source: Path) -> None:
    before, invalid = operations.catalogue.account, ("InvalidParameterValueException", 400)

    def refused(**arguments: Any) -> tuple[str, int]:
        return refusal(operations.functions.create, code_folder=source, **arguments)[:2]

    assert refused(function_name="hello", changes=BASE) == ("ResourceConflictException", 409)
    assert refused(function_name="made", changes={"Role": ROLE}) == invalid
    assert refused(function_name="made", changes=BASE, package_type="Image") == invalid
    assert refused(function_name="made", changes={**BASE, "Runtime": "nodejs22.x"}) == invalid
    assert refused(function_name="made", changes={**BASE, "CodeSigningConfigArn": "arn"}) == invalid
    assert refused(function_name="made", changes={**BASE, "Layers": ["arn:layer:1"]})[1] == 404
    assert refused(function_name="made", changes=BASE, tags={str(number): "" for number in range(51)}) == invalid
    assert operations.catalogue.account is before


@pytest.mark.fidelity("settings-without-effect")
def test_settings_without_effect_are_kept_shown_and_emptied(operations: Operations) -> None:
    update = operations.functions.update_configuration
    queue = {"TargetArn": "arn:aws:sqs:eu-west-1:123456789012:dead"}
    files = [{"Arn": "arn:aws:elasticfilesystem:eu-west-1:1:access-point/a", "LocalMountPath": "/mnt/a"}]
    update(**F, changes={
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}, "DeadLetterConfig": queue,
        "KMSKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/k", "FileSystemConfigs": files,
        "ImageConfig": {"Command": ["a"]}, "TracingConfig": {"Mode": "Active"},
    })  # fmt: skip
    body = operations.versions.publish(**F)
    vpc = body["VpcConfig"]
    assert (vpc["SubnetIds"], vpc["SecurityGroupIds"], vpc["VpcId"][:4]) == (["subnet-1"], ["sg-1"], "vpc-")
    assert (body["DeadLetterConfig"], body["FileSystemConfigs"]) == (queue, files)
    assert body["ImageConfigResponse"] == {"ImageConfig": {"Command": ["a"]}}
    assert (body["KMSKeyArn"][-5:], body["TracingConfig"]) == ("key/k", {"Mode": "Active"})
    emptied = update(**F, changes={
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "DeadLetterConfig": {"TargetArn": ""},
        "KMSKeyArn": "", "FileSystemConfigs": [], "ImageConfig": {},
    })  # fmt: skip
    assert emptied["VpcConfig"]["VpcId"] == ""
    hidden = {"DeadLetterConfig", "FileSystemConfigs", "ImageConfig", "ImageConfigResponse", "KMSKeyArn"}
    assert not hidden & emptied.keys()


@pytest.mark.fidelity("update-in-progress")
def test_a_change_is_in_progress_for_its_time_and_refuses_others(
    tmp_path: Path, source: Path, spec: FunctionSpec
) -> None:
    times = [0.0]
    changes = ChangesInProgress(5, lambda: times[0])
    operations = open_operations(tmp_path / "timed", ARN_SCOPE, utc_now, changes=changes)
    made = create(operations, source)
    name = {"function_name": "made"}
    assert (made["State"], made["StateReasonCode"], "LastUpdateStatus" in made) == ("Pending", "Creating", False)
    conflict = ("ResourceConflictException", 409)
    update = functools.partial(operations.functions.update_configuration, **name, changes={"Timeout": 5})
    refused = [
        functools.partial(operations.functions.update_code, **name, code_folder=source),
        functools.partial(operations.versions.publish, **name),
        functools.partial(operations.catalogue.check_created, "made", None),
    ]
    for call in (update, *refused):
        assert refusal(call)[:2] == conflict
    times[0] += 5
    changed = update()
    assert (changed["State"], changed["LastUpdateStatus"]) == ("Active", "InProgress")
    assert changed["LastUpdateStatusReasonCode"] == "Creating"
    operations.catalogue.check_created("made", None)
    for call in refused[:2]:
        assert refusal(call)[:2] == conflict
    times[0] += 5
    assert operations.functions.get_configuration(**name)["LastUpdateStatus"] == "Successful"
    version = operations.versions.publish(**name)
    assert (version["State"], version["LastUpdateStatus"]) == ("Pending", "Successful")
    assert refusal(operations.catalogue.check_created, function_name="made", qualifier="1")[:2] == conflict
    update()
    times[0] += 5
    assert operations.functions.get_configuration(**name, qualifier="1")["State"] == "Active"
    operations.template.update(spec)
    update()
    assert operations.template.update(dataclasses.replace(spec, timeout_s=9)), "a deployment doesn't wait for the API"
    operations.close()
