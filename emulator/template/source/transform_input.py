"""Prepares a template for the SAM transform, which reads no files here, asks AWS nothing and takes some texts only.

Local paths go through it as keys of a bucket of their own, `LOCAL_BUCKET`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emulator.template.errors import ProjectError, UnsupportedError
from emulator.template.left_out import LeftOutParts
from emulator.template.project import ACCOUNT_ID
from emulator.template.resolving.intrinsics import Resolver
from emulator.template.source.files import read_template_file
from emulator.template.values import LOCAL_BUCKET

_PATH_PROPERTIES = ("CodeUri", "ContentUri", "DefinitionUri")
# Names an authorizer of the API, for a route or for all of them.
_AUTHORIZER_NAMES = ("Authorizer", "DefaultAuthorizer")
# The address of an image that isn't built, in the form that the transform asks for.
_NOT_BUILT = f"{ACCOUNT_ID}.dkr.ecr.us-east-1.amazonaws.com/not-built:latest"
# Stands for the template of an application in AWS's repository, for which the transform would ask AWS.
_NOT_FETCHED = "https://s3.amazonaws.com/not-fetched/template.yaml"


def prepare(source: Mapping[str, Any], folder: Path, resolver: Resolver, left_out: LeftOutParts) -> None:
    """Replace paths, references to authorizers, and images and applications elsewhere in a copy of a template."""
    defaults = source.get("Globals") or {}
    for name, resource in source["Resources"].items():
        properties = resource.setdefault("Properties", {})
        if resource["Type"] == "AWS::Serverless::HttpApi":
            _read_definition(name, properties, folder, resolver, left_out)
        if resource["Type"] == "AWS::Serverless::Application":
            _name_application(properties)
        _name_asset(resource)
        _name_code(resource, defaults.get("Function"))
        for auth in _auths(properties):
            for member in _AUTHORIZER_NAMES:
                if isinstance(auth.get(member), dict):
                    auth[member] = resolver.resolve(auth[member])
    for properties in [*defaults.values(), *(resource.get("Properties") for resource in source["Resources"].values())]:
        if isinstance(properties, dict):
            _replace_paths(properties)


def _name_asset(resource: Mapping[str, Any]) -> None:
    """Put the local path of one of CDK's assets, which CDK notes in the metadata, in place of its place in S3."""
    metadata = resource.get("Metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("aws:asset:path"), str):
        place = metadata.get("aws:asset:property")
        if place in ("Code", "Content"):
            resource["Properties"][place] = {"S3Bucket": LOCAL_BUCKET, "S3Key": metadata["aws:asset:path"]}


def _name_application(properties: dict[str, Any]) -> None:
    location = properties.get("Location")
    if isinstance(location, dict) and location.keys() >= {"ApplicationId", "SemanticVersion"}:
        properties["Location"] = _NOT_FETCHED


def _name_code(resource: Mapping[str, Any], defaults: Any) -> None:
    """Give a function without code what SAM CLI gives it: the template's folder, or the image that it would build."""
    if resource["Type"] != "AWS::Serverless::Function":
        return
    properties = {**(defaults if isinstance(defaults, dict) else {}), **resource["Properties"]}
    if properties.get("PackageType") == "Image":
        if not properties.get("ImageUri"):
            resource["Properties"]["ImageUri"] = _NOT_BUILT
    elif not properties.get("CodeUri") and properties.get("InlineCode") is None:
        resource["Properties"]["CodeUri"] = "."


def _auths(properties: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the ``Auth`` of an API and of a function's events."""
    events = properties.get("Events")
    members = events.values() if isinstance(events, dict) else ()
    inner = [event.get("Properties") for event in members if isinstance(event, dict)]
    for owner in (properties, *inner):
        if isinstance(owner, dict) and isinstance(owner.get("Auth"), dict):
            yield owner["Auth"]


def _replace_paths(properties: dict[str, Any]) -> None:
    for name in _PATH_PROPERTIES:
        location = properties.get(name)
        if location is None or not isinstance(location, str | dict):
            continue
        in_s3 = location.startswith("s3://") if isinstance(location, str) else "Bucket" in location
        if not in_s3:
            # Intrinsic functions in it are resolved after the transform, with all others.
            properties[name] = {"Bucket": LOCAL_BUCKET, "Key": location or "."}


def _read_definition(
    resource: str, properties: dict[str, Any], folder: Path, resolver: Resolver, left_out: LeftOutParts
) -> None:
    """Replace the path of an OpenAPI file by its content."""
    try:
        location = resolver.resolve(properties.get("DefinitionUri"))
        if isinstance(location, str) and not location.startswith("s3://"):
            del properties["DefinitionUri"]
            properties["DefinitionBody"] = read_template_file(folder / location)
    except ProjectError as error:
        properties["DefinitionBody"] = {"openapi": "3.0.1", "paths": {}}
        reason = UnsupportedError(resource, "DefinitionUri", str(error))
        left_out.leave_out(reason, "the API has no routes of a definition")
