"""Every imitated operation, driven by boto3 and held against botocore's model: parameters, answers, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.operations import open_operations
from emulator.lambda_service.data_plane.running_version import utc_now
from tests.integration.emulator.lambda_client import ONE_ATTEMPT
from tests.integration.emulator.lambda_service.operation_cases import CASES, Case

pytestmark = pytest.mark.fidelity("operations-model")

MODEL = ServiceModel(Loader().load_service_model("lambda", "service-2"))
CREDENTIALS = {"region_name": "us-east-1", "aws_access_key_id": "any", "aws_secret_access_key": "any"}
# The model says 200.
STATUS = {"DeleteFunction": 204}
# Members that the model requires and recorded answers of AWS lack: those of a function without code signing.
NOT_ON_AWS = {
    "GetFunctionCodeSigningConfig": [
        "GetFunctionCodeSigningConfig.CodeSigningConfigArn is missing",
        "GetFunctionCodeSigningConfig.FunctionName is missing",
    ]
}
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Shared: {Type: AWS::Lambda::LayerVersion, Properties: {Content: layer}}
  Plain:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: code, Layers: [!Ref Shared], Tags: {team: risk}}
"""
TYPES: dict[str, Any] = {
    "string": str, "integer": int, "long": int, "boolean": bool, "timestamp": (int, float), "double": (int, float),
    "float": (int, float), "structure": dict, "map": dict, "list": list,
}  # fmt: skip


def required_beside_path(name: str) -> list[str]:
    """Return the members of an operation's input that the model requires in the body or in the query."""
    shape = MODEL.operation_model(name).input_shape
    return [member for member in shape.required_members if shape.members[member].serialization.get("location") != "uri"]


@dataclass
class Raw:
    """An answer as it came, before boto3 reads it."""

    status: int = 0
    body: bytes = b""
    headers: Any = None


class Api:
    """boto3's client of a running emulator, which keeps the last answer as it came."""

    def __init__(self, url: str) -> None:
        self.raw = Raw()
        self.client = boto3.client("lambda", endpoint_url=url, config=ONE_ATTEMPT, **CREDENTIALS)
        self.client.meta.events.register("before-parse.lambda", self._keep)
        self.client.meta.events.register("before-call.lambda", self._strip)
        self.leaves_out = False

    def _keep(self, response_dict: dict[str, Any], **_: Any) -> None:
        self.raw = Raw(response_dict["status_code"], response_dict["body"], response_dict["headers"])

    def _strip(self, model: OperationModel, params: dict[str, Any], **_: Any) -> None:
        if self.leaves_out:
            # Some operations are known by a part of the query.
            _, mark, query = model.http["requestUri"].partition("?")
            params.update(body=b"", url=params["url"].partition("?")[0] + mark + query)

    def call(self, operation: str, function: str, parameters: dict[str, Any]) -> Any:
        """Call an operation; a function's name, or the ARN of a resource with tags, is added."""
        members = MODEL.operation_model(operation).input_shape.members
        arn = f"arn:aws:lambda:us-east-1:123456789012:function:{parameters.get('FunctionName', function)}"
        added = {"FunctionName": function, "Resource": arn}
        named = {name: value for name, value in {**added, **parameters}.items() if name in members}
        return getattr(self.client, xform_name(operation))(**named)


@pytest.fixture(scope="module")
def api(start_for_module: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("project")
    for name in ("code/app.py", "layer/lib.py"):
        (folder / name).parent.mkdir()
        (folder / name).write_text("def handler(event, context):\n    return 1\n")
    (folder / "template.yaml").write_text(TEMPLATE)
    template = str(folder / "template.yaml")
    made = Api(start_for_module("start-lambda", "-p", "0", "-t", template, "--update-time", "0").url)
    yield made
    made.client.close()


def test_every_imitated_operation_has_a_case() -> None:
    operations = open_operations(None, ArnScope("us-east-1", "123456789012"), utc_now)
    imitated = {"Invoke", *operations.table()}
    operations.close()
    assert CASES.keys() == imitated, "each operation needs a case in operation_cases.py"


@pytest.mark.parametrize("name", sorted(CASES))
def test_an_answer_has_the_shape_that_the_model_says(api: Api, name: str) -> None:
    case, operation = CASES[name], MODEL.operation_model(name)
    prepare(api, name, case)
    if case.always is not None:
        with pytest.raises(ClientError):
            api.call(name, name, case.parameters)
        check_error(api.raw, operation, case.always)
        return
    api.call(name, name, case.parameters)
    assert api.raw.status == STATUS.get(name, operation.http.get("responseCode", 200))
    if operation.output_shape is None or api.raw.status == 204:
        assert api.raw.body == b""
    elif "payload" not in operation.output_shape.serialization:
        assert api.raw.headers["Content-Type"] == "application/json"
        assert sorted(problems(operation.output_shape, json.loads(api.raw.body), name)) == NOT_ON_AWS.get(name, [])


@pytest.mark.parametrize("name", sorted(name for name, case in CASES.items() if case.refused and not case.always))
def test_a_refusal_is_one_of_the_errors_that_the_model_says(api: Api, name: str) -> None:
    case = CASES[name]
    assert case.refused is not None
    with pytest.raises(ClientError) as refused:
        api.call(name, name, {**case.parameters, **case.refused})
    assert refused.type.__name__ == refused.value.response["Error"]["Code"], "boto3 has an exception for it"
    check_error(api.raw, MODEL.operation_model(name), refused.value.response["Error"]["Code"])


@pytest.mark.parametrize("name", sorted(name for name in CASES if required_beside_path(name)))
def test_what_the_model_requires_must_be_there(api: Api, name: str) -> None:
    api.leaves_out = True
    try:
        with pytest.raises(ClientError, match=r"validation errors? detected") as refused:
            api.call(name, name, CASES[name].parameters)
    finally:
        api.leaves_out = False
    error = refused.value.response["Error"]
    assert (api.raw.status, error["Code"]) == (400, "ValidationException")
    for member in required_beside_path(name):
        assert f"Value null at '{member[0].lower()}{member[1:]}'" in error["Message"]


def prepare(api: Api, name: str, case: Case) -> None:
    for operation, parameters in case.before:
        api.call(operation, name, parameters)


def check_error(raw: Raw, operation: OperationModel, code: str) -> None:
    assert raw.headers["x-amzn-errortype"] == code
    assert raw.headers["x-amzn-requestid"]
    (shape,) = [shape for shape in operation.error_shapes if shape.name == code]
    assert raw.status == shape.metadata["error"]["httpStatusCode"]
    body = json.loads(raw.body)
    assert body.keys() >= {name for name, member in shape.members.items() if "location" not in member.serialization}
    assert body["Message"]


def problems(shape: Any, value: Any, where: str) -> Iterator[str]:
    """Yield what in a JSON value the model's shape doesn't have, or has and isn't there."""
    if not isinstance(value, TYPES[shape.type_name]) or isinstance(value, bool) != (shape.type_name == "boolean"):
        yield f"{where} is {value!r}, not of type {shape.type_name}"
    elif shape.type_name == "structure":
        in_body = {name for name, member in shape.members.items() if "location" not in member.serialization}
        yield from (f"{where}.{name} isn't in the model" for name in value.keys() - in_body)
        yield from (f"{where}.{name} is missing" for name in set(shape.required_members) & in_body - value.keys())
        for name in value.keys() & in_body:
            yield from problems(shape.members[name], value[name], f"{where}.{name}")
    elif shape.type_name == "map":
        for name, member in value.items():
            yield from problems(shape.value, member, f"{where}.{name}")
    elif shape.type_name == "list":
        for number, member in enumerate(value):
            yield from problems(shape.member, member, f"{where}[{number}]")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{where} is {value!r}, not one of {shape.enum}"
