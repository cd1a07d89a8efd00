"""CloudFormation's operations that read: they show the running template as a stack that was created at the start."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from emulator.lambda_service.errors import LambdaApiError
from emulator.pages import TokenError, page
from emulator.stack_api.http_apis import LocalUrls
from emulator.stack_api.wire import list_parameter
from emulator.template.stack.values import Stack, StackOutput, StackParameter, StackResource

_STATUS = "CREATE_COMPLETE"
_PAGE = 100
_NAMED_RESOURCES = frozenset(("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::Group"))
_Parameters = Mapping[str, str]


class StackOperations:
    """The operations on one stack; each takes the parameters of the query API and returns the answer's members.

    Parameters
    ----------
    stack : Stack
        The template's.
    names : sequence of str
        The names that the stack answers to, its own first.
    arn : callable
        Returns the ARN of a stack of this name.
    created : datetime
        When the emulator started.
    urls : LocalUrls
        Replaces the HTTP APIs' addresses on AWS in outputs.
    """

    def __init__(
        self,
        stack: Stack,
        names: Sequence[str],
        arn: Callable[[str], str],
        created: dt.datetime,
        urls: LocalUrls,
    ) -> None:
        self._stack = stack
        self._names = names
        self._arn = arn
        self._created = created
        self._urls = urls
        self.table: Mapping[str, Callable[[_Parameters], Mapping[str, Any]]] = {
            "DescribeStacks": self._describe_stacks,
            "DescribeStackResource": self._describe_resource,
            "DescribeStackResources": self._describe_resources,
            "GetTemplate": self._get_template,
            "GetTemplateSummary": self._get_summary,
            "ListStackResources": self._list_resources,
            "ListStacks": self._list_stacks,
        }
        """By name."""

    def _describe_stacks(self, parameters: _Parameters) -> Mapping[str, Any]:
        name = self._named(parameters) if parameters.get("StackName") else self._names[0]
        stack = {
            **self._identity(name),
            "Description": self._stack.document.get("Description"),
            "Parameters": [_parameter(parameter) for parameter in self._stack.parameters],
            "CreationTime": self._created,
            "RollbackConfiguration": {},
            "StackStatus": _STATUS,
            "DisableRollback": False,
            "NotificationARNs": [],
            "Capabilities": _capabilities(self._stack.resources),
            # Fidelity: a stack without outputs has no such member.
            "Outputs": [self._output(output) for output in self._stack.outputs] or None,
            "Tags": [],
            "EnableTerminationProtection": False,
        }
        return {"Stacks": [stack]}

    def _list_stacks(self, parameters: _Parameters) -> Mapping[str, Any]:
        statuses = list_parameter(parameters, "StackStatusFilter")
        summary = {**self._identity(self._names[0]), "CreationTime": self._created, "StackStatus": _STATUS}
        return {"StackSummaries": [summary] if not statuses or _STATUS in statuses else []}

    def _list_resources(self, parameters: _Parameters) -> Mapping[str, Any]:
        self._named(parameters)
        resources = [self._resource(resource, "LastUpdatedTimestamp") for resource in self._stack.resources]
        try:
            summaries, token = page(resources, parameters.get("NextToken"), _PAGE)
        except TokenError as error:
            raise _invalid(f"The specified NextToken {error} is not valid") from error
        return {"StackResourceSummaries": summaries, "NextToken": token}

    def _describe_resources(self, parameters: _Parameters) -> Mapping[str, Any]:
        resources: Collection[StackResource] = self._stack.resources
        physical_id, logical_id = parameters.get("PhysicalResourceId"), parameters.get("LogicalResourceId")
        name = self._names[0]
        if parameters.get("StackName"):
            name = self._named(parameters)
        elif physical_id is None:
            raise _invalid("Either StackName or PhysicalResourceId must be given")
        elif all(resource.physical_id != physical_id for resource in resources):
            raise _invalid(f"Stack for {physical_id} does not exist")
        # Fidelity: by a resource's physical id, the whole stack of it is described.
        chosen = [resource for resource in resources if logical_id in (None, resource.logical_id)]
        if logical_id is not None and not chosen:
            raise _invalid(f"Resource {logical_id} does not exist for stack {name}")
        return {"StackResources": [{**self._identity(name), **self._resource(resource)} for resource in chosen[:_PAGE]]}

    def _describe_resource(self, parameters: _Parameters) -> Mapping[str, Any]:
        name, logical_id = self._named(parameters), parameters.get("LogicalResourceId")
        for resource in self._stack.resources:
            if resource.logical_id == logical_id:
                detail = self._resource(resource, "LastUpdatedTimestamp")
                return {"StackResourceDetail": {**self._identity(name), **detail, "Metadata": "{}"}}
        raise _invalid(f"Resource {logical_id} does not exist for stack {name}")

    def _get_template(self, parameters: _Parameters) -> Mapping[str, Any]:
        self._named(parameters)
        if parameters.get("TemplateStage") == "Processed" or self._stack.source is None:
            body = json.dumps(self._stack.document, indent=2, default=str)
        else:
            body = self._stack.source.read_text(encoding="utf-8-sig")
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    def _get_summary(self, parameters: _Parameters) -> Mapping[str, Any]:
        if not parameters.get("StackName"):
            raise _invalid("The emulator summarises the running template alone: name it with StackName")
        self._named(parameters)
        document = self._stack.document
        return {
            "Parameters": [_declaration(parameter) for parameter in self._stack.parameters],
            "Description": document.get("Description"),
            "Capabilities": _capabilities(self._stack.resources),
            "ResourceTypes": sorted({resource.type for resource in self._stack.resources}),
            "Version": str(document.get("AWSTemplateFormatVersion") or "2010-09-09"),
        }

    def _named(self, parameters: _Parameters) -> str:
        """Return the stack's name in a request; raise the service's error if there is no such stack."""
        asked = parameters.get("StackName", "")
        for name in self._names:
            if asked in (name, self._arn(name)):
                return name
        hint = f" (the emulator's stack is {' or '.join(self._names)})"
        raise _invalid(f"Stack with id {asked} does not exist{hint}")

    def _identity(self, name: str) -> dict[str, Any]:
        return {"StackId": self._arn(name), "StackName": name}

    def _output(self, output: StackOutput) -> Mapping[str, Any]:
        return {
            "OutputKey": output.key,
            "OutputValue": self._urls.localised(output.value),
            "Description": output.description or None,
            "ExportName": output.export_name,
        }

    def _resource(self, resource: StackResource, time: str = "Timestamp") -> dict[str, Any]:
        return {
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type,
            time: self._created,
            "ResourceStatus": _STATUS,
            "ResourceStatusReason": resource.left_out,
            "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
        }


def _parameter(parameter: StackParameter) -> Mapping[str, Any]:
    value = "****" if _is_hidden(parameter) else parameter.value
    return {"ParameterKey": parameter.key, "ParameterValue": value}


def _declaration(parameter: StackParameter) -> Mapping[str, Any]:
    declared = parameter.declaration
    default = declared.get("Default")
    return {
        "ParameterKey": parameter.key,
        "DefaultValue": None if default is None else "****" if _is_hidden(parameter) else str(default),
        "ParameterType": str(declared.get("Type") or "String"),
        "NoEcho": _is_hidden(parameter),
        "Description": declared.get("Description"),
        "ParameterConstraints": {"AllowedValues": list(map(str, declared.get("AllowedValues") or ()))},
    }


def _is_hidden(parameter: StackParameter) -> bool:
    return str(parameter.declaration.get("NoEcho", "")).lower() == "true"


def _capabilities(resources: Collection[StackResource]) -> list[str]:
    return ["CAPABILITY_IAM"] if any(resource.type in _NAMED_RESOURCES for resource in resources) else []


def _invalid(message: str) -> LambdaApiError:
    return LambdaApiError("ValidationError", 400, message)
