"""Lambda's API with boto3, as it comes: every operation, and every refusal as the exception that boto3 has for it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ONE_ATTEMPT = Config(retries={"max_attempts": 0}, read_timeout=60)
NAMES = ["Changing", "Doomed", "Limited", "Plain", "Published"]
PATIENCE_S = 20


@pytest.fixture(scope="module")
def server(start_for_module: Callable[..., Any], functions: Path, local_bucket_url: str) -> Any:
    return start_for_module(
        "start-lambda", "-p", "0", "-t", str(functions / "control" / "template.yaml"),
        "--s3-endpoint", local_bucket_url, "--async-retry-waits", "0.05,0.1", "--concurrency", "200",
    )  # fmt: skip


@pytest.fixture
def client(server: Any) -> Iterator[Any]:
    client = boto3.client("lambda", endpoint_url=server.url, config=ONE_ATTEMPT)
    yield client
    client.close()


def package(source: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("app.py", source)
    return target.getvalue()


def saying(word: str) -> bytes:
    return package(f"def handler(event, context):\n    return {word!r}\n")


def invoke(client: Any, function: str, event: Any = None, **more: Any) -> tuple[Any, Any]:
    """Return the function's answer and Lambda's."""
    payload = {} if event is None else {"Payload": json.dumps(event)}
    answer = client.invoke(FunctionName=function, **payload, **more)
    content = answer["Payload"].read()
    return json.loads(content) if content else None, answer


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def test_functions_are_listed_and_described(client: Any) -> None:
    assert [one["FunctionName"] for one in client.list_functions()["Functions"]] == NAMES
    paged = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["Functions"]) for page in paged] == [2, 2, 1]
    every = client.list_functions(FunctionVersion="ALL")["Functions"]
    assert {"$LATEST", "1"} <= {one["Version"] for one in every if one["FunctionName"] == "Published"}
    found = client.get_function(FunctionName="Plain")
    configuration = found["Configuration"]
    assert configuration["Environment"]["Variables"] == {"GREETING": "hello"}
    assert (configuration["Timeout"], configuration["MemorySize"], configuration["State"]) == (5, 256, "Active")
    assert found["Code"]["RepositoryType"] == "S3"
    arn = configuration["FunctionArn"]
    for name in (arn, arn.removeprefix("arn:aws:lambda:us-east-1:")):
        assert client.get_function_configuration(FunctionName=name)["FunctionName"] == "Plain"
    alias = client.get_function_configuration(FunctionName="Published", Qualifier="live")
    assert (alias["Version"], alias["FunctionArn"].rpartition(":")[2]) == ("1", "live")


def test_a_function_is_invoked_and_says_how_it_went(client: Any) -> None:
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


def test_requests_over_the_limit_are_refused_and_the_largest_are_not(client: Any) -> None:
    for kind, limit, status in (("RequestResponse", 6_291_456, 200), ("Event", 1_048_576, 202)):
        largest = '"' + "x" * (limit - 2) + '"'
        asked = {"FunctionName": "Changing", "InvocationType": kind}
        assert client.invoke(**asked, Payload=largest)["StatusCode"] == status
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        with pytest.raises(client.exceptions.RequestTooLargeException, match=message):
            client.invoke(**asked, Payload=largest + " ")


def test_what_is_no_json_is_refused(client: Any) -> None:
    for payload in (b"{", b"\xff", b"NaN", b"{} {}"):
        with pytest.raises(client.exceptions.InvalidRequestContentException, match="Could not parse request body"):
            client.invoke(FunctionName="Plain", Payload=payload)


@pytest.mark.parametrize(("failures", "attempts"), [(0, 1), (2, 3), (9, 3)])
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


def test_code_and_configuration_become_versions_that_aliases_point_to(client: Any) -> None:
    function = {"FunctionName": "Changing"}
    first_code = saying("one")
    dry = client.update_function_code(**function, ZipFile=first_code, DryRun=True)
    assert dry["CodeSha256"] == base64.b64encode(hashlib.sha256(first_code).digest()).decode()
    assert invoke(client, "Changing")[0] != "one"
    updated = client.update_function_code(**function, ZipFile=first_code)
    client.get_waiter("function_updated_v2").wait(**function)
    assert (updated["Version"], updated["CodeSize"]) == ("$LATEST", len(first_code))
    assert invoke(client, "Changing")[0] == "one"
    first = client.publish_version(**function, Description="the first", CodeSha256=updated["CodeSha256"])
    client.get_waiter("published_version_active").wait(**function, Qualifier=first["Version"])
    assert (first["Description"], first["ResponseMetadata"]["HTTPStatusCode"]) == ("the first", 201)
    assert client.publish_version(**function)["Version"] == first["Version"], "nothing had changed"
    second = client.update_function_code(**function, ZipFile=saying("two"), Publish=True)
    assert int(second["Version"]) == int(first["Version"]) + 1
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.publish_version(**function, CodeSha256=updated["CodeSha256"])
    versions = [one["Version"] for one in client.list_versions_by_function(**function)["Versions"]]
    assert versions == ["$LATEST", first["Version"], second["Version"]]
    assert invoke(client, "Changing", Qualifier=first["Version"])[0] == "one"
    assert invoke(client, "Changing", Qualifier=second["Version"])[0] == "two"

    alias = client.create_alias(**function, Name="prod", FunctionVersion=first["Version"], Description="d")
    assert alias["ResponseMetadata"]["HTTPStatusCode"] == 201
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.create_alias(**function, Name="prod", FunctionVersion=first["Version"])
    weighted = client.update_alias(
        **function, Name="prod", RoutingConfig={"AdditionalVersionWeights": {second["Version"]: 0.5}}
    )
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.update_alias(**function, Name="prod", Description="x", RevisionId=alias["RevisionId"])
    drawn = Counter(
        (answer["ExecutedVersion"], body) for body, answer in (invoke(client, "Changing:prod") for _ in range(60))
    )
    assert set(drawn) == {(first["Version"], "one"), (second["Version"], "two")}
    assert client.get_alias(**function, Name="prod")["RevisionId"] == weighted["RevisionId"]
    assert [one["Name"] for one in client.list_aliases(**function)["Aliases"]] == ["prod"]
    client.update_alias(**function, Name="prod", RoutingConfig={"AdditionalVersionWeights": {}})
    assert {invoke(client, "Changing:prod")[0] for _ in range(10)} == {"one"}
    assert client.delete_alias(**function, Name="prod")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_alias(**function, Name="prod")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        invoke(client, "Changing:prod")


def test_a_configuration_changes_for_the_next_request(client: Any) -> None:
    changed = client.update_function_configuration(
        FunctionName="Limited", Environment={"Variables": {"GREETING": "bye"}}, Timeout=1, Description="shorter"
    )
    client.get_waiter("function_updated_v2").wait(FunctionName="Limited")
    assert (changed["Timeout"], changed["Description"]) == (1, "shorter")
    assert invoke(client, "Limited")[0]["greeting"] == "bye"
    error, answer = invoke(client, "Limited", {"act": "sleep", "s": 3})
    assert (answer["FunctionError"], error["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert invoke(client, "Limited:live")[0]["greeting"] is None, "a published version does not change"
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.update_function_configuration(FunctionName="Limited", Timeout=2, RevisionId="0" * 36)


def test_code_comes_from_a_bucket_too(client: Any, local_bucket_url: str) -> None:
    s3 = boto3.client("s3", endpoint_url=local_bucket_url)
    s3.create_bucket(Bucket="code-of-functions")
    s3.put_object(Bucket="code-of-functions", Key="a/b.zip", Body=saying("from a bucket"))
    s3.close()
    client.update_function_code(FunctionName="Doomed", S3Bucket="code-of-functions", S3Key="a/b.zip")
    client.get_waiter("function_updated_v2").wait(FunctionName="Doomed")
    assert invoke(client, "Doomed")[0] == "from a bucket"
    for key, code in (("none", "NoSuchKey"), ("x" * 1024, "NoSuchKey")):
        with pytest.raises(client.exceptions.InvalidParameterValueException, match=f"S3 Error Code: {code}"):
            client.update_function_code(FunctionName="Doomed", S3Bucket="code-of-functions", S3Key=key)


def test_code_that_cant_be_used_is_refused_and_changes_nothing(client: Any) -> None:
    before = client.get_function_configuration(FunctionName="Plain")["RevisionId"]
    outside = io.BytesIO()
    with zipfile.ZipFile(outside, "w") as archive:
        archive.writestr("../outside.py", "")
    for code in (b"no zip", outside.getvalue()):
        with pytest.raises(client.exceptions.InvalidParameterValueException, match="Could not unzip uploaded file"):
            client.update_function_code(FunctionName="Plain", ZipFile=code)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.update_function_code(FunctionName="Nobody", ZipFile=saying("x"))
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="ImageUri"):
        client.update_function_code(FunctionName="Plain", ImageUri="image")
    assert client.get_function_configuration(FunctionName="Plain")["RevisionId"] == before


def test_reserved_concurrency_throttles(client: Any) -> None:
    function = {"FunctionName": "Limited"}
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(**function)
    put = client.put_function_concurrency(**function, ReservedConcurrentExecutions=0)
    assert put["ReservedConcurrentExecutions"] == 0
    assert client.get_function_concurrency(**function)["ReservedConcurrentExecutions"] == 0
    assert client.get_function(**function)["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    with pytest.raises(client.exceptions.TooManyRequestsException, match=r"Rate Exceeded\.") as throttled:
        invoke(client, "Limited")
    answer = throttled.value.response
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert (answer["Type"], answer["retryAfterSeconds"]) == ("User", "1")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert invoke(client, "Limited", InvocationType="Event")[1]["StatusCode"] == 202
    deleted = client.delete_function_concurrency(**function)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert invoke(client, "Limited")[1]["StatusCode"] == 200


def test_the_account_says_what_it_has(client: Any) -> None:
    settings = client.get_account_settings()
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 200
    assert settings["AccountUsage"]["FunctionCount"] >= 4
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="UnreservedConcurrentExecution"):
        client.put_function_concurrency(FunctionName="Limited", ReservedConcurrentExecutions=150)


def test_provisioned_concurrency_is_allocated(client: Any) -> None:
    which = {"FunctionName": "Published", "Qualifier": "live"}
    with pytest.raises(client.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        client.get_provisioned_concurrency_config(**which)
    put = client.put_provisioned_concurrency_config(**which, ProvisionedConcurrentExecutions=2)
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert put["RequestedProvisionedConcurrentExecutions"] == 2
    until(lambda: client.get_provisioned_concurrency_config(**which)["Status"] == "READY")
    listed = client.list_provisioned_concurrency_configs(FunctionName="Published")
    assert len(listed["ProvisionedConcurrencyConfigs"]) == 1
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.put_provisioned_concurrency_config(
            FunctionName="Published", Qualifier="$LATEST", ProvisionedConcurrentExecutions=1
        )
    client.delete_provisioned_concurrency_config(**which)
    assert client.list_provisioned_concurrency_configs(FunctionName="Published")["ProvisionedConcurrencyConfigs"] == []


def test_a_deleted_version_and_a_deleted_function_are_gone(client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_function(FunctionName="Doomed", Qualifier="1")
    client.delete_alias(FunctionName="Doomed", Name="live")
    assert client.delete_function(FunctionName="Doomed", Qualifier="1")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        invoke(client, "Doomed:1")
    client.delete_function(FunctionName="Doomed")
    for call in (client.get_function, client.delete_function, client.list_aliases, client.invoke):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            call(FunctionName="Doomed")


def test_what_is_not_imitated_says_so(client: Any) -> None:
    with pytest.raises(ClientError) as refused:
        client.create_function_url_config(FunctionName="Plain", AuthType="NONE")
    error = refused.value.response
    assert error["Error"]["Code"] == "NotImplementedException"
    assert "does not imitate CreateFunctionUrlConfig. It imitates: " in error["Error"]["Message"]
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert error["ResponseMetadata"]["RetryAttempts"] == 0
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="parameter PublishTo"):
        client.publish_version(FunctionName="Plain", PublishTo="LATEST_PUBLISHED")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nothing", None, 404, "UnknownOperationException"),
        ("PUT", "/2015-03-31/functions/Plain/code", b"{", 400, "SerializationException"),
        ("PUT", "/2015-03-31/functions/Plain/code", b"{}", 400, "InvalidParameterValueException"),
        ("PUT", "/2015-03-31/functions/Plain/configuration", b'{"Timeout": 0}', 400, "ValidationException"),
        ("GET", "/2015-03-31/functions?MaxItems=0", None, 400, "ValidationException"),
        ("GET", "/2015-03-31/functions?MaxItems=x", None, 400, "SerializationException"),
        ("GET", "/2015-03-31/functions/a%20b", None, 400, "ValidationException"),
        ("POST", "/2015-03-31/functions/Plain/invocations", b"{", 400, "InvalidRequestContentException"),
    ],
)  # fmt: skip
def test_every_refusal_names_its_error_and_its_request(
    server: Any, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    answer = server.get(path, method, body)
    assert (answer.status, answer.header("X-Amzn-ErrorType")) == (status, code)
    assert answer.header("x-amzn-RequestId")
    assert answer.header("Content-Type") == "application/json"
    assert set(answer.json) == {"Type", "Message"}


def test_an_unknown_kind_of_invocation_is_refused(server: Any) -> None:
    for header in ("X_Amz_Invocation_Type", "X_Amz_Log_Type"):
        answer = server.get("/2015-03-31/functions/Plain/invocations", "POST", b"{}", **{header: "Odd"})
        assert (answer.status, answer.header("X-Amzn-ErrorType")) == (400, "ValidationException")
        assert "Member must satisfy enum value set" in answer.json["Message"]
