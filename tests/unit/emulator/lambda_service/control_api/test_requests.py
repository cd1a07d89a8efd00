"""How requests are matched to operations, and how their parameters are read and checked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.lambda_service.control_api.operations_table import find_operation
from emulator.lambda_service.control_api.parameters import gather
from emulator.lambda_service.errors import LambdaApiError

FUNCTION = "/2015-03-31/functions/f"
EVENTS = "/2019-09-25/functions/f/event-invoke-config"
PROVISIONED = "/2019-09-30/functions/f/provisioned-concurrency"


def operation(method: str, path: str, **query: str) -> tuple[Any, dict[str, str]]:
    match = find_operation(method, path, {key: [value] for key, value in query.items()})
    assert match is not None
    return match


def parameters(method: str, path: str, body: object = None, **query: str) -> dict[str, object]:
    which, in_path = operation(method, path, **query)
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return gather(which.input_shape, in_path, {key: [value] for key, value in query.items()}, raw)


@pytest.mark.parametrize(
    ("method", "path", "query", "name"),
    [
        ("GET", "/2015-03-31/functions", {}, "ListFunctions"),
        ("GET", "/2015-03-31/functions/", {}, "ListFunctions"),
        ("GET", FUNCTION, {"Qualifier": "1"}, "GetFunction"),
        ("POST", f"{FUNCTION}/invocations", {}, "Invoke"),
        ("PUT", f"{FUNCTION}/aliases/live", {}, "UpdateAlias"),
        ("GET", PROVISIONED, {"Qualifier": "1"}, "GetProvisionedConcurrencyConfig"),
        ("GET", PROVISIONED, {"List": "ALL"}, "ListProvisionedConcurrencyConfigs"),
        ("PUT", "/2017-10-31/functions/f/concurrency", {}, "PutFunctionConcurrency"),
        ("GET", "/2016-08-19/account-settings", {}, "GetAccountSettings"),
        ("POST", "/2015-03-31/functions", {}, "CreateFunction"),
    ],
)  # fmt: skip
def test_an_operation_is_found_by_method_path_and_query(
    method: str, path: str, query: dict[str, str], name: str
) -> None:
    assert operation(method, path, **query)[0].name == name


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("PATCH", FUNCTION), ("GET", "/2020-01-01/functions/f")])
def test_an_unknown_operation_is_not_found(method: str, path: str) -> None:
    assert find_operation(method, path, {}) is None


def test_parameters_of_the_path_are_decoded() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
    for encoded in (arn, arn.replace(":", "%3A")):
        assert operation("GET", f"/2015-03-31/functions/{encoded}")[1] == {"FunctionName": arn}


def test_a_list_in_the_query_has_all_of_its_values() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
    which, in_path = operation("DELETE", f"/2017-03-31/tags/{arn}")
    expected = {"Resource": arn, "TagKeys": ["a", "b"]}
    assert gather(which.input_shape, in_path, {"tagKeys": ["a", "b"]}, b"") == expected
    with pytest.raises(LambdaApiError, match="Value null at 'tagKeys' failed to satisfy constraint"):
        gather(which.input_shape, in_path, {}, b"")


def test_parameters_come_from_path_query_and_body() -> None:
    routing = {"AdditionalVersionWeights": {"2": 0.1}}
    body = {"FunctionVersion": "1", "RoutingConfig": routing, "Unknown": 1, "Description": None}
    assert parameters("PUT", f"{FUNCTION}/aliases/live", body) == {
        "FunctionName": "f", "Name": "live", "FunctionVersion": "1", "RoutingConfig": routing,
    }  # fmt: skip
    assert parameters("GET", "/2015-03-31/functions", MaxItems="5")["MaxItems"] == 5


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1]", b'{"Publish": "yes"}', b'{"ZipFile": 1}', b"\xff", b'{"S3Key": "\\ud800"}', b'{"\\uD800": 1}'],
)
@pytest.mark.fidelity("model-limits")
def test_a_value_of_another_type_is_a_serialization_error(body: bytes) -> None:
    with pytest.raises(LambdaApiError) as refused:
        parameters("PUT", f"{FUNCTION}/code", body)
    assert (refused.value.code, refused.value.status) == ("SerializationException", 400)


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", f"{FUNCTION}/aliases", {"Name": "x"}, "Value null at 'functionVersion' failed to satisfy constraint"),
        ("POST", f"{FUNCTION}/aliases", {"Name": "1", "FunctionVersion": "1"}, "satisfy regular expression pattern"),
        ("PUT", f"{FUNCTION}/configuration", {"Timeout": 0}, "Value '0' at 'timeout' failed to satisfy constraint: "
         "Member must have value greater than or equal to 1"),
        ("PUT", f"{FUNCTION}/configuration", {"Description": "x" * 257}, "have length less than or equal to 256"),
        ("PUT", f"{FUNCTION}/configuration", {"TracingConfig": {"Mode": "x"}}, "at 'tracingConfig.mode' failed"),
        ("PUT", f"{FUNCTION}/aliases/a", {"RoutingConfig": {"AdditionalVersionWeights": {"1": 2}}}, "equal to 1.0"),
        ("GET", "/2015-03-31/functions/a%20b", None, "at 'functionName' failed to satisfy constraint"),
    ],
)  # fmt: skip
@pytest.mark.fidelity("model-limits")
def test_a_value_outside_its_limits_is_a_validation_error(method: str, path: str, body: object, message: str) -> None:
    with pytest.raises(LambdaApiError) as refused:
        parameters(method, path, body)
    assert (refused.value.code, refused.value.status) == ("ValidationException", 400)
    assert refused.value.message.startswith("1 validation error detected: Value ")
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Timeout": 0}, "ValidationException"),
        ({"Timeout": True}, "SerializationException"),
        ({"MemorySize": 127}, "ValidationException"),
        ({"EphemeralStorage": {"Size": 511}}, "ValidationException"),
        ({"Handler": "a b"}, "ValidationException"),
        ({"Handler": "x" * 129}, "ValidationException"),
        ({"Description": "x" * 257}, "ValidationException"),
        ({"SnapStart": {"ApplyOn": "Always"}}, "ValidationException"),
        ({"LoggingConfig": {"LogFormat": "XML"}}, "ValidationException"),
        ({"Environment": {"Variables": {"1A": "x"}}}, "ValidationException"),
        ({"Environment": {"Variables": {"A_B": 1}}}, "SerializationException"),
    ],
)
def test_configurations_outside_the_models_limits_are_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(LambdaApiError) as refused:
        parameters("PUT", f"{FUNCTION}/configuration", changes)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Name": "12"}, "ValidationException"),
        ({"Name": "a b"}, "ValidationException"),
        ({"Name": "x" * 129}, "ValidationException"),
        ({"FunctionVersion": "live"}, "ValidationException"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"2": 1.01}}}, "ValidationException"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"2": -0.1}}}, "ValidationException"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"2": True}}}, "SerializationException"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"live": 0.1}}}, "ValidationException"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"$LATEST": 0.1}}}, "ValidationException"),
    ],
)
@pytest.mark.fidelity("alias-weights")
def test_aliases_outside_the_models_limits_are_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(LambdaApiError) as refused:
        parameters("POST", f"{FUNCTION}/aliases", {"Name": "live", "FunctionVersion": "1", **changes})
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("path", "body", "query"),
    [
        ("/2017-10-31/functions/f/concurrency", {"ReservedConcurrentExecutions": -1}, {}),
        (PROVISIONED, {"ProvisionedConcurrentExecutions": 0}, {"Qualifier": "1"}),
        (PROVISIONED, {"ProvisionedConcurrentExecutions": 1}, {}),
        (PROVISIONED, {"ProvisionedConcurrentExecutions": 1}, {"Qualifier": "li ve"}),
        (EVENTS, {"MaximumRetryAttempts": 3}, {}),
        (EVENTS, {"MaximumEventAgeInSeconds": 59}, {}),
    ],
)
def test_concurrency_and_retries_outside_the_models_limits_are_refused(
    path: str, body: dict[str, object], query: dict[str, str]
) -> None:
    with pytest.raises(LambdaApiError) as refused:
        parameters("PUT", path, body, **query)
    assert refused.value.code == "ValidationException"


def test_all_problems_are_named_at_once_and_secrets_are_masked() -> None:
    body = {"Timeout": 0, "Environment": {"Variables": {"not a name": "s3cret"}}}
    with pytest.raises(LambdaApiError) as refused:
        parameters("PUT", f"{FUNCTION}/configuration", body)
    assert refused.value.message.startswith("2 validation errors detected: ")
    assert "s3cret" not in refused.value.message


def test_a_body_that_never_ends_isnt_an_object() -> None:
    with pytest.raises(LambdaApiError) as refused:
        parameters("PUT", "/2017-10-31/functions/f/concurrency", b'{"a":' * 100_000)
    assert (refused.value.code, refused.value.status) == ("SerializationException", 400)
