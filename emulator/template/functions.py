"""Reads a template's functions, with their alias and layers, as `FunctionSpec`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.template.errors import UnsupportedError
from emulator.template.project import CodeRollout, FunctionSpec
from emulator.template.resource_models import Alias, EventInvokeConfig, LayerVersion
from emulator.template.resources import Resources
from emulator.template.values import Reference, Unresolvable, as_text, plain

# The address that API Gateway calls contains the function's ARN; API Gateway also accepts the ARN alone.
_FUNCTION_ARN = re.compile(
    r"(?:^|functions/)arn:[^:]+:lambda:[^:]*:[^:]*:function:([^:/]+)(?::([^:/]+))?(?:/invocations)?$"
)
_IMPORTABLE = "what it holds must be importable in this Python"
_ROLLOUT_CONFIG = re.compile(
    r"CodeDeployDefault\.Lambda(?:AllAtOnce|Canary(?P<canary>\d+)Percent(?P<bake>\d+)Minutes"
    r"|Linear(?P<linear>\d+)PercentEvery(?P<every>\d+)Minutes?)"
)
# Properties that Lambda's API shows and the emulator has no other use for.
_SHOWN_PROPERTIES = (
    "Architectures", "DeadLetterConfig", "Description", "EphemeralStorage", "FileSystemConfigs", "KmsKeyArn",
    "LoggingConfig", "Role", "TracingConfig", "VpcConfig",
)  # fmt: skip
VARIABLES = "Environment.Variables."
# Where Lambda's API has another name for a property.
_API_NAMES = {"KmsKeyArn": "KMSKeyArn"}
# Why a property isn't imitated, and what follows.
_NOT_IMITATED = {
    "FileSystemConfigs": ("file systems are not imitated", "nothing is mounted"),
    "DurableConfig": ("durable functions are not imitated", "it runs as any other function"),
    "CapacityProviderConfig": ("capacity providers are not imitated", "it runs as any other function"),
    "TenancyConfig": ("tenant isolation is not imitated", "tenants share environments"),
}
_WITHOUT_EFFECT = {
    "KmsKeyArn": ("keys are not imitated", "nothing is encrypted"),
    "VpcConfig": ("networks are not imitated", "the function reaches what this machine reaches"),
    "EphemeralStorage": ("the size of /tmp is not imitated", "the function's temporary folder has no limit"),
}
# Properties without which a function runs all the same.
_OPTIONAL = {
    "LoggingConfig": "it logs as text, to its own group",
    "ReservedConcurrentExecutions": "it has no reserved concurrency",
    "SnapStart": "its versions have no snapshots",
}
_OPTIONAL_OF_ALIAS = {
    "RoutingConfig": "the alias points to one version",
    "ProvisionedConcurrencyConfig": "nothing is provisioned",
}


def read_function(resources: Resources, logical_id: str, *, follows_code: bool) -> FunctionSpec:
    """Return one function of the template, or raise `UnsupportedError` if it can't be imitated.

    `follows_code` says whether other code makes another version of it.
    """
    properties = resources[logical_id].properties
    if properties.get("PackageType", "Zip") != "Zip":
        raise UnsupportedError(logical_id, "PackageType", "only Zip functions are imitated: images need Docker")
    for name, (reason, consequence) in _NOT_IMITATED.items():
        if properties.get(name):
            resources.leave_out(UnsupportedError(logical_id, name, reason), consequence)
    for name, (reason, consequence) in _WITHOUT_EFFECT.items():
        if properties.get(name):
            resources.report(logical_id, name, reason, consequence)
    layers = _layers(resources, logical_id)
    _report_variables(resources, logical_id)
    alias, version_id, rollout = _alias_of(resources, logical_id)
    return resources.read(
        logical_id,
        FunctionSpec,
        optional=_OPTIONAL,
        logical_id=logical_id,
        name=resources[logical_id].name,
        layer_dirs=tuple(layers.values()),
        layer_arns=tuple(layers),
        alias=None if alias is None else alias.name,
        version_id=version_id,
        version_follows_code=follows_code,
        rollout=rollout,
        version_variables=_version_variables(resources, properties),
        provisioned_concurrency=None if alias is None else alias.provisioned_concurrency,
        event_invoke=_event_invoke(resources, logical_id),
        tag_values=_tags(properties.get("Tags")),
        properties=_shown(properties),
    )


def properties_of_unavailable(resources: Resources, logical_id: str) -> dict[str, Any]:
    """Return what Lambda's API shows of a function that can't run, as far as it is known."""
    properties = resources[logical_id].properties
    return {**_shown(properties), **_shown(properties, "PackageType", "Handler", "Runtime", "Timeout", "MemorySize")}


def find_function(address: Any, functions: Mapping[str, str]) -> tuple[str, str | None] | None:
    """Return the logical id and the qualifier of the function whose ARN an address is or contains, or None.

    An address that can't be resolved names no function.

    ``functions`` maps the names of the template's functions to logical ids.
    """
    match = None if isinstance(address, Unresolvable) else _FUNCTION_ARN.search(str(address))
    return (functions[match[1]], match[2]) if match is not None and match[1] in functions else None


def _layers(resources: Resources, function: str) -> dict[str, Path]:
    """Return ARN without version → folder of the function's layers that the template has."""
    layers = {}
    values = resources[function].properties.get("Layers") or []
    for value in values if isinstance(values, list) else [values]:
        layer = resources.target(value, LayerVersion)
        if isinstance(value, Unresolvable):
            resources.leave_out(UnsupportedError(function, "Layers", value.reason), _IMPORTABLE)
        elif layer is None:
            resources.report(function, "Layers", f"the layer {value} is not in the template", _IMPORTABLE)
        else:
            arn = resources[layer].name.rpartition(":")[0]
            try:
                layers[arn] = resources.read(layer, LayerVersion).content
            except UnsupportedError as error:
                # SAM adds a hash to a layer's logical id, and keeps the id of the template as its name.
                error = UnsupportedError(arn.rpartition(":")[2], error.property, error.reason)
                resources.leave_out(error, _IMPORTABLE)
    return layers


def _alias_of(resources: Resources, function: str) -> tuple[Alias | None, str, CodeRollout | None]:
    """Return the function's alias, the logical id of its version, and how CodeDeploy shifts the alias.

    Of several aliases it is the first.
    """
    aliases = resources.owned_by(function, Alias, "FunctionName")
    if len(aliases) > 1:
        error = UnsupportedError(function, "Alias", f"it has {' and '.join(aliases)}; only one is imitated")
        resources.leave_out(error, "requests to the others are refused; CreateAlias makes them")
    if not aliases:
        return None, "", None
    version = resources[aliases[0]].properties.get("FunctionVersion")
    version_id = version.logical_id if isinstance(version, Reference) else str(version)
    try:
        alias = resources.read(aliases[0], Alias, optional=_OPTIONAL_OF_ALIAS)
    except UnsupportedError as error:
        resources.leave_out(error, "the alias doesn't exist here")
        return None, "", None
    return alias, version_id, _code_rollout(resources, aliases[0])


def _code_rollout(resources: Resources, alias: str) -> CodeRollout | None:
    """Return how the template shifts an alias, or None if CloudFormation moves it at once."""
    policy = resources[alias].update_policy.get("CodeDeployLambdaAliasUpdate")
    if not isinstance(policy, dict):
        return None
    group = policy.get("DeploymentGroupName")
    properties = resources[group.logical_id].properties if isinstance(group, Reference) else {}
    config = str(properties.get("DeploymentConfigName", "CodeDeployDefault.LambdaAllAtOnce"))
    if _ROLLOUT_CONFIG.fullmatch(config) is None:
        reason = f"the deployment configuration {config} is not imitated"
        resources.report(alias, "DeploymentConfigName", reason, "a deployment shifts all requests at once")
    if properties.get("TriggerConfigurations"):
        resources.report(alias, "TriggerConfigurations", "notifications are not imitated", "nobody is told")
    if policy.get("AfterAllowTrafficHook"):
        reason = "a hook after the traffic was shifted is not imitated"
        resources.report(alias, "AfterAllowTrafficHook", reason, "it isn't called")
    hook = policy.get("BeforeAllowTrafficHook")
    alarms = properties.get("AlarmConfiguration") or {}
    return CodeRollout(
        code_rollout_steps(config),
        hook.logical_id if isinstance(hook, Reference) else None,
        watches_errors=bool(alarms.get("Enabled") and alarms.get("Alarms")),
    )


def code_rollout_steps(config: str) -> tuple[tuple[float, float], ...]:
    """Return the steps of one of CodeDeploy's own configurations: each a share, and the seconds until the next."""
    match = _ROLLOUT_CONFIG.fullmatch(config)
    if match is None:
        return ()
    if match["canary"]:
        return ((int(match["canary"]) / 100, int(match["bake"]) * 60.0),)
    if match["linear"]:
        percent = int(match["linear"])
        return tuple((share / 100, int(match["every"]) * 60.0) for share in range(percent, 100, percent))
    return ()


def _report_variables(resources: Resources, function: str) -> None:
    """Report the environment variables whose value isn't known, or is only likely."""
    environment = resources[function].properties.get("Environment")
    variables = environment.get("Variables") if isinstance(environment, Mapping) else None
    for name, value in variables.items() if isinstance(variables, Mapping) else ():
        place = f"{VARIABLES}{name}"
        if isinstance(value, Unresolvable):
            error = UnsupportedError(function, place, value.reason)
            resources.leave_out(error, f"it is {value.text} here; --env-vars gives another value")
        if value is None or isinstance(value, list | Mapping):
            error = UnsupportedError(function, place, f"it is {value!r}, and CloudFormation takes only text here")
            resources.leave_out(error, "it is empty here")
        for likely, resource in resources.placeholders.likely_in(as_text(value)).items():
            reason = f"{resource} isn't imitated"
            resources.report(function, place, reason, f"it has {likely} here; --env-vars gives another value")


def _version_variables(resources: Resources, properties: Mapping[str, Any]) -> dict[str, str]:
    """Return variable → name of the function whose version the variable refers to."""
    environment = properties.get("Environment")
    variables = environment.get("Variables") if isinstance(environment, Mapping) else None
    if not isinstance(variables, Mapping):
        return {}
    return {
        name: str(value).split(":")[6]
        for name, value in variables.items()
        if isinstance(value, Reference)
        and value.logical_id in resources
        and resources[value.logical_id].type == "AWS::Lambda::Version"
        and str(value).startswith("arn:")
    }


def _event_invoke(resources: Resources, function: str) -> dict[str, dict[str, Any]]:
    """Return the function's settings of asynchronous events, by alias or version."""
    settings = {}
    for name in resources.owned_by(function, EventInvokeConfig, "FunctionName"):
        with resources.leaving_out("events are tried again as Lambda does by default"):
            config = resources.read(name, EventInvokeConfig)
            values = {
                "MaximumRetryAttempts": config.maximum_retry_attempts,
                "MaximumEventAgeInSeconds": config.maximum_event_age_in_seconds,
                "DestinationConfig": _destinations(resources, name, config) or None,
            }
            settings[config.qualifier] = {name: value for name, value in values.items() if value is not None}
    return settings


def _tags(tags: Any) -> dict[str, str]:
    """Return a function's tags; those whose value can't be resolved are left out, since no answer depends on them."""
    pairs = {}
    for tag in tags if isinstance(tags, list) else []:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            pairs[str(plain(tag["Key"]))] = str(plain(tag["Value"]))
    return pairs


def _destinations(resources: Resources, name: str, config: EventInvokeConfig) -> dict[str, dict[str, str]]:
    """Return the destinations whose ARN is known, as Lambda's API describes them."""
    destinations = {}
    for outcome, arn in {"OnSuccess": config.on_success, "OnFailure": config.on_failure}.items():
        if isinstance(arn, Unresolvable):
            place = f"DestinationConfig.{outcome}.Destination"
            resources.report(name, place, arn.reason, "the records of these invocations are not kept")
        elif arn:
            destinations[outcome] = {"Destination": str(arn)}
    return destinations


def _shown(properties: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return what can be resolved; the rest, such as the ARN of a queue, changes no answer."""
    shown = {}
    for name in names or _SHOWN_PROPERTIES:
        with contextlib.suppress(ValueError):
            shown[_API_NAMES.get(name, name)] = plain(properties.get(name))
    return {name: value for name, value in shown.items() if value is not None}
