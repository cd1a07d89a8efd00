"""An ``AWS::Lambda::Function`` of a template, with its alias and layers, as a `FunctionSpec`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from emulator.template.intrinsics import as_text
from emulator.template.project import FunctionSpec
from emulator.template.project import UnsupportedError as Unsupported
from emulator.template.resource_reader import TemplateReader, whole_number

# What Lambda's API shows of a function and the emulator has no other use for.
_SHOWN_PROPERTIES = (
    "Architectures", "DeadLetterConfig", "Description", "EphemeralStorage", "LoggingConfig", "Role", "TracingConfig",
)  # fmt: skip
_REFUSED_PROPERTIES = {
    "FileSystemConfigs": "file systems are not imitated",
    "DurableConfig": "durable functions are not imitated",
    "CapacityProviderConfig": "capacity providers are not imitated",
    "TenancyConfig": "tenant isolation is not imitated",
}


def read_function(template: TemplateReader, logical_id: str) -> FunctionSpec:
    """Return one function of the template.

    Raises
    ------
    UnsupportedError
        It is no Python function in a local folder, or has a property that would change its answers.
    """
    if template.get(logical_id, "PackageType", "Zip") != "Zip":
        raise Unsupported(logical_id, "PackageType", "only Zip functions are imitated: images need Docker")
    runtime = str(template.get(logical_id, "Runtime", ""))
    if not runtime.startswith("python3."):
        raise Unsupported(logical_id, "Runtime", f"{runtime or 'none'}: only Python functions are imitated")
    for name, reason in _REFUSED_PROPERTIES.items():
        if template.get(logical_id, name):
            raise Unsupported(logical_id, name, reason)
    logging = template.get(logical_id, "LoggingConfig", {})
    variables = template.get(logical_id, "Environment", {}).get("Variables", {})
    layers = _layers(template, logical_id)
    alias = _alias_of(template, logical_id)
    return FunctionSpec(
        logical_id=logical_id,
        name=str(template.name(logical_id)),
        code_dir=template.local_dir(logical_id, "CodeUri", template.get(logical_id, "Code")),
        handler=str(template.get(logical_id, "Handler", "")),
        runtime=runtime,
        layer_dirs=tuple(folder for _, folder in layers),
        layer_arns=tuple(arn for arn, _ in layers),
        environment={str(name): as_text(value) for name, value in variables.items()},
        timeout_s=template.number(logical_id, "Timeout", 3, low=1, high=900),
        memory_mb=template.number(logical_id, "MemorySize", 128, low=128, high=10_240),
        snap_start=template.get(logical_id, "SnapStart", {}).get("ApplyOn") == "PublishedVersions",
        alias=None if alias is None else str(template.get(alias, "Name")),
        log_format=str(logging.get("LogFormat", "Text")),
        log_level=logging.get("ApplicationLogLevel"),
        reserved_concurrency=_reserved(template, logical_id),
        provisioned_concurrency=None if alias is None else _provisioned(template, alias),
        properties=_shown_properties(template, logical_id),
    )


def _shown_properties(template: TemplateReader, logical_id: str) -> dict[str, Any]:
    """Return what can be resolved; what can't, such as an ARN of a queue, changes no answer."""
    shown = {}
    for name in _SHOWN_PROPERTIES:
        with contextlib.suppress(Unsupported):
            shown[name] = template.get(logical_id, name)
    return {name: value for name, value in shown.items() if value is not None}


def _reserved(template: TemplateReader, logical_id: str) -> int | None:
    name = "ReservedConcurrentExecutions"
    value = template.get(logical_id, name)
    return None if value is None else whole_number(logical_id, name, value, low=0, high=1_000_000)


def _layers(template: TemplateReader, logical_id: str) -> list[tuple[str, Path]]:
    known = {template.name(name): name for name in template.of_type("AWS::Lambda::LayerVersion")}
    found: list[tuple[str, Path]] = []
    for arn in template.get(logical_id, "Layers", []):
        if arn in known:
            folder = template.local_dir(known[arn], "ContentUri", template.get(known[arn], "Content"))
            found.append((arn.rpartition(":")[0], folder))
        else:
            template.notes.append(
                f"{logical_id}: the layer {arn} is not in the template; what it holds must be importable in this Python"
            )
    return found


def _alias_of(template: TemplateReader, function: str) -> str | None:
    """Return the logical id of the function's alias.

    Raises
    ------
    UnsupportedError
        There are several, or it isn't at the one version that a template starts with.
    """
    found = [
        name
        for name in template.of_type("AWS::Lambda::Alias")
        if template.refers_to(name, "FunctionName", function)
    ]  # fmt: skip
    if len(found) > 1:
        raise Unsupported(function, "Alias", f"it has {' and '.join(found)}; only one is imitated")
    if found and template.get(found[0], "RoutingConfig"):
        raise Unsupported(found[0], "RoutingConfig", "a template has one version here; set weights with UpdateAlias")
    if found and template.get(found[0], "FunctionVersion") == "$LATEST":
        raise Unsupported(found[0], "FunctionVersion", "only aliases of a published version are imitated")
    return found[0] if found else None


def _provisioned(template: TemplateReader, alias: str) -> int | None:
    config = template.get(alias, "ProvisionedConcurrencyConfig")
    if config is None:
        return None
    name = "ProvisionedConcurrencyConfig"
    return whole_number(alias, name, config.get("ProvisionedConcurrentExecutions"), low=1, high=1_000_000)
