"""A function's configuration: from the template, changed and shown by AWS's API, and as an environment needs it. Pure.

The control API has already checked a change against AWS's service model. Here the narrower limits of AWS's page on
quotas are checked, and those of the emulator.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.lambda_service.control_plane.account import VersionRecord, without
from emulator.lambda_service.control_plane.code_store import CodeStore
from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.errors import InvalidParameterError, LambdaApiError
from emulator.lambda_service.function_version import LATEST
from emulator.template.project import FunctionSpec, UnavailableFunction

_DEFAULTS: dict[str, Any] = {
    "Description": "",
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
    "TracingConfig": {"Mode": "PassThrough"},
}
_CREATED_WITH: dict[str, Any] = {
    "Timeout": 3,
    "MemorySize": 128,
    "Environment": {"Variables": {}},
    "SnapStart": {"ApplyOn": "None"},
}
CREATING = "Creating"
# Kept and shown; empty ones aren't shown. All but the dead-letter queue are without effect here.
_KEPT = frozenset({"DeadLetterConfig", "FileSystemConfigs", "ImageConfig", "KMSKeyArn", "VpcConfig"})
# The settings that `UpdateFunctionConfiguration` may change.
_CHANGEABLE = _KEPT | {
    "Description", "Environment", "EphemeralStorage", "Handler", "LoggingConfig", "MemorySize", "Role", "Runtime",
    "SnapStart", "Timeout", "TracingConfig",
}  # fmt: skip
# Structures whose members change one by one: a member that isn't given keeps its value.
_MEMBERS = {
    "EphemeralStorage": ("Size",),
    "LoggingConfig": ("LogFormat", "ApplicationLogLevel", "SystemLogLevel", "LogGroup"),
    "SnapStart": ("ApplyOn",),
    "TracingConfig": ("Mode",),
}
# Of seconds and megabytes, by the member's name in AWS's messages.
_HIGHEST = {"timeout": 900, "memorySize": 10_240, "ephemeralStorage.size": 10_240}
_MAX_VARIABLES_BYTES = 4096
_RESERVED_VARIABLES = frozenset({
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
})  # fmt: skip
_FIRST_SNAP_START_PYTHON = 12
_VPC_ID = "vpc-00000000000000000"
_NOT_IN_LISTS = frozenset({
    "State", "StateReason", "StateReasonCode", "LastUpdateStatus", "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode", "RuntimeVersionConfig",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a version can answer; AWS calls it the version's state."""

    state: str = "Active"  # ``Pending`` while a version's snapshot is made, then ``Active`` or ``Failed``
    reason: str | None = None  # Why it isn't active; `reason_code` is AWS's word for it
    reason_code: str | None = None


BEING_CREATED = Readiness("Pending", "The function is being created.", CREATING)


def settings_of(spec: FunctionSpec, arn_scope: ArnScope) -> dict[str, Any]:
    """Return a template's function as its configuration, in the names of AWS's API."""
    logging = {"LogFormat": spec.log_format, "LogGroup": spec.log_group, **spec.properties.get("LoggingConfig", {})}
    return {
        **_DEFAULTS,
        "Role": f"arn:aws:iam::{arn_scope.account_id}:role/{spec.logical_id}Role",
        **spec.properties,
        "Handler": spec.handler,
        "Runtime": spec.runtime,
        "Timeout": spec.timeout_s,
        "MemorySize": spec.memory_mb,
        "Environment": {"Variables": dict(spec.environment)},
        "SnapStart": {"ApplyOn": "PublishedVersions" if spec.snap_start else "None"},
        "LoggingConfig": logging,
    }


def created_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a function that CreateFunction makes, with AWS's defaults."""
    if not {"Handler", "Runtime"} <= settings.keys():
        raise InvalidParameterError(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    architectures = {"Architectures": settings["Architectures"]} if settings.get("Architectures") else {}
    logging = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    defaults = {**_DEFAULTS, **_CREATED_WITH, "LoggingConfig": logging, **architectures}
    return changed_settings(defaults, without(settings, "Architectures"))


def settings_of_unavailable(function: UnavailableFunction, arn_scope: ArnScope) -> dict[str, Any]:
    """Return the configuration of a function that can't run, as far as the template tells it."""
    spec = FunctionSpec(function.logical_id, function.name, Path(), handler="", runtime="")
    return {**settings_of(spec, arn_scope), **function.properties}


def changed_settings(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with changes applied; refuse a value over its limit, and one that can't be imitated.

    The caller applies ``Layers``.
    """
    updates = {name: value for name, value in changes.items() if value is not None and name != "Layers"}
    for name in updates:
        if name not in _CHANGEABLE:
            raise InvalidParameterError(f"The emulator can't change {name}.")
    changed = {**settings, **updates}
    for name, members in _MEMBERS.items():
        structure = updates.get(name, {})
        changed[name] = settings[name] | {key: structure[key] for key in members if structure.get(key) is not None}
    values = (changed["Timeout"], changed["MemorySize"], changed["EphemeralStorage"]["Size"])
    for value, (member, highest) in zip(values, _HIGHEST.items(), strict=True):
        if value > highest:
            constraint = f"failed to satisfy constraint: Member must have value less than or equal to {highest}"
            message = f"1 validation error detected: Value '{value}' at '{member}' {constraint}"
            raise LambdaApiError("ValidationException", 400, message)
    if "Environment" in updates:
        changed["Environment"] = {"Variables": _checked_variables(updates["Environment"].get("Variables") or {})}
    _check_runtime(changed["Runtime"], uses_snap_start=changed["SnapStart"]["ApplyOn"] == "PublishedVersions")
    return changed


def spec_of(name: str, record: VersionRecord, store: CodeStore) -> FunctionSpec:
    """Return a version as an environment runs it, from the copies of its code."""
    settings = record.settings
    return FunctionSpec(
        logical_id=name,
        name=name,
        code_dir=store.folder(record.code.digest).absolute(),
        handler=settings["Handler"],
        runtime=settings["Runtime"],
        layer_dirs=tuple(
            store.folder(layer.code.digest).absolute() for layer in record.layers if layer.code is not None
        ),
        environment=settings["Environment"]["Variables"],
        timeout_s=settings["Timeout"],
        memory_mb=settings["MemorySize"],
        snap_start=applies_snap_start(record),
        log_format=settings["LoggingConfig"]["LogFormat"],
        log_level=settings["LoggingConfig"].get("ApplicationLogLevel"),
        # Its log group is in there.
        properties={"LoggingConfig": settings["LoggingConfig"]},
    )


def applies_snap_start(record: VersionRecord) -> bool:
    """Return whether the configuration asks for SnapStart of published versions."""
    return bool(record.settings["SnapStart"]["ApplyOn"] == "PublishedVersions")


def describe(
    name: str, arn: str, record: VersionRecord, readiness: Readiness, *, is_updated: bool = False
) -> dict[str, Any]:
    """Return AWS's ``FunctionConfiguration`` of a version; `arn` is the one to show.

    `is_updated` says that ``$LATEST`` was just made or changed.
    """
    settings: Mapping[str, Any] = record.settings
    logging = settings["LoggingConfig"]
    if logging["LogFormat"] == "JSON":
        logging = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **logging}
    is_optimized = applies_snap_start(record) and record.version != LATEST and readiness.state == "Active"
    body = {
        **{name: value for name, value in settings.items() if name not in _KEPT},
        **_kept_settings(settings),
        "FunctionName": name,
        "FunctionArn": arn,
        "CodeSize": record.code.package_bytes,
        "CodeSha256": record.code.package_sha256,
        "Description": settings["Description"] if record.description is None else record.description,
        "LastModified": record.last_modified,
        "Version": record.version,
        "RevisionId": record.revision_id,
        "PackageType": settings.get("PackageType", "Zip"),
        "RuntimeVersionConfig": {"RuntimeVersionArn": _runtime_version_arn(arn, settings["Runtime"])},
        "State": readiness.state,
        "LastUpdateStatus": "Successful",
        "LoggingConfig": logging,
        "SnapStart": {**settings["SnapStart"], "OptimizationStatus": "On" if is_optimized else "Off"},
    }
    if readiness.reason is not None:
        body |= {"StateReason": readiness.reason, "StateReasonCode": readiness.reason_code}
    if is_updated and readiness.state == "Pending":
        # Fidelity: a function that is being made has no status of an update yet.
        del body["LastUpdateStatus"]
    elif is_updated:
        body["LastUpdateStatus"] = "InProgress"
        body["LastUpdateStatusReason"] = BEING_CREATED.reason
        body["LastUpdateStatusReasonCode"] = CREATING
    if record.layers:
        body["Layers"] = [
            {"Arn": layer.arn, "CodeSize": layer.code.package_bytes if layer.code else 0} for layer in record.layers
        ]
    if body["PackageType"] == "Image":
        del body["Handler"], body["Runtime"]
    if not settings["Environment"]["Variables"]:
        del body["Environment"]
    return body


def listed(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as lists show it: without its state and the version of its runtime."""
    return {name: value for name, value in configuration.items() if name not in _NOT_IN_LISTS}


def _kept_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in `_KEPT` in the shapes of an answer, which has none that is empty."""
    kept = {name: settings[name] for name in ("FileSystemConfigs", "KMSKeyArn") if settings.get(name)}
    if (settings.get("DeadLetterConfig") or {}).get("TargetArn"):
        kept["DeadLetterConfig"] = settings["DeadLetterConfig"]
    if settings.get("ImageConfig"):
        kept["ImageConfigResponse"] = {"ImageConfig": settings["ImageConfig"]}
    if settings.get("VpcConfig"):
        config = {"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False, **settings["VpcConfig"]}
        kept["VpcConfig"] = {**config, "VpcId": _VPC_ID if config["SubnetIds"] else ""}
    return kept


def _check_runtime(runtime: str, *, uses_snap_start: bool) -> None:
    match = re.fullmatch(r"python3\.(\d+)", runtime)
    if match is None:
        raise InvalidParameterError(f"The emulator runs Python functions only, not the runtime {runtime}.")
    if uses_snap_start and int(match[1]) < _FIRST_SNAP_START_PYTHON:
        raise InvalidParameterError(f"{runtime} is not supported for SnapStart enabled functions.")


def _runtime_version_arn(function_arn: str, runtime: str) -> str:
    """Return a well-formed ARN for the version of a runtime, which the emulator doesn't have."""
    region = function_arn.split(":")[3]
    return f"arn:aws:lambda:{region}::runtime:{hashlib.sha256(runtime.encode()).hexdigest()}"


def _checked_variables(variables: Mapping[str, str]) -> dict[str, str]:
    reserved = sorted(_RESERVED_VARIABLES & variables.keys())
    common = "Lambda was unable to configure your environment variables because the environment variables you have "
    if reserved:
        raise InvalidParameterError(
            f"{common}provided contains reserved keys that are currently not supported for modification. Reserved "
            f"keys used in this request: {', '.join(reserved)}"
        )
    variables_json = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(variables_json.encode()) > _MAX_VARIABLES_BYTES:
        raise InvalidParameterError(f"{common}provided exceeded the 4KB limit. String measured: {variables_json}")
    return dict(variables)
