"""The first stage of reading a template: the file, what it includes, and AWS's own SAM transform.

``aws-sam-translator`` is what CloudFormation runs: versions, aliases and the API's OpenAPI body come out of
it as they would on AWS. What it can't read by itself is prepared for it first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from emulator.kept_results import NOTHING_KEPT, KeptResults
from emulator.template.errors import TemplateError, UnsupportedError
from emulator.template.left_out import LeftOutParts
from emulator.template.project import ACCOUNT_ID, STACK_NAME
from emulator.template.resolving.intrinsics import LANGUAGE_EXTENSIONS, IntrinsicError, Resolver
from emulator.template.resolving.placeholders import Placeholders
from emulator.template.source.files import read_template_file
from emulator.template.source.includes import Includes
from emulator.template.source.parameters import MissingValueError, parameter_values
from emulator.template.source.sam_transform import SamTransform
from emulator.template.source.sections import check_resources, check_sections
from emulator.template.source.transform_input import prepare

_TRANSFORMS = ("AWS::Serverless-2016-10-31", LANGUAGE_EXTENSIONS)


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
    # The functions whose version SAM names by a hash of their code, without AutoPublishCodeSha256.
    versioned_by_code: frozenset[str] = frozenset()
    # Those of the parameters without a value.
    placeholders: Placeholders = field(default_factory=Placeholders)
    # Why SAM refuses a function, by logical id.
    refused: Mapping[str, str] = field(default_factory=dict)


def load_template(
    path: Path,
    overrides: Mapping[str, str],
    region: str,
    transformed: KeptResults = NOTHING_KEPT,
    *,
    left_out: LeftOutParts | None = None,
    placeholders: Placeholders | None = None,
) -> LoadedTemplate:
    """Read a template and apply the SAM transform to it; the arguments and errors are those of `load_project`."""
    left_out, placeholders = left_out or LeftOutParts(), placeholders or Placeholders()
    if not path.exists():
        raise TemplateError(f"the template {path} doesn't exist: name one with -t")
    source = read_template_file(path)
    check_sections(path, source, left_out)
    extended = LANGUAGE_EXTENSIONS in _transforms(path, source, left_out)
    stand_in = None if left_out.strict else partial(_stand_in, left_out, placeholders)
    values = {**_pseudo_parameters(region), **parameter_values(source.get("Parameters") or {}, overrides, stand_in)}
    mappings, conditions = source.get("Mappings") or {}, source.get("Conditions") or {}
    resolver = Resolver(values.__getitem__, _no_attribute, mappings, conditions, extended=extended)
    source = Includes(path.parent, resolver, left_out).in_template(source)
    check_resources(path, source["Resources"], left_out)
    versioned_by_code = frozenset(_versioned_by_code(source, resolver))
    prepare(source, path.parent, resolver, left_out)
    # The transform changes the order of resources, but the APIs get their ports in the template's order.
    names = list(source["Resources"])
    transform = SamTransform(path, values, left_out, transformed)
    document = transform.apply(source)
    resources = document["Resources"]
    document["Resources"] = {name: resources[name] for name in [*names, *resources] if name in resources}
    return LoadedTemplate(
        path.parent.resolve(), document, values, extended, versioned_by_code, placeholders, transform.refused
    )


def _stand_in(left_out: LeftOutParts, placeholders: Placeholders, error: MissingValueError) -> str:
    """Return a placeholder for a parameter without a value, or the value that the user gave for its source."""
    text = placeholders.value(error.source, str(error))
    if placeholders.mark(text) != text:
        # The same words for all parameters, which share a line.
        stand_in = f"unresolved-{error.source.partition(':')[0]}-… stands for it"
        consequence = f'{stand_in}; give a value with --parameter-overrides "NAME=…"'
        left_out.report(error.name, "Default", "the parameter has no value", consequence)
    return text


def _versioned_by_code(source: Mapping[str, Any], resolver: Resolver) -> Iterator[str]:
    """Yield the functions of SAM that have no AutoPublishCodeSha256; SAM takes an empty one for none."""
    for name, resource in source["Resources"].items():
        code_sha256 = (resource.get("Properties") or {}).get("AutoPublishCodeSha256")
        if resource["Type"] == "AWS::Serverless::Function" and not resolver.resolve(code_sha256):
            yield name


def _no_attribute(logical_id: str, attribute: str) -> Any:
    raise IntrinsicError(f"Fn::GetAtt {logical_id}.{attribute} can't be used for a path")


def _transforms(path: Path, source: Mapping[str, Any], left_out: LeftOutParts) -> list[Any]:
    value = source.get("Transform") or []
    transforms = value if isinstance(value, list) else [value]
    for transform in transforms:
        if transform not in _TRANSFORMS:
            error = UnsupportedError(path.name, "Transform", f"{transform!r} is not imitated")
            left_out.leave_out(error, "the template is read as if it changed nothing")
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
