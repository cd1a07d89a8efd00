"""A SAM template, source or built, read into a `Project` through AWS's own SAM transform.

``aws-sam-translator`` is what CloudFormation runs: versions, aliases and the API's OpenAPI body come out of
it as they would on AWS. Local paths go through it as S3 keys that hold the path, and are read back after it.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from emulator.template.intrinsics import LANGUAGE_EXTENSIONS, IntrinsicError, Resolver
from emulator.template.parameters import parameter_values
from emulator.template.project import Project, ProjectError, UnsupportedError
from emulator.template.project_reader import read_project
from emulator.template.resource_reader import ACCOUNT_ID, LOCAL_BUCKET, REGION, STACK_NAME, TemplateReader

_TRANSFORMS = ("AWS::Serverless-2016-10-31", LANGUAGE_EXTENSIONS)


class TemplateError(ProjectError):
    """The template can't be read, or AWS's transform refuses it."""


def load_project(path: Path, overrides: Mapping[str, str] | None = None, *, region: str = REGION) -> Project:
    """Read a template.

    Parameters
    ----------
    path : Path
        ``template.yaml``, or ``.aws-sam/build/template.yaml``. Local paths in it are relative to its folder.
    overrides : mapping, optional
        Values for the template's parameters, over their defaults.
    region : str, optional
        What ``AWS::Region`` gives.

    Raises
    ------
    TemplateError
        The file is missing or no template.
    ParameterError
        A parameter has no value or one that it doesn't allow.
    UnsupportedError
        The template asks for something that the emulator can't imitate; names resource and property.
    """
    template = _read(path)
    extended = LANGUAGE_EXTENSIONS in _transforms(path, template)
    if not isinstance(template.get("Resources"), dict):
        raise TemplateError(f"{path} is no template: it has no Resources")
    names = {**_pseudo_parameters(region), **parameter_values(template.get("Parameters") or {}, overrides or {})}
    resolver = Resolver(
        names.__getitem__,
        _no_attribute,
        template.get("Mappings") or {},
        template.get("Conditions") or {},
        extended=extended,
    )
    source = _including(template, path.parent, resolver)
    _check_resources(path, source["Resources"])
    written = list(source["Resources"])
    transformed = _transform(path, source, names, resolver)
    project = read_project(TemplateReader(path.parent.resolve(), transformed, names, region, extended=extended))
    return _in_order(project, written)


def _in_order(project: Project, written: list[str]) -> Project:
    """Put the APIs in the template's order, which their ports follow; the transform has an order of its own."""
    order = {logical_id: number for number, logical_id in enumerate(written)}
    apis = sorted(project.apis, key=lambda api: order.get(api.logical_id, len(order)))
    return dataclasses.replace(project, apis=tuple(apis))


def _transforms(path: Path, template: Mapping[str, Any]) -> list[Any]:
    named = template.get("Transform") or []
    transforms = named if isinstance(named, list) else [named]
    for one in transforms:
        if one not in _TRANSFORMS:
            raise UnsupportedError(path.name, "Transform", f"{one!r} is not imitated")
    return transforms


def _pseudo_parameters(region: str) -> dict[str, Any]:
    return {
        "AWS::AccountId": ACCOUNT_ID,
        "AWS::Region": region,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": STACK_NAME,
        "AWS::StackId": f"arn:aws:cloudformation:{region}:{ACCOUNT_ID}:stack/{STACK_NAME}/0",
        "AWS::NotificationARNs": [],
    }


def _read(path: Path) -> dict[str, Any]:
    from samtranslator.yaml_helper import yaml_parse
    from yaml import YAMLError

    try:
        content = yaml_parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TemplateError(f"there is no template {path}: name one with -t") from error
    except (YAMLError, UnicodeDecodeError, OSError) as error:
        raise TemplateError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise TemplateError(f"{path} is no template: it has no Resources")
    return content


def _including(value: Any, folder: Path, resolver: Resolver, within: tuple[str, ...] = ()) -> Any:
    """Return a copy of a value with each ``AWS::Include`` of a local file replaced by what the file holds.

    ``within`` are the files that are being included.
    """
    if isinstance(value, list):
        return [_including(one, folder, resolver, within) for one in value]
    if not isinstance(value, dict):
        return copy.copy(value)
    include = value.get("Fn::Transform")
    kept = {name: _including(one, folder, resolver, within) for name, one in value.items() if name != "Fn::Transform"}
    if include is None:
        return kept
    location = include.get("Parameters", {}).get("Location") if isinstance(include, dict) else None
    if location is None or include.get("Name") != "AWS::Include":
        raise IntrinsicError("Fn::Transform: only AWS::Include of a local file is imitated")
    where = str(resolver.resolve(location))
    if where.startswith("s3://"):
        raise IntrinsicError(f"Fn::Transform: AWS::Include of {where} is not imitated; name a local file")
    if where in within:
        raise IntrinsicError(f"Fn::Transform: {where} includes itself")
    return {**_including(_read(folder / where), folder, resolver, (*within, where)), **kept}


def _check_resources(path: Path, resources: Mapping[str, Any]) -> None:
    for name, resource in resources.items():
        if name.startswith("Fn::ForEach"):
            raise UnsupportedError(name, "Resources", "Fn::ForEach is not imitated; write the resources out")
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise TemplateError(f"{path}: resource {name} has no Type")


def _transform(path: Path, source: dict[str, Any], names: Mapping[str, Any], resolver: Resolver) -> dict[str, Any]:
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform

    class NoManagedPolicies:
        def load(self) -> dict[str, str]:
            return {}

    # The transform asks boto3 for a region even where AWS::Region is among the values. Empty is none to boto3.
    if not os.environ.get("AWS_DEFAULT_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = str(names["AWS::Region"])
    for kind, settings in (source.get("Globals") or {}).items():
        _send_paths_through(f"Globals.{kind}", settings, resolver)
    for name, resource in source["Resources"].items():
        if resource["Type"] == "AWS::Serverless::HttpApi":
            _read_definition(name, resource.get("Properties"), path.parent, resolver)
        _send_paths_through(name, resource.get("Properties"), resolver)
    try:
        transformed: dict[str, Any] = transform(source, dict(names), NoManagedPolicies())
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes)
        raise TemplateError(f"{path}: {error.message} {causes}") from error
    return transformed


def _send_paths_through(resource: str, properties: Any, resolver: Resolver) -> None:
    """Replace local paths with S3 addresses that hold them, which is all that the transform accepts."""
    if not isinstance(properties, dict):
        return
    for name in ("CodeUri", "ContentUri", "DefinitionUri"):
        where = _local_path(resource, properties, name, resolver)
        if where is not None:
            properties[name] = f"s3://{LOCAL_BUCKET}/{quote(where or '.', safe='')}"


def _read_definition(resource: str, properties: Any, folder: Path, resolver: Resolver) -> None:
    """Put a local OpenAPI file in the place of its address, into which the transform doesn't look."""
    where = _local_path(resource, properties, "DefinitionUri", resolver) if isinstance(properties, dict) else None
    if where is None:
        return
    del properties["DefinitionUri"]
    try:
        properties["DefinitionBody"] = _read(folder / where)
    except TemplateError as error:
        raise UnsupportedError(resource, "DefinitionUri", str(error)) from error


def _local_path(resource: str, properties: dict[str, Any], name: str, resolver: Resolver) -> str | None:
    try:
        value = resolver.resolve(properties.get(name))
    except IntrinsicError as error:
        raise UnsupportedError(resource, name, str(error)) from error
    return value if isinstance(value, str) and not value.startswith("s3://") else None


def _no_attribute(logical_id: str, attribute: str) -> Any:
    raise IntrinsicError(f"Fn::GetAtt {logical_id}.{attribute} can't be used for a path")
