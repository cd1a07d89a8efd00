"""The second stage of reading a template: its conditions and intrinsic functions, in one pass. Pure.

Each resource gets the name and the ARN that it would have on AWS, as far as the emulator knows them; for types that it
doesn't imitate, likely ones. The third stage, `emulator.template.read`, turns the resources into functions and APIs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from emulator.template.errors import UnsupportedError
from emulator.template.left_out import LeftOutParts
from emulator.template.load import LoadedTemplate
from emulator.template.project import ACCOUNT_ID, STACK_NAME
from emulator.template.resolving.intrinsics import IntrinsicError, Resolver
from emulator.template.resolving.likely_names import likely_attribute, likely_ref, name_property
from emulator.template.values import Reference

# The version that a stack's first deployment publishes.
_FIRST_VERSION = "1"
_NAMED_BY = {
    "AWS::Lambda::Function": "FunctionName",
    "AWS::ApiGatewayV2::Stage": "StageName",
    "AWS::Events::Rule": "Name",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
}
# Types whose ARN other properties may hold, or events show.
_WITH_ARN = (
    "AWS::Lambda::Function",
    "AWS::Events::Rule",
    "AWS::Scheduler::Schedule",
    "AWS::KinesisFirehose::DeliveryStream",
)


# Beginnings of the types whose names and attributes are as the emulator has them.
IMITATED = (
    "AWS::Lambda::", "AWS::ApiGatewayV2::", "AWS::IAM::Role", "AWS::Logs::", "AWS::S3::Bucket", "AWS::Events::Rule",
    "AWS::Scheduler::Schedule", "AWS::KinesisFirehose::", "AWS::CodeDeploy::",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource whose condition holds.

    Its properties are plain values, with a `Reference` where a value is another resource's name or attribute, and an
    `emulator.template.values.Unresolvable` where it isn't known.
    """

    type: str
    properties: Mapping[str, Any]
    # The value of ``Ref`` of it.
    name: str
    # For the types of `_WITH_ARN`.
    arn: str | None = None
    update_policy: Mapping[str, Any] = field(default_factory=dict)


def resolve_template(template: LoadedTemplate, left_out: LeftOutParts | None = None) -> dict[str, Resource]:
    """Return the resources by logical id, in the template's order, without those whose condition doesn't hold.

    Those that can't be resolved are left out. The template's placeholders note values that are only likely; a strict
    ``left_out`` allows no likely attributes.
    """
    return _Stack(template, left_out or LeftOutParts()).resources()


def resolve_outputs(template: LoadedTemplate) -> dict[str, Mapping[str, Any]]:
    """Return the outputs by name, without those whose condition doesn't hold; values are as in `Resource`."""
    return _Stack(template, LeftOutParts()).outputs()


class _Stack:
    """Resolves one template, with the names and attributes of its resources."""

    def __init__(self, template: LoadedTemplate, left_out: LeftOutParts) -> None:
        self._placeholders = template.placeholders
        self._left_out = left_out
        self._values = template.values
        self._region = template.values["AWS::Region"]
        self._scope = {"region": self._region, "account": ACCOUNT_ID}
        self._resources: Mapping[str, Mapping[str, Any]] = template.document["Resources"]
        self._names: dict[str, str | None] = {}
        mappings, conditions = template.document.get("Mappings") or {}, template.document.get("Conditions") or {}
        self._outputs: Mapping[str, Any] = template.document.get("Outputs") or {}
        self._resolver = Resolver(
            self._ref,
            self._attribute,
            mappings,
            conditions,
            extended=template.extended,
            placeholders=self._placeholders,
        )

    def resources(self) -> dict[str, Resource]:
        resources = {}
        for name, resource in self._resources.items():
            with self._left_out.leaving_out("the resource is left out"):
                if self._is_present(name, resource):
                    resources[name] = self._resource(name, resource)
        return resources

    def outputs(self) -> dict[str, Mapping[str, Any]]:
        outputs = {}
        for name, output in self._outputs.items():
            with self._left_out.leaving_out("the output is left out"):
                if isinstance(output, Mapping) and self._is_present(name, output):
                    resolved = self._resolver.resolve_document(output)
                    # An intrinsic function in place of a whole output is a value that isn't known.
                    outputs[name] = resolved if isinstance(resolved, Mapping) else {"Value": resolved}
        return outputs

    def _is_present(self, logical_id: str, resource: Mapping[str, Any]) -> bool:
        try:
            return "Condition" not in resource or self._resolver.holds(resource["Condition"])
        except IntrinsicError as error:
            raise UnsupportedError(logical_id, "Condition", str(error)) from error

    def _resource(self, logical_id: str, resource: Mapping[str, Any]) -> Resource:
        properties = self._resolver.resolve_document(resource.get("Properties") or {})
        name = self._name(logical_id)
        arn = str(self._attribute(logical_id, "Arn")) if resource["Type"] in _WITH_ARN else None
        update_policy = self._resolver.resolve_document(resource.get("UpdatePolicy") or {})
        return Resource(resource["Type"], properties, name, arn, update_policy)

    def _ref(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if name not in self._resources:
            raise IntrinsicError(f"Ref {name!r} names no parameter and no resource")
        return self._likely_reference(name, likely_ref(self._type(name), self._name(name), self._scope))

    def _likely_reference(self, logical_id: str, text: str) -> Reference:
        kind = self._type(logical_id)
        if not kind.startswith(IMITATED):
            self._placeholders.note_likely(text, f"{logical_id} ({kind})")
        return Reference(logical_id, text)

    def _type(self, logical_id: str) -> str:
        return str(self._resources[logical_id]["Type"])

    def _name(self, logical_id: str) -> str:
        """Return a resource's name; it is made at the first call."""
        if logical_id not in self._names:
            self._names[logical_id] = None
            self._names[logical_id] = self._make_name(logical_id)
        name = self._names[logical_id]
        if name is None:
            place = _NAMED_BY.get(self._type(logical_id), "Name")
            raise UnsupportedError(logical_id, place, f"the name of {logical_id} depends on itself")
        return name

    def _make_name(self, logical_id: str) -> str:
        match self._type(logical_id):
            case "AWS::Lambda::Alias" | "AWS::Lambda::Version":
                function = str(self._property(logical_id, "FunctionName"))
                arn = function if function.startswith("arn:") else self._function_arn(function)
                return f"{arn}:{self._property(logical_id, 'Name') or _FIRST_VERSION}"
            case "AWS::Lambda::LayerVersion":
                name = self._property(logical_id, "LayerName") or logical_id
                return f"arn:aws:lambda:{self._region}:{ACCOUNT_ID}:layer:{name}:1"
            case "AWS::S3::Bucket":
                named = self._property(logical_id, "BucketName")
                # A placeholder is no name for a bucket that is made here.
                is_known = isinstance(named, str) and self._placeholders.mark(named) == named
                return (named if is_known else f"{STACK_NAME}-{logical_id}").lower()
            case kind if kind in _NAMED_BY:
                return str(self._property(logical_id, _NAMED_BY[kind]) or logical_id)
            case kind if kind.startswith(IMITATED):
                return logical_id
            case kind:
                names = [name for name in map(partial(self._property, logical_id), name_property(kind)) if name]
                return str(names[0]) if names and isinstance(names[0], str) else f"{STACK_NAME}-{logical_id}"

    def _property(self, logical_id: str, name: str) -> Any:
        """Return a property that a resource's name is made of; None if the resource doesn't have it."""
        properties = self._resolver.resolve([(self._resources[logical_id].get("Properties") or {}).get(name)])
        return properties[0] if properties else None

    def _attribute(self, logical_id: str, attribute: str) -> Any:
        if logical_id not in self._resources:
            raise IntrinsicError(f"Fn::GetAtt {logical_id}.{attribute} names no resource")
        kind, name = self._type(logical_id), self._name(logical_id)
        texts = {
            ("AWS::Lambda::Function", "Arn"): self._function_arn(name),
            ("AWS::Lambda::Version", "Version"): _FIRST_VERSION,
            ("AWS::Lambda::Version", "FunctionArn"): name,
            ("AWS::Lambda::Alias", "AliasArn"): name,
            ("AWS::Lambda::LayerVersion", "LayerVersionArn"): name,
            ("AWS::S3::Bucket", "Arn"): f"arn:aws:s3:::{name}",
            ("AWS::S3::Bucket", "DomainName"): f"{name}.s3.amazonaws.com",
            ("AWS::S3::Bucket", "RegionalDomainName"): f"{name}.s3.{self._region}.amazonaws.com",
            ("AWS::IAM::Role", "Arn"): f"arn:aws:iam::{ACCOUNT_ID}:role/{name}",
            ("AWS::ApiGatewayV2::Api", "ApiId"): name,
            ("AWS::ApiGatewayV2::Api", "ApiEndpoint"): f"https://{name}.execute-api.{self._region}.amazonaws.com",
            ("AWS::ApiGatewayV2::Authorizer", "AuthorizerId"): name,
            ("AWS::ApiGatewayV2::Integration", "IntegrationId"): name,
            ("AWS::Events::Rule", "Arn"): f"arn:aws:events:{self._region}:{ACCOUNT_ID}:rule/{name}",
            (
                "AWS::Scheduler::Schedule",
                "Arn",
            ): f"arn:aws:scheduler:{self._region}:{ACCOUNT_ID}:schedule/default/{name}",
            ("AWS::KinesisFirehose::DeliveryStream", "Arn"): (
                f"arn:aws:firehose:{self._region}:{ACCOUNT_ID}:deliverystream/{name}"
            ),
            ("AWS::Logs::LogGroup", "Arn"): f"arn:aws:logs:{self._region}:{ACCOUNT_ID}:log-group:{name}:*",
        }
        if (kind, attribute) in texts:
            return Reference(logical_id, texts[kind, attribute])
        likely = None
        if not self._left_out.strict and not kind.startswith(IMITATED):
            likely = likely_attribute(kind, name, attribute, self._scope)
        if likely is None:
            raise IntrinsicError(f"Fn::GetAtt {logical_id}.{attribute} ({kind}) is not imitated")
        return self._likely_reference(logical_id, likely)

    def _function_arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._region}:{ACCOUNT_ID}:function:{name}"
