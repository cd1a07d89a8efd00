"""The first stage of reading a template: the file, what it includes, and AWS's own SAM transform.

``aws-sam-translator`` is what CloudFormation runs: versions, aliases and the API's OpenAPI body come out of
it as they would on AWS. Local paths go through it as keys of a bucket of their own, `LOCAL_BUCKET`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from emulator.template.errors import ProjectError, UnsupportedError
from emulator.template.intrinsics import LANGUAGE_EXTENSIONS, IntrinsicError, Resolver
from emulator.template.parameters import parameter_values
from emulator.template.project import ACCOUNT_ID, STACK_NAME
from emulator.template.values import LOCAL_BUCKET

_TRANSFORMS = ("AWS::Serverless-2016-10-31", LANGUAGE_EXTENSIONS)
_PATH_PROPERTIES = ("CodeUri", "ContentUri", "DefinitionUri")


class TemplateError(ProjectError):
    """The template can't be read, or AWS's transform refuses it."""


@dataclass(frozen=True, slots=True)
class LoadedTemplate:
    """A template in plain CloudFormation, its intrinsic functions not resolved yet."""

    # Local paths are relative to it.
    folder: Path
    # As the transform returns it, with the resources in the order of the file.
    document: Mapping[str, Any]
    # Of parameters and pseudo parameters, by name.
    values: Mapping[str, Any]
    # Whether the template's transforms include the language extensions.
    extended: bool = False


class _Region(NamedTuple):
    """Stands for a boto3 session, of which the transform reads only this. Otherwise it would read the environment."""

    region_name: str


def load_template(path: Path, overrides: Mapping[str, str], region: str) -> LoadedTemplate:
    """Read a template and apply the SAM transform to it; the arguments and errors are those of `load_project`."""
    source = _read_yaml(path)
    extended = LANGUAGE_EXTENSIONS in _transforms(path, source)
    if not isinstance(source.get("Resources"), dict):
        raise TemplateError(f"{path} isn't a template: it has no Resources")
    values = {**_pseudo_parameters(region), **parameter_values(source.get("Parameters") or {}, overrides)}
    mappings, conditions = source.get("Mappings") or {}, source.get("Conditions") or {}
    resolver = Resolver(values.__getitem__, _no_attribute, mappings, conditions, extended=extended)
    source = _include(source, path.parent, resolver)
    _check_resources(path, source["Resources"])
    _prepare_paths(source, path.parent, resolver)
    document = _transform(path, source, values)
    # The transform changes the order of resources, but the APIs get their ports in the template's order.
    resources = document["Resources"]
    names = [name for name in source["Resources"] if name in resources]
    document["Resources"] = {name: resources[name] for name in [*names, *resources]}
    return LoadedTemplate(path.parent.resolve(), document, values, extended)


def _include(value: Any, folder: Path, resolver: Resolver, within: tuple[str, ...] = ()) -> Any:
    """Return a copy of a value with each ``AWS::Include`` of a local file replaced by the file's content.

    ``within`` lists the files whose content is being included, so that a file that includes itself is found.
    """
    if isinstance(value, list):
        return [_include(item, folder, resolver, within) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {name: _include(item, folder, resolver, within) for name, item in value.items() if name != "Fn::Transform"}
    include = value.get("Fn::Transform")
    if include is None:
        return copy
    location = include.get("Parameters", {}).get("Location") if isinstance(include, dict) else None
    if location is None or include.get("Name") != "AWS::Include":
        raise IntrinsicError("Fn::Transform: only AWS::Include of a local file is imitated")
    name = str(resolver.resolve(location))
    if name.startswith("s3://"):
        raise IntrinsicError(f"Fn::Transform: AWS::Include of {name} is not imitated; name a local file")
    if name in within:
        raise IntrinsicError(f"Fn::Transform: {name} includes itself")
    return {**_include(_read_yaml(folder / name), folder, resolver, (*within, name)), **copy}


def _prepare_paths(source: Mapping[str, Any], folder: Path, resolver: Resolver) -> None:
    """Replace paths of OpenAPI files by their content, and other local paths by keys of `LOCAL_BUCKET`."""
    for name, resource in source["Resources"].items():
        if resource["Type"] == "AWS::Serverless::HttpApi" and isinstance(resource.get("Properties"), dict):
            _read_definition(name, resource["Properties"], folder, resolver)
    defaults = (source.get("Globals") or {}).values()
    for properties in [*defaults, *(resource.get("Properties") for resource in source["Resources"].values())]:
        for name in _PATH_PROPERTIES:
            location = properties.get(name) if isinstance(properties, dict) else None
            in_s3 = location.startswith("s3://") if isinstance(location, str) else "Bucket" in (location or {})
            if location is not None and not in_s3:
                # Intrinsic functions in it are resolved after the transform, with all others.
                properties[name] = {"Bucket": LOCAL_BUCKET, "Key": location or "."}


def _read_definition(resource: str, properties: dict[str, Any], folder: Path, resolver: Resolver) -> None:
    """Replace the path of an OpenAPI file by its content, because the transform doesn't read files."""
    try:
        location = resolver.resolve(properties.get("DefinitionUri"))
        if isinstance(location, str) and not location.startswith("s3://"):
            properties["DefinitionBody"] = _read_yaml(folder / location)
            del properties["DefinitionUri"]
    except ProjectError as error:
        raise UnsupportedError(resource, "DefinitionUri", str(error)) from error


def _no_attribute(logical_id: str, attribute: str) -> Any:
    raise IntrinsicError(f"Fn::GetAtt {logical_id}.{attribute} can't be used for a path")


def _transforms(path: Path, source: Mapping[str, Any]) -> list[Any]:
    value = source.get("Transform") or []
    transforms = value if isinstance(value, list) else [value]
    for transform in transforms:
        if transform not in _TRANSFORMS:
            raise UnsupportedError(path.name, "Transform", f"{transform!r} is not imitated")
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


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml
    from samtranslator.yaml_helper import intrinsics_multi_constructor

    # The parser in C is seven times as fast, but not every build of PyYAML has it.
    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Reads short forms such as ``!Ref``."""

    Loader.add_multi_constructor("!", intrinsics_multi_constructor)
    try:
        content = yaml.load(path.read_bytes().decode("utf-8"), Loader)  # noqa: S506 - a safe loader
    except FileNotFoundError as error:
        raise TemplateError(f"the template {path} doesn't exist: name one with -t") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise TemplateError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise TemplateError(f"{path} isn't a template: it has no Resources")
    return content


def _check_resources(path: Path, resources: Mapping[str, Any]) -> None:
    for name, resource in resources.items():
        if name.startswith("Fn::ForEach"):
            raise UnsupportedError(name, "Resources", "Fn::ForEach is not imitated; write the resources out")
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise TemplateError(f"{path}: resource {name} has no Type")


def _transform(path: Path, source: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    translator = Translator(None, Parser(), boto_session=_Region(str(values["AWS::Region"])))
    try:
        document: dict[str, Any] = translator.translate(source, dict(values), get_managed_policy_map=dict)
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes)
        raise TemplateError(f"{path}: {error.message} {causes}") from error
    return document
