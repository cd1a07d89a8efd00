"""Functions of a template, with their alias and layers, as `FunctionSpec`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.template.project import FunctionSpec, UnsupportedError
from emulator.template.property_types import plain
from emulator.template.resource_models import Alias, Function, LayerVersion
from emulator.template.resources import Resources

# What Lambda's API shows of a function and the emulator has no other use for.
_SHOWN_PROPERTIES = (
    "Architectures", "DeadLetterConfig", "Description", "EphemeralStorage", "LoggingConfig", "Role", "TracingConfig",
)  # fmt: skip


def read_function(resources: Resources, logical_id: str, function: Function) -> FunctionSpec:
    """Return one function of the template.

    Raises
    ------
    UnsupportedError
        Its alias or a layer can't be imitated.
    """
    layers = _layers(resources, logical_id, function)
    alias = _alias_of(resources, logical_id)
    provisioned = None if alias is None else alias.provisioned_concurrency_config
    return FunctionSpec(
        logical_id=logical_id,
        name=resources[logical_id].name,
        code_dir=function.code,
        handler=function.handler,
        runtime=function.runtime,
        layer_dirs=tuple(folder for _, folder in layers),
        layer_arns=tuple(arn for arn, _ in layers),
        environment=function.environment.variables,
        timeout_s=function.timeout,
        memory_mb=function.memory_size,
        snap_start=function.snap_start.apply_on == "PublishedVersions",
        alias=None if alias is None else alias.name,
        log_format=function.logging_config.log_format,
        log_level=function.logging_config.application_log_level,
        reserved_concurrency=function.reserved_concurrent_executions,
        provisioned_concurrency=None if provisioned is None else provisioned.provisioned_concurrent_executions,
        properties=_shown(resources[logical_id].properties),
    )


def _layers(resources: Resources, logical_id: str, function: Function) -> list[tuple[str, Path]]:
    """Return ARN without version, and folder, of the layers that the template has."""
    layers = []
    for value in function.layers:
        layer = resources.target(value, LayerVersion)
        if layer is None:
            resources.notes.append(
                f"{logical_id}: the layer {value} is not in the template; "
                "what it holds must be importable in this Python"
            )
        else:
            arn = resources[layer].name.rpartition(":")[0]
            layers.append((arn, resources.read(layer, LayerVersion).content))
    return layers


def _alias_of(resources: Resources, function: str) -> Alias | None:
    """Return the function's alias.

    Raises
    ------
    UnsupportedError
        There are several, or it isn't at the one version that a template starts with.
    """
    aliases = {
        name: alias
        for name, alias in resources.of_type(Alias).items()
        if resources.target(alias.function_name, Function) == function
    }
    if len(aliases) > 1:
        raise UnsupportedError(function, "Alias", f"it has {' and '.join(aliases)}; only one is imitated")
    for name, alias in aliases.items():
        if alias.routing_config:
            reason = "a template has one version here; set weights with UpdateAlias"
            raise UnsupportedError(name, "RoutingConfig", reason)
        if alias.function_version == "$LATEST":
            raise UnsupportedError(name, "FunctionVersion", "only aliases of a published version are imitated")
        return alias
    return None


def _shown(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what can be resolved; the rest, such as the ARN of a queue, changes no answer."""
    shown = {}
    for name in _SHOWN_PROPERTIES:
        with contextlib.suppress(ValueError):
            shown[name] = plain(properties.get(name))
    return {name: value for name, value in shown.items() if value is not None}
