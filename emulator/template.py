"""A SAM template, source or built, read into a `Project` through AWS's own SAM transform.

``aws-sam-translator`` is what CloudFormation runs: versions, aliases and the API's OpenAPI body come out of
it as they would on AWS. Local paths go through it as S3 keys that hold the path, and are read back after it.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from emulator.intrinsics import IntrinsicError, Resolver
from emulator.project import Project, ProjectError
from emulator.template_reader import ACCOUNT_ID, LOCAL_BUCKET, REGION, STACK_NAME, TemplateReader


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
        The file is missing or no template; a parameter has no value or one that it doesn't allow.
    UnsupportedError
        The template asks for something that the emulator can't imitate; names resource and property.
    """
    template = _read(path)
    parameters = _parameter_values(template, overrides or {})
    pseudo = {
        "AWS::AccountId": ACCOUNT_ID,
        "AWS::Region": region,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": STACK_NAME,
        "AWS::StackId": f"arn:aws:cloudformation:{region}:{ACCOUNT_ID}:stack/{STACK_NAME}/0",
        "AWS::NotificationARNs": [],
    }
    names: dict[str, Any] = {**pseudo, **parameters}
    transformed = _transform(path, template, names)
    return TemplateReader(path.parent.resolve(), transformed, names, region).project()


def _read(path: Path) -> dict[str, Any]:
    from samtranslator.yaml_helper import yaml_parse
    from yaml import YAMLError

    try:
        template = yaml_parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TemplateError(f"there is no template {path}: name one with -t") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path} is not YAML: {error}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise TemplateError(f"{path} is no template: it has no Resources")
    return template


def _parameter_values(template: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, declared in (template.get("Parameters") or {}).items():
        value = overrides.get(name, declared.get("Default"))
        if value is None:
            raise TemplateError(f'parameter {name} has no default: give one with --parameter-overrides "{name}=…"')
        allowed, pattern = declared.get("AllowedValues"), declared.get("AllowedPattern")
        if allowed is not None and str(value) not in map(str, allowed):
            raise TemplateError(f"parameter {name} is {value!r}; allowed are {', '.join(map(str, allowed))}")
        if pattern is not None and re.fullmatch(pattern, str(value)) is None:
            raise TemplateError(f"parameter {name} is {value!r}, which does not match {pattern}")
        is_list = str(declared.get("Type", "")).startswith(("CommaDelimitedList", "List<"))
        values[name] = [one.strip() for one in str(value).split(",")] if is_list else value
    return values


def _transform(path: Path, template: dict[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform

    class NoManagedPolicies:
        def load(self) -> dict[str, str]:
            return {}

    # The transform asks boto3 for a region even where AWS::Region is among the values.
    os.environ.setdefault("AWS_DEFAULT_REGION", str(names["AWS::Region"]))
    source = copy.deepcopy(template)
    resolver = Resolver(
        names.__getitem__, _no_attribute, template.get("Mappings") or {}, template.get("Conditions") or {}
    )
    for settings in (source.get("Globals") or {}).values():
        _send_paths_through(settings, resolver)
    for resource in source["Resources"].values():
        if isinstance(resource, dict):
            _send_paths_through(resource.get("Properties"), resolver)
    try:
        transformed: dict[str, Any] = transform(source, dict(names), NoManagedPolicies())
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes)
        raise TemplateError(f"{path}: {error.message} {causes}") from error
    return transformed


def _send_paths_through(properties: Any, resolver: Resolver) -> None:
    """Replace local paths with S3 addresses that hold them, which is all that the transform accepts."""
    if not isinstance(properties, dict):
        return
    for name in ("CodeUri", "ContentUri"):
        if name in properties:
            value = resolver.resolve(properties[name])
            if isinstance(value, str) and not value.startswith("s3://"):
                properties[name] = f"s3://{LOCAL_BUCKET}/{quote(value or '.', safe='')}"


def _no_attribute(logical_id: str, attribute: str) -> Any:
    raise IntrinsicError(f"Fn::GetAtt {logical_id}.{attribute} can't be used for a path")
