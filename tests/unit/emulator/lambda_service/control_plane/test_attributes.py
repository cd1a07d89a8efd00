"""Tags, policies and layers of functions, and answers about what no function here has."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.control_plane.operations import Operations
from emulator.template.project import FunctionSpec
from tests.unit.emulator.lambda_service.control_plane.refusals import ARN, F, refusal

NOT_FOUND = ("ResourceNotFoundException", 404)
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:Shared"


@pytest.mark.fidelity("resource-policies")
def test_a_policy_is_kept_for_a_function_and_for_each_alias(operations: Operations, reopen: Any) -> None:
    operations.versions.publish(**F)
    alias = operations.aliases.create(**F, name="live", function_version="1")
    permit = {"action": "lambda:InvokeFunction", "changes": {}}
    assert refusal(operations.permissions.get_policy, **F)[:2] == NOT_FOUND
    conditions = {"SourceArn": "arn:aws:s3:::b", "SourceAccount": "123456789012"}
    added = operations.permissions.add(
        **F, statement_id="s3", action="lambda:InvokeFunction", principal="s3.amazonaws.com", changes=conditions
    )
    expected = {
        "Sid": "s3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:InvokeFunction",
        "Resource": ARN, "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
                                       "StringEquals": {"AWS:SourceAccount": "123456789012"}},
    }  # fmt: skip
    assert json.loads(added["Statement"]) == expected
    operations.permissions.add(**F, qualifier="live", statement_id="a", principal="210987654321", **permit)
    again = refusal(operations.permissions.add, **F, statement_id="s3", principal="*", **permit)
    assert again[:2] == ("ResourceConflictException", 409)
    latest = refusal(operations.permissions.add, **F, qualifier="$LATEST", statement_id="b", principal="*", **permit)
    assert latest[:2] == ("InvalidParameterValueException", 400)
    unknown = {**permit, "changes": {"Unheard": "of"}}
    refused = refusal(operations.permissions.add, **F, statement_id="c", principal="*", **unknown)
    assert refused[:2] == ("InvalidParameterValueException", 400)
    operations = reopen()
    policy = operations.permissions.get_policy(**F)
    assert json.loads(policy["Policy"])["Statement"] == [expected]
    of_alias = operations.permissions.get_policy(**F, qualifier="live")
    (statement,) = json.loads(of_alias["Policy"])["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::210987654321:root"}
    assert (statement["Resource"], of_alias["RevisionId"]) == (f"{ARN}:live", alias["RevisionId"])
    assert refusal(operations.permissions.remove, **F, statement_id="none")[:2] == NOT_FOUND
    operations.permissions.remove(**F, statement_id="s3")
    assert refusal(operations.permissions.get_policy, **F)[:2] == NOT_FOUND
    assert refusal(operations.permissions.remove, **F, statement_id="s3")[:2] == NOT_FOUND
    operations.aliases.delete(**F, name="live")
    operations.aliases.create(**F, name="live", function_version="1")
    assert refusal(operations.permissions.get_policy, **F, qualifier="live")[:2] == NOT_FOUND


@pytest.mark.fidelity("layers-shown")
def test_layers_in_use_are_shown(operations: Operations, spec: FunctionSpec, tmp_path: Path) -> None:
    assert operations.layers.list() == {"Layers": []}
    folder = tmp_path / "layer"
    folder.mkdir()
    for content in ("1", "22"):
        (folder / "lib.py").write_text(content)
        operations.template.update(dataclasses.replace(spec, layer_dirs=(folder,), layer_arns=(LAYER,)))
        operations.versions.publish(**F)
    (layer,) = operations.layers.list()["Layers"]
    assert (layer["LayerName"], layer["LayerArn"], layer["LatestMatchingVersion"]["Version"]) == ("Shared", LAYER, 2)
    for name in ("Shared", LAYER):
        versions = operations.layers.list_versions(layer_name=name)["LayerVersions"]
        assert [version["LayerVersionArn"] for version in versions] == [f"{LAYER}:2", f"{LAYER}:1"]
        body = operations.layers.get_version(layer_name=name, version_number=1)
        assert (body["LayerArn"], body["Version"], body["Content"]["CodeSize"]) == (LAYER, 1, 1)
    assert operations.layers.get_version_by_arn(arn=f"{LAYER}:1") == body
    for number in (0, 3):
        assert refusal(operations.layers.get_version, layer_name="Shared", version_number=number)[:2] == NOT_FOUND
    assert refusal(operations.layers.get_policy, layer_name="Shared", version_number=1)[:2] == NOT_FOUND
    assert operations.layers.list_versions(layer_name="Nobody") == {"LayerVersions": []}


@pytest.mark.fidelity("unused-features")
def test_what_no_function_has_is_answered_as_for_a_function_without(operations: Operations) -> None:
    unused, nobody = operations.unused, {"function_name": "nobody"}
    assert unused.get_code_signing(**F) == {}
    management = unused.get_runtime_management(**F)
    assert management == {"UpdateRuntimeOn": "Auto", "FunctionArn": f"{ARN}:$LATEST"}
    assert unused.get_recursion(**F) == {"RecursiveLoop": "Terminate"}
    for call in (unused.get_code_signing, unused.get_runtime_management, unused.get_recursion, unused.list_urls):
        assert refusal(call, **nobody)[:2] == NOT_FOUND
    assert refusal(unused.get_url, **F)[:2] == NOT_FOUND


@pytest.mark.fidelity("tags")
def test_tags_are_added_changed_removed_and_deployed(operations: Operations, spec: FunctionSpec) -> None:
    tags, before = operations.tags, operations.functions.get_configuration(**F)
    assert "Tags" not in operations.functions.get(**F)
    tags.add(resource=ARN, tags={"team": "risk", "stage": "dev"})
    tags.add(resource=ARN, tags={"stage": "prod"})
    tags.remove(resource=ARN, tag_keys=["team", "never there"])
    assert tags.list(resource=ARN) == {"Tags": {"stage": "prod"}}
    assert operations.functions.get(**F)["Tags"] == {"stage": "prod"}
    assert operations.functions.get_configuration(**F) == before, "tags make no revision"
    more = {f"tag-{number}": "" for number in range(50)}
    for call, arguments, refused in [
        (tags.list, {"resource": f"{ARN}:1"}, ("InvalidParameterValueException", 400)),
        (tags.list, {"resource": f"{ARN[:-5]}nobody"}, ("ResourceNotFoundException", 404)),
        (tags.add, {"resource": ARN, "tags": more}, ("InvalidParameterValueException", 400)),
    ]:
        assert refusal(call, **arguments)[:2] == refused
    operations.template.update(dataclasses.replace(spec, tag_values={"lambda:createdBy": "SAM"}))
    assert tags.list(resource=ARN) == {"Tags": {"lambda:createdBy": "SAM"}}
