"""The third stage of reading a template: turns its resources into a `Project`, and refuses what can't be imitated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from emulator.template.errors import UnsupportedError
from emulator.template.event_sources.deliveries import read_subscriptions
from emulator.template.event_sources.schedules import read_schedules
from emulator.template.functions import read_function
from emulator.template.http_apis import read_api
from emulator.template.load import load_template
from emulator.template.project import REGION, FunctionSpec, Project
from emulator.template.resolve import resolve_template
from emulator.template.resource_models import Api
from emulator.template.resources import Resources

_REFUSED_TYPES = {
    "AWS::ApiGateway::RestApi": "REST APIs are not imitated; use AWS::Serverless::HttpApi and HttpApi events",
    "AWS::Serverless::Application": "nested applications are not imitated",
    "AWS::CloudFormation::Stack": "nested stacks are not imitated",
}
_WITHOUT_EFFECT = {
    "AWS::Lambda::Url": "function URLs are not imitated; call the function by its API or by Lambda's",
    "AWS::Lambda::EventSourceMapping": "nothing is read from event sources; invoke the function instead",
    "AWS::ApiGatewayV2::DomainName": "custom domains are not imitated; the API answers under every host name",
}


def load_project(path: Path, overrides: Mapping[str, str] | None = None, *, region: str = REGION) -> Project:
    """Return the project that a template file describes.

    Parameters
    ----------
    path : Path
        ``template.yaml``, or ``.aws-sam/build/template.yaml``. Local paths in it are relative to its folder.
    overrides : mapping, optional
        Values for the template's parameters, over their defaults.
    region : str, optional
        The value of ``AWS::Region``.

    Raises
    ------
    ProjectError
        The template can't be read, or asks for something that the emulator doesn't imitate.
    """
    template = load_template(path, overrides or {}, region)
    resolved = resolve_template(template)
    resources = Resources(resolved, template.folder)
    for logical_id, resource in resolved.items():
        if resource.type in _REFUSED_TYPES:
            raise UnsupportedError(logical_id, "Type", _REFUSED_TYPES[resource.type])
        if resource.type in _WITHOUT_EFFECT:
            resources.notes.append(f"{logical_id}: {_WITHOUT_EFFECT[resource.type]}")
    functions = {name: read_function(resources, name) for name in resources.ids(FunctionSpec)}
    ids = {spec.name: logical_id for logical_id, spec in functions.items()}
    apis = [read_api(resources, name, ids) for name in resources.ids(Api)]
    buckets = tuple(resource.name for resource in resolved.values() if resource.type == "AWS::S3::Bucket")
    apis_with_routes = tuple(api for api in apis if any(stage.routes for stage in api.stages))
    schedules = tuple(read_schedules(resources, ids))
    subscriptions = tuple(read_subscriptions(resources, {spec.log_group for spec in functions.values()}))
    return Project(functions, apis_with_routes, buckets, tuple(resources.notes), schedules, subscriptions)
