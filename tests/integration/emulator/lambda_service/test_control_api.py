"""Lambda's API with an unchanged boto3: every operation, and each refusal as boto3's own exception for it."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.emulator.lambda_client import NAMES, ONE_ATTEMPT, invoke, saying, until, wait_for_version

pytestmark = pytest.mark.fidelity("boto3-operations")


def test_functions_are_listed_and_described(client: Any) -> None:
    assert [function["FunctionName"] for function in client.list_functions()["Functions"]] == NAMES
    paged = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["Functions"]) for page in paged] == [2, 2, 1]
    every = client.list_functions(FunctionVersion="ALL")["Functions"]
    assert {"$LATEST", "1"} <= {function["Version"] for function in every if function["FunctionName"] == "Published"}
    body = client.get_function(FunctionName="Plain")
    configuration = body["Configuration"]
    assert configuration["Environment"]["Variables"]["GREETING"] == "hello"
    assert (configuration["Timeout"], configuration["MemorySize"], configuration["State"]) == (5, 256, "Active")
    assert body["Code"]["RepositoryType"] == "S3"
    arn = configuration["FunctionArn"]
    for name in (arn, arn.removeprefix("arn:aws:lambda:us-east-1:")):
        assert client.get_function_configuration(FunctionName=name)["FunctionName"] == "Plain"
    alias = client.get_function_configuration(FunctionName="Published", Qualifier="live")
    assert (alias["Version"], alias["FunctionArn"].rpartition(":")[2]) == ("1", "live")


def test_code_and_configuration_become_versions_that_aliases_point_to(client: Any) -> None:
    function = {"FunctionName": "Changing"}
    first_code = saying("one")
    dry = client.update_function_code(**function, ZipFile=first_code, DryRun=True)
    assert dry["CodeSha256"] == base64.b64encode(hashlib.sha256(first_code).digest()).decode()
    assert invoke(client, "Changing")[0] != "one"
    updated = client.update_function_code(**function, ZipFile=first_code)
    client.get_waiter("function_updated_v2").wait(**function)
    assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "InProgress")
    assert updated["LastUpdateStatusReasonCode"] == "Creating"
    assert (updated["Version"], updated["CodeSize"]) == ("$LATEST", len(first_code))
    assert invoke(client, "Changing")[0] == "one"
    first = client.publish_version(**function, Description="the first", CodeSha256=updated["CodeSha256"])
    wait_for_version(client, "Changing", first["Version"])
    assert (first["Description"], first["ResponseMetadata"]["HTTPStatusCode"]) == ("the first", 201)
    assert client.publish_version(**function)["Version"] == first["Version"], "nothing had changed"
    second = client.update_function_code(**function, ZipFile=saying("two"), Publish=True)
    assert int(second["Version"]) == int(first["Version"]) + 1
    assert (second["State"], second["StateReasonCode"]) == ("Pending", "Creating")
    wait_for_version(client, "Changing", second["Version"])
    client.get_waiter("function_updated_v2").wait(**function)
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.publish_version(**function, CodeSha256=updated["CodeSha256"])
    versions = [version["Version"] for version in client.list_versions_by_function(**function)["Versions"]]
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
    assert [alias["Name"] for alias in client.list_aliases(**function)["Aliases"]] == ["prod"]
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


@pytest.mark.fidelity("update-in-progress")
def test_a_second_update_is_refused_until_the_first_one_is_done(start: Any, functions: Path) -> None:
    template = str(functions / "control" / "template.yaml")
    server = start("start-lambda", "Plain", "-p", "0", "-t", template, "--update-time", "3600")
    client = boto3.client("lambda", endpoint_url=server.url, config=ONE_ATTEMPT)
    assert client.update_function_configuration(FunctionName="Plain", Timeout=4)["LastUpdateStatus"] == "InProgress"
    with pytest.raises(client.exceptions.ResourceConflictException, match="An update is in progress for resource"):
        client.update_function_code(FunctionName="Plain", ZipFile=saying("more"))
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.publish_version(FunctionName="Plain")
    assert invoke(client, "Plain")[1]["StatusCode"] == 200
    client.close()


@pytest.mark.fidelity("code-upload")
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


@pytest.mark.fidelity("code-location")
def test_code_is_fetched_from_its_address_and_can_be_deployed_again(client: Any, server: Any) -> None:
    location = client.get_function(FunctionName="Published", Qualifier="live")["Code"]["Location"]
    assert location.startswith(f"{server.url}/")
    answer = server.get(location.removeprefix(server.url))
    assert (answer.status, answer.header("Content-Type")) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.read("app.py").startswith(b'"""')
    client.update_function_code(FunctionName="Plain", ZipFile=answer.body)
    client.get_waiter("function_updated_v2").wait(FunctionName="Plain")
    assert client.get_function(FunctionName="Plain")["Code"]["Location"] == location
    assert server.get("/_code/none.zip").header("X-Amzn-ErrorType") == "ResourceNotFoundException"


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


@pytest.mark.fidelity("throttled-invoke")
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


def test_the_account_reports_its_limits_and_usage(client: Any) -> None:
    settings = client.get_account_settings()
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert settings["AccountUsage"]["FunctionCount"] >= 4
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="UnreservedConcurrentExecution"):
        client.put_function_concurrency(FunctionName="Limited", ReservedConcurrentExecutions=901)


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


@pytest.mark.fidelity("operations-not-imitated")
def test_an_answer_names_what_isnt_imitated(client: Any) -> None:
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
@pytest.mark.fidelity("error-members")
def test_every_refusal_names_its_error_and_its_request(
    server: Any, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    answer = server.get(path, method, body)
    assert (answer.status, answer.header("X-Amzn-ErrorType")) == (status, code)
    assert answer.header("x-amzn-RequestId")
    assert answer.header("Content-Type") == "application/json"
    assert set(answer.json) == {"Type", "Message", "message"}


def test_an_unknown_kind_of_invocation_is_refused(server: Any) -> None:
    for header in ("X_Amz_Invocation_Type", "X_Amz_Log_Type"):
        answer = server.get("/2015-03-31/functions/Plain/invocations", "POST", b"{}", **{header: "Odd"})
        assert (answer.status, answer.header("X-Amzn-ErrorType")) == (400, "ValidationException")
        assert "Member must satisfy enum value set" in answer.json["Message"]
