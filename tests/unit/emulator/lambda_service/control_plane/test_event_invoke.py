"""Retries and destinations of asynchronous events, as AWS answers and refuses."""

from __future__ import annotations

import dataclasses

import pytest

from emulator.lambda_service.control_plane.operations import Operations
from emulator.template.project import FunctionSpec
from tests.unit.emulator.lambda_service.control_plane.refusals import ARN, F, refusal


@pytest.mark.fidelity("asynchronous-retries")
def test_the_templates_retries_are_deployed(operations: Operations, spec: FunctionSpec) -> None:
    retrying = dataclasses.replace(spec, event_invoke={"$LATEST": {"MaximumRetryAttempts": 0}})
    assert operations.template.update(retrying) is not None
    assert operations.event_invoke.get(**F)["MaximumRetryAttempts"] == 0
    # As long as the template is unchanged, a change by the API stays.
    operations.event_invoke.put(**F, changes={"MaximumRetryAttempts": 1})
    assert operations.template.update(retrying) is None
    assert operations.event_invoke.get(**F)["MaximumRetryAttempts"] == 1


def test_event_invoke_configurations(operations: Operations) -> None:
    put, get = (
        operations.event_invoke.put,
        operations.event_invoke.get,
    )
    missing = refusal(get, **F)
    assert missing == (
        "ResourceNotFoundException", 404, f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig",
    )  # fmt: skip
    assert refusal(put, **F, changes={})[:2] == ("InvalidParameterValueException", 400)
    assert refusal(put, **F, qualifier="live", changes={"MaximumRetryAttempts": 1})[1] == 404
    made = put(**F, changes={"MaximumRetryAttempts": 0})
    assert (made["FunctionArn"], made["MaximumRetryAttempts"]) == (f"{ARN}:$LATEST", 0)
    operations.event_invoke.update(**F, changes={"MaximumEventAgeInSeconds": 60})
    assert (get(**F)["MaximumRetryAttempts"], get(**F)["MaximumEventAgeInSeconds"]) == (0, 60)
    put(**F, changes={"MaximumEventAgeInSeconds": 61})
    assert "MaximumRetryAttempts" not in get(**F)
    assert len(operations.event_invoke.list(**F)["FunctionEventInvokeConfigs"]) == 1
    operations.event_invoke.delete(**F)
    assert refusal(operations.event_invoke.delete, **F)[1] == 404


@pytest.mark.parametrize(
    ("kind", "destination", "message"),
    [
        ("OnFailure", "arn:aws:sqs:eu-west-1:123456789012:queue", None),
        ("OnFailure", "arn:aws:s3:::bucket", None),
        ("OnFailure", f"{ARN[:-5]}other", None),
        ("OnFailure", f"{ARN[:-5]}other:7", "The destination ARN"),
        ("OnSuccess", f"{ARN[:-5]}nobody", "The destination ARN"),
        ("OnSuccess", ARN, "You can't specify the function as a destination for itself."),
        ("OnSuccess", "arn:aws:s3:::bucket", "The provided destination config DestinationConfig("
         "onSuccess=OnSuccess(destination=arn:aws:s3:::bucket), onFailure=null) is invalid."),
        ("OnFailure", "kafka://topic", "The provided destination config"),
    ],
)  # fmt: skip
@pytest.mark.fidelity("destinations")
def test_destinations_are_checked(
    operations: Operations, spec: FunctionSpec, kind: str, destination: str, message: str | None
) -> None:
    operations.template.update(dataclasses.replace(spec, name="other"))
    changes = {"DestinationConfig": {kind: {"Destination": destination}}}
    if message is None:
        assert operations.event_invoke.put(**F, changes=changes)["DestinationConfig"][kind]
    else:
        refused = refusal(operations.event_invoke.put, **F, changes=changes)
        assert refused[:2] == ("InvalidParameterValueException", 400)
        assert refused[2].startswith(message)
