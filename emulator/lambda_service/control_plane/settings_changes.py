"""The settings that `UpdateFunctionConfiguration` may change, and their limits. Pure.

The control API has already checked each value against AWS's service model. This module checks the limits of AWS's page
on quotas that are narrower, and those of the emulator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from emulator.lambda_service.errors import InvalidParameterError, LambdaApiError

_CHANGEABLE = frozenset({
    "Description", "Environment", "EphemeralStorage", "Handler", "LoggingConfig", "MemorySize", "Role", "Runtime",
    "SnapStart", "Timeout", "TracingConfig",
})  # fmt: skip
# Structures whose members change one by one: a member that isn't given keeps its value.
_MEMBERS = {
    "EphemeralStorage": ("Size",),
    "LoggingConfig": ("LogFormat", "ApplicationLogLevel", "SystemLogLevel", "LogGroup"),
    "SnapStart": ("ApplyOn",),
    "TracingConfig": ("Mode",),
}
# Seconds and megabytes.
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


def _check_runtime(runtime: str, *, uses_snap_start: bool) -> None:
    match = re.fullmatch(r"python3\.(\d+)", runtime)
    if match is None:
        raise InvalidParameterError(f"The emulator runs Python functions only, not the runtime {runtime}.")
    if uses_snap_start and int(match[1]) < _FIRST_SNAP_START_PYTHON:
        raise InvalidParameterError(f"{runtime} is not supported for SnapStart enabled functions.")


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
