"""The resources of a plain CloudFormation template: their properties resolved, their names and attributes.

What the SAM transform returned; what resources mean is for the modules that read functions and APIs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from emulator.template.intrinsics import NO_VALUE, IntrinsicError, Resolver
from emulator.template.project import UnsupportedError

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
STACK_NAME = "local"
# What a stack's first deployment publishes.
FIRST_VERSION = "1"
LOCAL_BUCKET = "emulator-local-path"
_WHOLE_NUMBER = re.compile("-?[0-9]{1,18}")
_NAMED_BY = {"AWS::Lambda::Function": "FunctionName", "AWS::ApiGatewayV2::Stage": "StageName"}


class TemplateReader:
    """Answers questions about one transformed template.

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
    extended : bool, optional
        The template asked for the language extensions.

    Attributes
    ----------
    notes : list of str
        What is left out without changing any answer; readers add to it.
    """

    def __init__(
        self, root: Path, template: Mapping[str, Any], values: Mapping[str, Any], region: str, *, extended: bool = False
    ) -> None:
        self._root = root
        self._region = region
        self._resources: dict[str, dict[str, Any]] = template["Resources"]
        self._values = values
        mappings, conditions = template.get("Mappings") or {}, template.get("Conditions") or {}
        self._resolver = Resolver(self.name, self.attribute, mappings, conditions, extended=extended)
        self.notes: list[str] = []

    def present(self) -> dict[str, str]:
        """Return logical id → type of each resource whose condition holds."""
        return {
            name: resource["Type"]
            for name, resource in self._resources.items()
            if "Condition" not in resource or self._resolver.holds(resource["Condition"])
        }

    def of_type(self, kind: str) -> list[str]:
        """Return the logical ids of the resources of a type whose condition holds."""
        return [name for name, found in self.present().items() if found == kind]

    def get(self, logical_id: str, name: str, default: Any = None) -> Any:
        """Return a resolved property of a resource; one that is AWS::NoValue is not there.

        Raises
        ------
        UnsupportedError
            It can't be resolved.
        """
        value = (self._resources[logical_id].get("Properties") or {}).get(name, default)
        try:
            resolved = self._resolver.resolve(value)
        except IntrinsicError as error:
            raise UnsupportedError(logical_id, name, str(error)) from error
        return default if resolved is NO_VALUE else resolved

    def number(self, logical_id: str, name: str, default: int, *, low: int, high: int) -> int:
        """Return a resolved property that AWS allows a range of whole numbers."""
        return whole_number(logical_id, name, self.get(logical_id, name, default), low=low, high=high)

    def refers_to(self, logical_id: str, name: str, target: str) -> bool:
        """Return whether a property is the name of another resource, or a reference to it."""
        value = (self._resources[logical_id].get("Properties") or {}).get(name)
        if value == {"Ref": target}:
            return True
        try:
            resolved = self._resolver.resolve(value)
        except IntrinsicError:
            return False
        is_function = self._resources[target]["Type"] == "AWS::Lambda::Function"
        return bool(resolved == self.name(target) or (is_function and resolved == self.attribute(target, "Arn")))

    def local_dir(self, logical_id: str, name: str, code: Any) -> Path:
        """Return the folder that a ``Code`` or ``Content`` property means.

        Raises
        ------
        UnsupportedError
            It is inline, in S3, or there is no such folder. Names the property that SAM has for it.
        """
        where = code if isinstance(code, str) else None
        if isinstance(code, dict) and code.get("S3Bucket") == LOCAL_BUCKET:
            where = unquote(code["S3Key"])
        if where is None:
            raise UnsupportedError(logical_id, name, "only code in a local folder can be run, not inline or in S3")
        folder = (self._root / where).resolve()
        if not folder.is_dir():
            raise UnsupportedError(logical_id, name, f"there is no folder {folder}")
        return folder

    def name(self, name: str) -> Any:
        """Return what ``Ref`` gives for a parameter or a resource."""
        if name in self._values:
            return self._values[name]
        resource = self._resources.get(name)
        if resource is None:
            raise IntrinsicError(f"Ref {name!r} names no parameter and no resource")
        match resource["Type"]:
            case "AWS::Lambda::Alias" | "AWS::Lambda::Version":
                function = str(self.get(name, "FunctionName"))
                arn = function if function.startswith("arn:") else self._function_arn(function)
                return f"{arn}:{self.get(name, 'Name', FIRST_VERSION)}"
            case "AWS::Lambda::LayerVersion":
                return f"arn:aws:lambda:{self._region}:{ACCOUNT_ID}:layer:{name}:1"
            case "AWS::Lambda::Function" | "AWS::ApiGatewayV2::Stage" as kind:
                return str(self.get(name, _NAMED_BY[kind], name))
            case "AWS::S3::Bucket":
                return str(self.get(name, "BucketName") or f"{STACK_NAME}-{name}").lower()
            case _:
                return name

    def attribute(self, logical_id: str, attribute: str) -> Any:
        """Return what ``Fn::GetAtt`` gives."""
        resource = self._resources.get(logical_id)
        if resource is None:
            raise IntrinsicError(f"Fn::GetAtt {logical_id}.{attribute} names no resource")
        name = self.name(logical_id)
        known = {
            ("AWS::Lambda::Function", "Arn"): self._function_arn(name),
            ("AWS::Lambda::Version", "Version"): FIRST_VERSION,
            ("AWS::Lambda::Version", "FunctionArn"): name,
            ("AWS::Lambda::Alias", "AliasArn"): name,
            ("AWS::Lambda::LayerVersion", "LayerVersionArn"): name,
            ("AWS::S3::Bucket", "Arn"): f"arn:aws:s3:::{name}",
            ("AWS::S3::Bucket", "DomainName"): f"{name}.s3.amazonaws.com",
            ("AWS::IAM::Role", "Arn"): f"arn:aws:iam::{ACCOUNT_ID}:role/{name}",
            ("AWS::ApiGatewayV2::Api", "ApiId"): name,
            ("AWS::ApiGatewayV2::Api", "ApiEndpoint"): f"https://{name}.execute-api.{self._region}.amazonaws.com",
            ("AWS::ApiGatewayV2::Authorizer", "AuthorizerId"): name,
            ("AWS::ApiGatewayV2::Integration", "IntegrationId"): name,
            ("AWS::Logs::LogGroup", "Arn"): f"arn:aws:logs:{self._region}:{ACCOUNT_ID}:log-group:{name}:*",
        }
        if (resource["Type"], attribute) not in known:
            raise IntrinsicError(f"Fn::GetAtt {logical_id}.{attribute} ({resource['Type']}) is not imitated")
        return known[resource["Type"], attribute]

    def _function_arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._region}:{ACCOUNT_ID}:function:{name}"


def whole_number(resource: str, name: str, value: Any, *, low: int, high: int) -> int:
    """Return a value as a whole number of a range.

    Raises
    ------
    UnsupportedError
        It is none, or outside of the range.
    """
    text = str(value)
    number = int(text) if _WHOLE_NUMBER.fullmatch(text) else low - 1
    if not low <= number <= high:
        raise UnsupportedError(resource, name, f"must be a whole number from {low} to {high}, not {value!r}")
    return number
