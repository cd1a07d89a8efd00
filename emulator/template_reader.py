"""Plain CloudFormation, as the SAM transform returns it, read into a `Project`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from emulator.intrinsics import NO_VALUE, IntrinsicError, Resolver
from emulator.project import ANY_METHOD, DEFAULT_ROUTE, FunctionSpec, HttpApi, HttpRoute, Project
from emulator.project import UnsupportedError as Unsupported

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
STACK_NAME = "local"
# What a stack's first deployment publishes.
FIRST_VERSION = "1"
LOCAL_BUCKET = "emulator-local-path"
_INTEGRATION_FUNCTION = re.compile(
    r"functions/arn:[^:]+:lambda:[^:]*:[^:]*:function:([^:/]+)(?::([^:/]+))?/invocations$"
)
_ROUTE_PATH = re.compile(r"(/[^{}/]*|/\{[^{}/+]+\})*(/\{[^{}/+]+\+\})?$")
# What Lambda's API shows of a function and the emulator has no other use for.
_SHOWN_PROPERTIES = (
    "Architectures", "DeadLetterConfig", "Description", "EphemeralStorage", "LoggingConfig", "Role", "TracingConfig",
)  # fmt: skip
_VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REFUSED_TYPES = {
    "AWS::ApiGateway::RestApi": "REST APIs are not imitated; use AWS::Serverless::HttpApi and HttpApi events",
    "AWS::Serverless::Application": "nested applications are not imitated",
    "AWS::CloudFormation::Stack": "nested stacks are not imitated",
}


class TemplateReader:
    """Reads one transformed template.

    Parameters
    ----------
    root : Path
        What local paths are relative to.
    template : mapping
        Plain CloudFormation, as the transform returns it.
    values : mapping
        Parameters and pseudo parameters.
    region : str
        For ARNs.
    """

    def __init__(self, root: Path, template: Mapping[str, Any], values: Mapping[str, Any], region: str) -> None:
        self._root = root
        self._region = region
        self._resources: dict[str, dict[str, Any]] = template["Resources"]
        self._values = values
        mappings, conditions = template.get("Mappings") or {}, template.get("Conditions") or {}
        self._resolver = Resolver(self._name, self._attribute, mappings, conditions)
        self._notes: list[str] = []

    def project(self) -> Project:
        """Return what the template comes down to."""
        present = {
            name: resource
            for name, resource in self._resources.items()
            if "Condition" not in resource or self._resolver.holds(resource["Condition"])
        }
        for name, resource in present.items():
            if resource["Type"] in _REFUSED_TYPES:
                raise Unsupported(name, "Type", _REFUSED_TYPES[resource["Type"]])
        of_type = {
            kind: [name for name, resource in present.items() if resource["Type"] == kind]
            for kind in ("AWS::Lambda::Function", "AWS::ApiGatewayV2::Api", "AWS::S3::Bucket")
        }
        functions = {name: self._function(name) for name in of_type["AWS::Lambda::Function"]}
        apis = [self._api(name, functions) for name in of_type["AWS::ApiGatewayV2::Api"]]
        buckets = tuple(str(self._name(name)) for name in of_type["AWS::S3::Bucket"])
        return Project(functions, tuple(api for api in apis if api.routes), buckets, tuple(self._notes))

    def _get(self, logical_id: str, name: str, default: Any = None) -> Any:
        """Return a resolved property of a resource; one that is AWS::NoValue is not there."""
        value = (self._resources[logical_id].get("Properties") or {}).get(name, default)
        try:
            resolved = self._resolver.resolve(value)
        except IntrinsicError as error:
            raise Unsupported(logical_id, name, str(error)) from error
        return default if resolved is NO_VALUE else resolved

    def _number(self, logical_id: str, name: str, default: int, *, low: int, high: int) -> int:
        """Return a resolved property that AWS allows a range of whole numbers."""
        value = self._get(logical_id, name, default)
        try:
            number = int(str(value))
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise Unsupported(logical_id, name, f"must be a whole number from {low} to {high}, not {value!r}")
        return number

    def _function(self, logical_id: str) -> FunctionSpec:
        if self._get(logical_id, "PackageType", "Zip") != "Zip":
            raise Unsupported(logical_id, "PackageType", "only Zip functions are imitated: images need Docker")
        runtime = str(self._get(logical_id, "Runtime", ""))
        if not runtime.startswith("python3."):
            raise Unsupported(logical_id, "Runtime", f"{runtime or 'none'}: only Python functions are imitated")
        logging = self._get(logical_id, "LoggingConfig", {})
        variables = self._get(logical_id, "Environment", {}).get("Variables", {})
        reserved = self._get(logical_id, "ReservedConcurrentExecutions")
        layers = self._layers(logical_id)
        alias = self._alias_of(logical_id)
        provisioned = None if alias is None else self._get(alias, "ProvisionedConcurrencyConfig")
        return FunctionSpec(
            logical_id=logical_id,
            name=str(self._name(logical_id)),
            code_dir=self._local_dir(logical_id, "CodeUri", self._get(logical_id, "Code")),
            handler=str(self._get(logical_id, "Handler", "")),
            runtime=runtime,
            layer_dirs=tuple(folder for _, folder in layers),
            layer_arns=tuple(arn for arn, _ in layers),
            environment={str(name): _text(value) for name, value in variables.items()},
            timeout_s=self._number(logical_id, "Timeout", 3, low=1, high=900),
            memory_mb=self._number(logical_id, "MemorySize", 128, low=128, high=10_240),
            snap_start=self._get(logical_id, "SnapStart", {}).get("ApplyOn") == "PublishedVersions",
            alias=None if alias is None else str(self._get(alias, "Name")),
            log_format=str(logging.get("LogFormat", "Text")),
            log_level=logging.get("ApplicationLogLevel"),
            reserved_concurrency=None if reserved is None else int(reserved),
            provisioned_concurrency=provisioned and int(provisioned["ProvisionedConcurrentExecutions"]),
            properties=self._shown_properties(logical_id),
        )

    def _shown_properties(self, logical_id: str) -> dict[str, Any]:
        """Return what can be resolved; what can't, such as an ARN of a queue, changes no answer."""
        shown = {}
        for name in _SHOWN_PROPERTIES:
            with contextlib.suppress(Unsupported):
                shown[name] = self._get(logical_id, name)
        return {name: value for name, value in shown.items() if value is not None}

    def _layers(self, logical_id: str) -> list[tuple[str, Path]]:
        known = {
            self._name(name): name
            for name, resource in self._resources.items()
            if resource["Type"] == "AWS::Lambda::LayerVersion"
        }
        found: list[tuple[str, Path]] = []
        for arn in self._get(logical_id, "Layers", []):
            if arn in known:
                folder = self._local_dir(known[arn], "ContentUri", self._get(known[arn], "Content"))
                found.append((arn.rpartition(":")[0], folder))
            else:
                self._notes.append(f"{logical_id}: the layer {arn} is not in the template; what it holds must be "
                                   "importable in this Python")  # fmt: skip
        return found

    def _alias_of(self, function: str) -> str | None:
        for name, resource in self._resources.items():
            if resource["Type"] == "AWS::Lambda::Alias" and self._refers_to(name, "FunctionName", function):
                return name
        return None

    def _refers_to(self, logical_id: str, name: str, target: str) -> bool:
        return bool((self._resources[logical_id].get("Properties") or {}).get(name) == {"Ref": target})

    def _local_dir(self, logical_id: str, name: str, code: Any) -> Path:
        where = code if isinstance(code, str) else None
        if isinstance(code, dict) and code.get("S3Bucket") == LOCAL_BUCKET:
            where = unquote(code["S3Key"])
        if where is None:
            raise Unsupported(logical_id, name, "only code in a local folder can be run, not inline or in S3")
        folder = (self._root / where).resolve()
        if not folder.is_dir():
            raise Unsupported(logical_id, name, f"there is no folder {folder}")
        return folder

    def _api(self, logical_id: str, functions: Mapping[str, FunctionSpec]) -> HttpApi:
        if self._get(logical_id, "ProtocolType", "HTTP") != "HTTP":
            raise Unsupported(logical_id, "ProtocolType", "only HTTP APIs are imitated")
        body = self._get(logical_id, "Body")
        if not isinstance(body, dict):
            raise Unsupported(logical_id, "DefinitionUri", "write the definition inline, with DefinitionBody")
        if "x-amazon-apigateway-cors" in body:
            self._notes.append(f"{logical_id}: CorsConfiguration is not imitated yet")
        by_name = {spec.name: spec for spec in functions.values()}
        routes = [
            self._route(logical_id, path, verb, operation, by_name)
            for path, operations in (body.get("paths") or {}).items()
            for verb, operation in operations.items()
            if verb == "x-amazon-apigateway-any-method" or verb.upper() in _VERBS
        ]
        stages = [
            name
            for name, resource in self._resources.items()
            if resource["Type"] == "AWS::ApiGatewayV2::Stage" and self._refers_to(name, "ApiId", logical_id)
        ]
        stage = str(self._get(stages[0], "StageName", DEFAULT_ROUTE)) if stages else DEFAULT_ROUTE
        variables = self._get(stages[0], "StageVariables", {}) if stages else {}
        return HttpApi(logical_id, tuple(routes), stage, {name: _text(one) for name, one in variables.items()})

    def _route(
        self, api: str, path: str, verb: str, operation: Mapping[str, Any], functions: Mapping[str, FunctionSpec]
    ) -> HttpRoute:
        method = ANY_METHOD if verb.startswith("x-") else verb.upper()
        where = f"Body, {method} {path}"
        if operation.get("security"):
            raise Unsupported(api, where, "authorizers are not imitated yet")
        integration = operation.get("x-amazon-apigateway-integration") or {}
        match = _INTEGRATION_FUNCTION.search(str(integration.get("uri", "")))
        if integration.get("type") != "aws_proxy" or match is None or match[1] not in functions:
            raise Unsupported(api, where, "only integrations with a function of this template are imitated")
        if str(integration.get("payloadFormatVersion", "1.0")) != "2.0":
            raise Unsupported(api, where, "only payload format 2.0 is imitated")
        is_default = path.lstrip("/") == DEFAULT_ROUTE
        if not is_default and _ROUTE_PATH.fullmatch(path) is None:
            raise Unsupported(api, where, "the path has a parameter that is not a whole segment")
        return HttpRoute(
            method=method,
            path=DEFAULT_ROUTE if is_default else path,
            function=functions[match[1]].logical_id,
            qualifier=match[2],
            timeout_s=float(integration.get("timeoutInMillis", 30_000)) / 1000,
        )

    def _name(self, name: str) -> Any:
        """Return what ``Ref`` gives for a parameter or a resource."""
        if name in self._values:
            return self._values[name]
        resource = self._resources.get(name)
        if resource is None:
            raise IntrinsicError(f"Ref {name!r} names no parameter and no resource")
        match resource["Type"]:
            case "AWS::Lambda::Alias" | "AWS::Lambda::Version":
                return f"{self._function_arn(self._get(name, 'FunctionName'))}:{self._get(name, 'Name', FIRST_VERSION)}"
            case "AWS::Lambda::LayerVersion":
                return f"arn:aws:lambda:{self._region}:{ACCOUNT_ID}:layer:{name}:1"
            case "AWS::Lambda::Function":
                return str(self._get(name, "FunctionName", name))
            case "AWS::S3::Bucket":
                return str(self._get(name, "BucketName") or f"{STACK_NAME}-{name}").lower()
            case _:
                return name

    def _function_arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._region}:{ACCOUNT_ID}:function:{name}"

    def _attribute(self, logical_id: str, attribute: str) -> Any:
        """Return what ``Fn::GetAtt`` gives."""
        resource = self._resources.get(logical_id)
        if resource is None:
            raise IntrinsicError(f"Fn::GetAtt {logical_id}.{attribute} names no resource")
        name = self._name(logical_id)
        known = {
            ("AWS::Lambda::Function", "Arn"): self._function_arn(name),
            ("AWS::Lambda::Version", "Version"): FIRST_VERSION,
            ("AWS::S3::Bucket", "Arn"): f"arn:aws:s3:::{name}",
            ("AWS::S3::Bucket", "DomainName"): f"{name}.s3.amazonaws.com",
            ("AWS::IAM::Role", "Arn"): f"arn:aws:iam::{ACCOUNT_ID}:role/{name}",
            ("AWS::ApiGatewayV2::Api", "ApiEndpoint"): f"https://{name}.execute-api.{self._region}.amazonaws.com",
            ("AWS::Logs::LogGroup", "Arn"): f"arn:aws:logs:{self._region}:{ACCOUNT_ID}:log-group:{name}:*",
        }
        if (resource["Type"], attribute) not in known:
            raise IntrinsicError(f"Fn::GetAtt {logical_id}.{attribute} ({resource['Type']}) is not imitated")
        return known[resource["Type"], attribute]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
