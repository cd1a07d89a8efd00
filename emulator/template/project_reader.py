"""A transformed template as a `Project`: what is in it, and what of it can't be imitated."""

from __future__ import annotations

from emulator.template.api_reader import read_api
from emulator.template.function_reader import read_function
from emulator.template.project import Project
from emulator.template.project import UnsupportedError as Unsupported
from emulator.template.resource_reader import TemplateReader

_REFUSED_TYPES = {
    "AWS::ApiGateway::RestApi": "REST APIs are not imitated; use AWS::Serverless::HttpApi and HttpApi events",
    "AWS::Serverless::Application": "nested applications are not imitated",
    "AWS::CloudFormation::Stack": "nested stacks are not imitated",
}
_WITHOUT_EFFECT = {
    "AWS::Lambda::Url": "function URLs are not imitated; call the function by its API or by Lambda's",
    "AWS::Lambda::EventSourceMapping": "nothing is read from event sources; invoke the function instead",
    "AWS::ApiGatewayV2::DomainName": "custom domains are not imitated; every host name does",
}


def read_project(template: TemplateReader) -> Project:
    """Return what the template comes down to.

    Raises
    ------
    UnsupportedError
        Names the resource and the property that can't be imitated.
    """
    for name, kind in template.present().items():
        if kind in _REFUSED_TYPES:
            raise Unsupported(name, "Type", _REFUSED_TYPES[kind])
        if kind in _WITHOUT_EFFECT:
            template.notes.append(f"{name}: {_WITHOUT_EFFECT[kind]}")
    functions = {name: read_function(template, name) for name in template.of_type("AWS::Lambda::Function")}
    apis = [read_api(template, name, functions) for name in template.of_type("AWS::ApiGatewayV2::Api")]
    buckets = tuple(str(template.name(name)) for name in template.of_type("AWS::S3::Bucket"))
    return Project(functions, tuple(api for api in apis if api.routes), buckets, tuple(template.notes))
