"""A function's configuration: from the template, as AWS's API shows it, and as an environment needs it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.lambda_service.control_plane.account import VersionRecord
from emulator.lambda_service.control_plane.code_store import CodeStore
from emulator.lambda_service.control_plane.names import Place
from emulator.lambda_service.function_version import LATEST
from emulator.template.project import FunctionSpec

_DEFAULTS: dict[str, Any] = {
    "Description": "",
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
    "TracingConfig": {"Mode": "PassThrough"},
}
CREATING = "Creating"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a version can answer; AWS calls it the version's state."""

    state: str = "Active"  # ``Pending`` while a version's snapshot is made, then ``Active`` or ``Failed``
    reason: str | None = None  # Why it isn't active; `reason_code` is AWS's word for it
    reason_code: str | None = None


def settings_of(spec: FunctionSpec, place: Place) -> dict[str, Any]:
    """Return a template's function as its configuration, in the names of AWS's API."""
    logging = {"LogFormat": spec.log_format, **spec.properties.get("LoggingConfig", {})}
    logging.setdefault("LogGroup", f"/aws/lambda/{spec.name}")
    return {
        **_DEFAULTS,
        "Role": f"arn:aws:iam::{place.account_id}:role/{spec.logical_id}Role",
        **spec.properties,
        "Handler": spec.handler,
        "Runtime": spec.runtime,
        "Timeout": spec.timeout_s,
        "MemorySize": spec.memory_mb,
        "Environment": {"Variables": dict(spec.environment)},
        "SnapStart": {"ApplyOn": "PublishedVersions" if spec.snap_start else "None"},
        "LoggingConfig": logging,
    }


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
    )


def applies_snap_start(record: VersionRecord) -> bool:
    """Return whether the configuration asks for SnapStart of published versions."""
    return bool(record.settings["SnapStart"]["ApplyOn"] == "PublishedVersions")


def describe(name: str, arn: str, record: VersionRecord, readiness: Readiness) -> dict[str, Any]:
    """Return AWS's ``FunctionConfiguration`` of a version; `arn` is the one to show."""
    settings: Mapping[str, Any] = record.settings
    logging = settings["LoggingConfig"]
    if logging["LogFormat"] == "JSON":
        logging = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **logging}
    is_optimized = applies_snap_start(record) and record.version != LATEST and readiness.state == "Active"
    body = {
        **settings,
        "FunctionName": name,
        "FunctionArn": arn,
        "CodeSize": record.code.package_bytes,
        "CodeSha256": record.code.package_sha256,
        "Description": settings["Description"] if record.description is None else record.description,
        "LastModified": record.last_modified,
        "Version": record.version,
        "RevisionId": record.revision_id,
        "PackageType": "Zip",
        "State": readiness.state,
        "LastUpdateStatus": "Successful",
        "LoggingConfig": logging,
        "SnapStart": {**settings["SnapStart"], "OptimizationStatus": "On" if is_optimized else "Off"},
    }
    if readiness.reason is not None:
        body |= {"StateReason": readiness.reason, "StateReasonCode": readiness.reason_code}
    if record.layers:
        body["Layers"] = [
            {"Arn": layer.arn, "CodeSize": layer.code.package_bytes if layer.code else 0} for layer in record.layers
        ]
    if not settings["Environment"]["Variables"]:
        del body["Environment"]
    return body
