"""The third stage of reading a template: makes a `Project` of its resources, and leaves out what it can't imitate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emulator.kept_results import NOTHING_KEPT, KeptResults
from emulator.template.errors import UnsupportedError
from emulator.template.event_sources.deliveries import read_subscriptions
from emulator.template.event_sources.notifications import read_notifications
from emulator.template.event_sources.schedules import read_schedules
from emulator.template.functions import properties_of_unavailable, read_function
from emulator.template.http_apis.apis import read_api
from emulator.template.left_out import LeftOutParts
from emulator.template.load import LoadedTemplate, load_template
from emulator.template.project import REGION, FunctionSpec, Project, UnavailableFunction
from emulator.template.resolve import IMITATED, Resource, resolve_template
from emulator.template.resolving.placeholders import Placeholders
from emulator.template.resource_models import Api
from emulator.template.resources import Resources
from emulator.template.stack.reading import read_stack
from emulator.text_formats import NEW_BUCKET_NAME

_WITHOUT_RESOURCES = "the resources in a nested stack don't exist here"
# Resources that the emulator doesn't imitate, though functions are called by them: why, and what follows.
_NOT_IMITATED = {
    "AWS::ApiGateway::RestApi": (
        "REST APIs are not imitated; use AWS::Serverless::HttpApi and HttpApi events",
        "no route of it is served",
    ),
    "AWS::Serverless::Application": ("nested applications are not imitated", _WITHOUT_RESOURCES),
    "AWS::CloudFormation::Stack": ("nested stacks are not imitated", _WITHOUT_RESOURCES),
}
_WITHOUT_EFFECT = {
    "AWS::Lambda::Url": ("function URLs are not imitated", "call the function by its API or by Lambda's"),
    "AWS::Lambda::EventSourceMapping": ("event sources are not imitated", "nothing is read; invoke the function"),
    "AWS::ApiGatewayV2::DomainName": ("custom domains are not imitated", "the API answers under every host name"),
    "AWS::StepFunctions::StateMachine": ("state machines are not imitated", "nothing runs; invoke the functions"),
    "AWS::Logs::MetricFilter": ("metrics are not imitated", "nothing is counted"),
}
_CUSTOM = ("AWS::CloudFormation::CustomResource", "Custom::")
# Types of which nothing more is expected here: those that the emulator has, permissions, and parts of others.
_SILENT = (
    *IMITATED, "AWS::IAM::", "AWS::ApiGateway::", "AWS::CloudFormation::", "AWS::CDK::", "AWS::SQS::QueuePolicy",
    "AWS::SNS::TopicPolicy", "AWS::KMS::Alias",
)  # fmt: skip


def load_project(
    path: Path,
    overrides: Mapping[str, str] | None = None,
    *,
    region: str = REGION,
    transformed: KeptResults = NOTHING_KEPT,
    strict: bool = False,
    values: Mapping[str, Any] | None = None,
) -> Project:
    """Return the project that a template file describes.

    Parameters
    ----------
    path : Path
        ``template.yaml``, or ``.aws-sam/build/template.yaml``. Local paths in it are relative to its folder.
    overrides : mapping, optional
        Values for the template's parameters, over their defaults.
    region : str, optional
        The value of ``AWS::Region``.
    transformed : KeptResults, optional
        What the SAM transform returned before; importing and running it takes most of a start.
    strict : bool, optional
        Refuse what isn't imitated, instead of leaving it out.
    values : mapping, optional
        Values from elsewhere by source, as `Placeholders` takes them: ``ssm:/app/url``, ``ImportValue:shared-vpc``.

    Raises
    ------
    ProjectError
        The template can't be read.
    UnsupportedError
        Only if it is strict: the template asks for something that the emulator doesn't imitate.
    """
    left_out = LeftOutParts(strict=strict)
    placeholders = Placeholders(values)
    template = load_template(path, overrides or {}, region, transformed, left_out=left_out, placeholders=placeholders)
    resolved = resolve_template(template, left_out)
    resources = Resources(resolved, template.folder, left_out, placeholders)
    _report_types(resources, resolved)
    functions, unavailable = _read_functions(resources, template, left_out)
    ids = {resources[logical_id].name: logical_id for logical_id in resources.ids(FunctionSpec)}
    apis = []
    for name in resources.ids(Api):
        with resources.leaving_out("the API is not served"):
            apis.append(read_api(resources, name, ids))
    return Project(
        functions,
        tuple(api for api in apis if any(stage.routes for stage in api.stages)),
        buckets=tuple(_buckets(resources, resolved)),
        schedules=tuple(read_schedules(resources, ids)),
        notifications=tuple(read_notifications(resources, ids)),
        subscriptions=tuple(read_subscriptions(resources, {spec.log_group for spec in functions.values()})),
        left_out=tuple(left_out.parts),
        unavailable=unavailable,
        stack=read_stack(path, template, resolved, left_out.parts),
    )


def _buckets(resources: Resources, resolved: Mapping[str, Resource]) -> Iterator[str]:
    """Yield the names of the buckets; one that no bucket may have is left out."""
    for logical_id, resource in resolved.items():
        if resource.type == "AWS::S3::Bucket" and NEW_BUCKET_NAME.fullmatch(resource.name):
            yield resource.name
        elif resource.type == "AWS::S3::Bucket":
            error = UnsupportedError(logical_id, "BucketName", f"{resource.name!r} can't name a bucket")
            resources.leave_out(error, "the bucket isn't made")


def _report_types(resources: Resources, resolved: Mapping[str, Resource]) -> None:
    """Report the resources whose whole type isn't imitated."""
    for logical_id, resource in resolved.items():
        if resource.type in _NOT_IMITATED:
            reason, consequence = _NOT_IMITATED[resource.type]
            resources.leave_out(UnsupportedError(logical_id, "Type", reason), consequence)
        elif resource.type in _WITHOUT_EFFECT:
            resources.report(logical_id, "Type", *_WITHOUT_EFFECT[resource.type])
        elif resource.type.startswith(_CUSTOM):
            resources.report(logical_id, "Type", "custom resources are not imitated", "no function is called")
        elif not resource.type.startswith(_SILENT):
            # Of a service that has nothing here all resources share a line.
            service = resource.type.rpartition("::")[0]
            name = resource.type if any(kind.startswith(f"{service}::") for kind in IMITATED) else service
            resources.report(logical_id, "Type", f"{name} is not imitated", "nothing of it exists here")


def _read_functions(
    resources: Resources, template: LoadedTemplate, left_out: LeftOutParts
) -> tuple[dict[str, FunctionSpec], dict[str, UnavailableFunction]]:
    """Return the functions that can run, and those that can't, by logical id."""
    functions, unavailable = {}, {}
    for logical_id in resources.ids(FunctionSpec):
        noted = len(left_out.parts)
        try:
            if logical_id in template.refused:
                raise UnsupportedError(logical_id, "Properties", template.refused[logical_id])
            follows_code = logical_id in template.versioned_by_code
            functions[logical_id] = read_function(resources, logical_id, follows_code=follows_code)
        except UnsupportedError as error:
            # What else has no effect doesn't matter where the function can't run.
            del left_out.parts[noted:]
            part = resources.leave_out(error, "calls are refused")
            properties = properties_of_unavailable(resources, logical_id)
            unavailable[logical_id] = UnavailableFunction(logical_id, resources[logical_id].name, part, properties)
    return functions, unavailable
