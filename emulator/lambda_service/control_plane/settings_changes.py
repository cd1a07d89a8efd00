"""The settings that `UpdateFunctionConfiguration` may change, and their limits. Pure.

The limits are those of AWS's service model and of its page on quotas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from emulator.lambda_service.errors import InvalidParameterError, ValidationError

_MAX_VARIABLES_BYTES = 4096
_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_RESERVED_VARIABLES = frozenset({
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
})  # fmt: skip
_FIRST_SNAP_START_PYTHON = 12


def changed_settings(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with changes applied. The caller applies ``Layers``.

    Raises
    ------
    ValidationError, InvalidParameterError
        A value is not allowed, or the emulator can't imitate it.
    """
    changed = dict(settings)
    for name, value in changes.items():
        if value is None or name == "Layers":
            continue
        check = _CHECKS.get(name)
        if check is None:
            raise InvalidParameterError(f"The emulator can't change {name}.")
        changed[name] = check(value)
    if "LoggingConfig" in changes:
        changed["LoggingConfig"] = {**settings["LoggingConfig"], **changed["LoggingConfig"]}
    if changed["SnapStart"]["ApplyOn"] == "PublishedVersions":
        runtime = changed["Runtime"]
        if int(runtime.removeprefix("python3.")) < _FIRST_SNAP_START_PYTHON:
            raise InvalidParameterError(f"{runtime} is not supported for SnapStart enabled functions.")
    return changed


def _between(member: str, low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValidationError(value, member, "Member must be a whole number")
        if value < low:
            raise ValidationError(value, member, f"Member must have value greater than or equal to {low}")
        if value > high:
            raise ValidationError(value, member, f"Member must have value less than or equal to {high}")
        return value

    return check


def _text(member: str, longest: int, pattern: str = r"(?s).*") -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest:
            raise ValidationError(value, member, f"Member must have length less than or equal to {longest}")
        if re.fullmatch(pattern, value) is None:
            raise ValidationError(value, member, f"Member must satisfy regular expression pattern: {pattern}")
        return value

    return check


def _one_of(member: str, *allowed: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in allowed:
            raise ValidationError(value, member, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
        return str(value)

    return check


def _structure(member: str, **checks: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not value.keys() <= checks.keys():
            raise ValidationError(value, member, f"Member must be a structure of {', '.join(checks)}")
        return {name: checks[name](member) for name, member in value.items()}

    return check


def _runtime(value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(r"python3\.\d+", value) is None:
        raise InvalidParameterError(f"The emulator runs Python functions only, not the runtime {value}.")
    return value


def _environment(value: Any) -> dict[str, dict[str, str]]:
    variables = value.get("Variables") or {} if isinstance(value, Mapping) else None
    if not isinstance(variables, Mapping) or not all(isinstance(text, str) for text in variables.values()):
        raise ValidationError(value, "environment", "Member must be a structure with a map of strings in Variables")
    for name in variables:
        if _VARIABLE.fullmatch(name) is None and name != "_HANDLER":
            raise ValidationError(
                name, "environment.variables", f"Member must satisfy regular expression pattern: {_VARIABLE.pattern}"
            )
    reserved = sorted(_RESERVED_VARIABLES & variables.keys())
    common = "Lambda was unable to configure your environment variables because the environment variables you have "
    if reserved:
        raise InvalidParameterError(
            f"{common}provided contains reserved keys that are currently not supported for modification. Reserved "
            f"keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > _MAX_VARIABLES_BYTES:
        raise InvalidParameterError(f"{common}provided exceeded the 4KB limit. String measured: {measured}")
    return {"Variables": dict(variables)}


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "Description": _text("description", 256),
    "Environment": _environment,
    "EphemeralStorage": _structure("ephemeralStorage", Size=_between("ephemeralStorage.size", 512, 10_240)),
    "Handler": _text("handler", 128, r"[^\s]+"),
    "LoggingConfig": _structure(
        "loggingConfig",
        LogFormat=_one_of("loggingConfig.logFormat", "JSON", "Text"),
        ApplicationLogLevel=_one_of(
            "loggingConfig.applicationLogLevel", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"
        ),
        SystemLogLevel=_one_of("loggingConfig.systemLogLevel", "DEBUG", "INFO", "WARN"),
        LogGroup=_text("loggingConfig.logGroup", 512, r"[\.\-_/#A-Za-z0-9]+"),
    ),
    "MemorySize": _between("memorySize", 128, 10_240),
    "Role": _text("role", 10_000, r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"),
    "Runtime": _runtime,
    "SnapStart": _structure("snapStart", ApplyOn=_one_of("snapStart.applyOn", "PublishedVersions", "None")),
    "Timeout": _between("timeout", 1, 900),
    "TracingConfig": _structure("tracingConfig", Mode=_one_of("tracingConfig.mode", "Active", "PassThrough")),
}
