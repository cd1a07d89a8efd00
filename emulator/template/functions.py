"""Reads a template's functions, with their alias and layers, as `FunctionSpec`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.template.errors import UnsupportedError
from emulator.template.project import FunctionSpec
from emulator.template.resource_models import Alias, EventInvokeConfig, LayerVersion
from emulator.template.resources import Resources
from emulator.template.values import plain, resolvable

# The address that API Gateway calls contains the function's ARN; API Gateway also accepts the ARN alone.
_FUNCTION_ARN = re.compile(
    r"(?:^|functions/)arn:[^:]+:lambda:[^:]*:[^:]*:function:([^:/]+)(?::([^:/]+))?(?:/invocations)?$"
)
# Properties that Lambda's API shows and the emulator has no other use for.
_SHOWN_PROPERTIES = (
    "Architectures", "DeadLetterConfig", "Description", "EphemeralStorage", "LoggingConfig", "Role", "TracingConfig",
)  # fmt: skip
_NOT_IMITATED = {
    "FileSystemConfigs": "file systems are not imitated",
    "DurableConfig": "durable functions are not imitated",
    "CapacityProviderConfig": "capacity providers are not imitated",
    "TenancyConfig": "tenant isolation is not imitated",
}


def read_function(resources: Resources, logical_id: str) -> FunctionSpec:
    """Return one function of the template, or raise `UnsupportedError` if it can't be imitated."""
    properties = resources[logical_id].properties
    if properties.get("PackageType", "Zip") != "Zip":
        raise UnsupportedError(logical_id, "PackageType", "only Zip functions are imitated: images need Docker")
    for name, reason in _NOT_IMITATED.items():
        if properties.get(name):
            raise UnsupportedError(logical_id, name, reason)
    layers = _layers(resources, logical_id)
    alias = _alias_of(resources, logical_id)
    return resources.read(
        logical_id,
        FunctionSpec,
        logical_id=logical_id,
        name=resources[logical_id].name,
        layer_dirs=tuple(layers.values()),
        layer_arns=tuple(layers),
        alias=None if alias is None else alias.name,
        provisioned_concurrency=None if alias is None else alias.provisioned_concurrency,
        event_invoke=_event_invoke(resources, logical_id),
        properties=_shown(properties),
    )


def find_function(address: str, functions: Mapping[str, str]) -> tuple[str, str | None] | None:
    """Return the logical id and the qualifier of the function whose ARN an address is or contains, or None.

    ``functions`` maps the names of the template's functions to logical ids.
    """
    match = _FUNCTION_ARN.search(address)
    return (functions[match[1]], match[2]) if match is not None and match[1] in functions else None


def _layers(resources: Resources, function: str) -> dict[str, Path]:
    """Return ARN without version → folder of the function's layers that the template has."""
    try:
        values = list(map(resolvable, resolvable(resources[function].properties.get("Layers") or [])))
    except ValueError as error:
        raise UnsupportedError(function, "Layers", str(error)) from error
    layers = {}
    for value in values:
        layer = resources.target(value, LayerVersion)
        if layer is not None:
            layers[resources[layer].name.rpartition(":")[0]] = resources.read(layer, LayerVersion).content
        else:
            resources.notes.append(
                f"{function}: the layer {value} is not in the template; what it holds must be importable in this Python"
            )
    return layers


def _alias_of(resources: Resources, function: str) -> Alias | None:
    """Return the function's alias; raise `UnsupportedError` if it has several."""
    aliases = resources.owned_by(function, Alias, "FunctionName")
    if len(aliases) > 1:
        raise UnsupportedError(function, "Alias", f"it has {' and '.join(aliases)}; only one is imitated")
    return resources.read(aliases[0], Alias) if aliases else None


def _event_invoke(resources: Resources, function: str) -> dict[str, dict[str, int]]:
    """Return the function's settings of asynchronous events, by alias or version."""
    settings = {}
    for name in resources.owned_by(function, EventInvokeConfig, "FunctionName"):
        config = resources.read(name, EventInvokeConfig)
        values = {
            "MaximumRetryAttempts": config.maximum_retry_attempts,
            "MaximumEventAgeInSeconds": config.maximum_event_age_in_seconds,
        }
        settings[config.qualifier] = {name: value for name, value in values.items() if value is not None}
    return settings


def _shown(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what can be resolved; the rest, such as the ARN of a queue, changes no answer."""
    shown = {}
    for name in _SHOWN_PROPERTIES:
        with contextlib.suppress(ValueError):
            shown[name] = plain(properties.get(name))
    return {name: value for name, value in shown.items() if value is not None}
