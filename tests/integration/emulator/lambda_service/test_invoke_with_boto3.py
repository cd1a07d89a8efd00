"""Invoke with boto3: each kind of invocation, and its answer."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.emulator.lambda_client import invoke, until


@pytest.mark.fidelity("invoke-types")
def test_a_function_is_invoked_and_its_outcome_is_returned(client: Any) -> None:
    body, answer = invoke(client, "Plain", {"ä": [1]})
    assert (body["event"], body["version"], body["greeting"]) == ({"ä": [1]}, "$LATEST", "hello")
    assert body["request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    assert "LogResult" not in answer
    assert invoke(client, "Plain")[0]["event"] == {}
    assert invoke(client, "Plain", "text")[0]["event"] == "text"
    assert invoke(client, "Plain", {"act": "null"})[0] is None
    error, answer = invoke(client, "Plain", {"act": "raise"})
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "as asked")


def test_the_end_of_the_log_is_returned_if_asked_for(client: Any) -> None:
    _, answer = invoke(client, "Plain", {"act": "print", "text": "said here"}, LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert f"START RequestId: {request_id} Version: $LATEST" in log
    assert "said here" in log
    assert f"END RequestId: {request_id}" in log
    assert "Max Memory Used" in log
    _, answer = invoke(client, "Plain", {"act": "print", "text": "x" * 9000}, LogType="Tail")
    assert len(base64.b64decode(answer["LogResult"])) <= 4096


def test_a_client_context_reaches_the_function(client: Any) -> None:
    context = base64.b64encode(json.dumps({"custom": {"ü": "1\n2"}}).encode()).decode()
    assert invoke(client, "Plain", {}, ClientContext=context)[0]["custom"] == {"ü": "1\n2"}
    for wrong in ("no base64", base64.b64encode(b"[1]").decode(), "A" * 3600):
        with pytest.raises(client.exceptions.InvalidRequestContentException):
            invoke(client, "Plain", {}, ClientContext=wrong)


def test_a_qualifier_may_be_given_in_each_of_awss_ways(client: Any) -> None:
    arn = client.get_function_configuration(FunctionName="Published")["FunctionArn"]
    for function, more in (
        ("Published", {"Qualifier": "live"}), ("Published:live", {}), (f"{arn}:live", {}),
        ("Published:live", {"Qualifier": "live"}),
    ):  # fmt: skip
        body, answer = invoke(client, function, **more)
        assert (body["version"], answer["ExecutedVersion"], body["arn"]) == ("1", "1", f"{arn}:live")
    assert invoke(client, "Published", Qualifier="1")[0]["arn"] == f"{arn}:1"
    assert invoke(client, "Published")[0]["arn"] == arn
    assert invoke(client, "Published", Qualifier="$LATEST")[0]["version"] == "$LATEST"
    with pytest.raises(
        client.exceptions.InvalidParameterValueException, match="does not match the specified qualifier"
    ):
        invoke(client, "Published:live", Qualifier="1")
    for wrong in ("7", "nobody"):
        with pytest.raises(client.exceptions.ResourceNotFoundException, match="Function not found: arn:aws:lambda"):
            invoke(client, "Published", Qualifier=wrong)
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="function:Nobody"):
        invoke(client, "Nobody")


def test_a_dry_run_only_looks(client: Any) -> None:
    body, answer = invoke(client, "Plain", {"act": "raise"}, InvocationType="DryRun")
    assert (body, answer["StatusCode"]) == (None, 204)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        invoke(client, "Nobody", InvocationType="DryRun")


@pytest.mark.fidelity("invoke-event-refused")
def test_requests_over_the_limit_are_refused_and_the_largest_are_not(client: Any) -> None:
    for kind, limit, status in (("RequestResponse", 6_291_456, 200), ("Event", 1_048_576, 202)):
        largest = '"' + "x" * (limit - 2) + '"'
        request = {"FunctionName": "Changing", "InvocationType": kind}
        assert client.invoke(**request, Payload=largest)["StatusCode"] == status
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        with pytest.raises(client.exceptions.RequestTooLargeException, match=message):
            client.invoke(**request, Payload=largest + " ")


@pytest.mark.fidelity("invoke-event-refused")
def test_a_payload_that_isnt_json_is_refused(client: Any) -> None:
    for payload in (b"{", b"\xff", b"NaN", b"{} {}"):
        with pytest.raises(client.exceptions.InvalidRequestContentException, match="Could not parse request body"):
            client.invoke(FunctionName="Plain", Payload=payload)


@pytest.mark.parametrize(("failures", "attempts"), [(0, 1), (2, 3), (9, 3)])
@pytest.mark.fidelity("asynchronous-retries")
def test_an_event_is_accepted_at_once_and_tried_three_times(
    client: Any, server: Any, tmp_path: Path, failures: int, attempts: int
) -> None:
    log = tmp_path / "attempts"
    body, answer = invoke(client, "Plain", {"attempts": str(log), "failures": failures}, InvocationType="Event")
    assert (body, answer["StatusCode"], "ExecutedVersion" in answer) == (None, 202, False)
    until(lambda: log.exists() and len(log.read_text().splitlines()) == attempts)
    assert set(log.read_text().splitlines()) == {answer["ResponseMetadata"]["RequestId"]}
    if failures > attempts:
        until(lambda: f"event {answer['ResponseMetadata']['RequestId']} was dropped: it failed 3 times" in server.log)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        invoke(client, "Nobody", InvocationType="Event")


@pytest.mark.fidelity("asynchronous-retries")
def test_an_event_invoke_config_says_how_often_an_event_is_tried(client: Any, tmp_path: Path) -> None:
    function = {"FunctionName": "Plain"}
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function_event_invoke_config(**function)
    put = client.put_function_event_invoke_config(**function, MaximumRetryAttempts=0)
    assert put["MaximumRetryAttempts"] == 0
    updated = client.update_function_event_invoke_config(**function, MaximumEventAgeInSeconds=60)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (0, 60)
    assert client.get_function_event_invoke_config(**function)["MaximumEventAgeInSeconds"] == 60
    assert len(client.list_function_event_invoke_configs(**function)["FunctionEventInvokeConfigs"]) == 1
    once, later = tmp_path / "once", tmp_path / "later"
    invoke(client, "Plain", {"attempts": str(once), "failures": 9}, InvocationType="Event")
    until(once.exists)
    client.delete_function_event_invoke_config(**function)
    invoke(client, "Plain", {"attempts": str(later), "failures": 9}, InvocationType="Event")
    until(lambda: later.exists() and len(later.read_text().splitlines()) == 3)
    assert len(once.read_text().splitlines()) == 1
