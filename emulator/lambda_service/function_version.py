"""One version of a function as Lambda sets it up: its variables and its path. Reads nothing but its folders."""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emulator.template.project import FunctionSpec

LATEST = "$LATEST"
# The machine's own variables, which a process needs wherever it runs.
_MACHINE_VARIABLES = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE")
_SURROUNDINGS = {"LANG": "en_US.UTF-8", "TZ": ":UTC"}
# Variables that Python, its libraries or the dynamic linker read when a process starts.
_READ_AT_START = ("PYTHON", "LD_", "DYLD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OPENSSL_")
# Of the 64 KB that a message to a running Python holds. Lambda itself allows 4 KB of variables.
_MOST_VARIABLES_BYTES = 48 << 10
_RUN_AT_START = {"sitecustomize", "usercustomize"}
_ENOUGH_COMPILED_MODULES = 20


@dataclass(frozen=True, slots=True)
class LocalCredentials:
    """The credentials that functions get, and that sign requests to the API's routes with IAM."""

    access_key: str = "emulator"
    secret_key: str = field(default="emulator", repr=False)
    # None for keys that don't expire.
    token: str | None = field(default="emulator", repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class FunctionVersion:
    """One version of a function, as an environment runs it; compared by identity, as environments are pooled by it."""

    spec: FunctionSpec
    version: str  # ``$LATEST`` or a number
    arn: str  # Unqualified

    @property
    def uses_snapshots(self) -> bool:
        """SnapStart is for published versions."""
        return self.spec.snap_start and self.version != LATEST


def import_folders(spec: FunctionSpec) -> list[str]:
    """Return the folders for ``sys.path``, in Lambda's order: the task's root, then the layers, last one first.

    A layer of a source template holds its modules at its root, and `sam build` puts them under ``python``, so all
    places count; of the versions' folders, first that of this Python, then the runtime's, which Lambda would take.
    """
    versions = dict.fromkeys((f"python{sys.version_info.major}.{sys.version_info.minor}", spec.runtime))
    folders = [spec.code_dir]
    for layer in reversed(spec.layer_dirs):
        of_versions = [layer / "python" / "lib" / version / "site-packages" for version in versions]
        candidates = (*of_versions, layer / "python", layer)
        folders += [folder for folder in candidates if folder.is_dir()]
    return [str(folder) for folder in folders]


def is_built_for_another_python(spec: FunctionSpec) -> bool:
    """Return whether the folders hold modules compiled for another Python than this one."""
    own_suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for folder in (spec.code_dir, *spec.layer_dirs):
        for seen, module in enumerate(folder.rglob("*.cpython-*.so")):
            if not module.name.endswith(own_suffix):
                return True
            if seen >= _ENOUGH_COMPILED_MODULES:
                break
    return False


def needs_own_interpreter(spec: FunctionSpec) -> bool:
    """Return whether Python must be started for this function, instead of forking a process that has started it.

    So it is for variables that are read when a process starts, or that are too many for a message to that process; and
    for modules that are called as one of the standard library, since the process may have imported that one.
    """
    words = [*spec.environment, *spec.environment.values()]
    if any(name.startswith(_READ_AT_START) for name in spec.environment) or any("\0" in word for word in words):
        return True
    if len(json.dumps(dict(spec.environment))) > _MOST_VARIABLES_BYTES:
        return True
    modules = {
        path.name.partition(".")[0]
        for folder in import_folders(spec)
        for path in Path(folder).iterdir()
        if path.suffix in {"", ".py", ".pyc", ".so"}
    }
    return not modules.isdisjoint(sys.stdlib_module_names | _RUN_AT_START)


def common_variables(machine: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are the same for all functions; `machine` is the emulator's own environment."""
    return {**{name: machine[name] for name in _MACHINE_VARIABLES if name in machine}, **_SURROUNDINGS}


def local_credentials(machine: Mapping[str, str]) -> LocalCredentials:
    """Return the credentials in the emulator's own environment, or else ones that are valid nowhere else."""
    access_key, secret_key = machine.get("AWS_ACCESS_KEY_ID"), machine.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        return LocalCredentials()
    return LocalCredentials(access_key, secret_key, machine.get("AWS_SESSION_TOKEN") or None)


def environment_variables(
    function: FunctionVersion, machine: Mapping[str, str], *, region: str, log_stream: str, runtime_api: str
) -> dict[str, str]:
    """Return all the variables of an environment.

    `machine` is the emulator's own environment. Of it only the credentials and the machine's variables are passed on.
    Versions with SnapStart have no ``AWS_LAMBDA_LOG_STREAM_NAME``. `runtime_api` is ``host:port``.
    """
    spec = function.spec
    task_root = str(spec.code_dir)
    layers = [folder for folder in import_folders(spec) if folder != task_root]
    variables = common_variables(machine)
    credentials = local_credentials(machine)
    variables |= {"AWS_ACCESS_KEY_ID": credentials.access_key, "AWS_SECRET_ACCESS_KEY": credentials.secret_key}
    if credentials.token is not None:
        variables["AWS_SESSION_TOKEN"] = credentials.token
    variables |= {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if function.uses_snapshots else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_LOG_FORMAT": spec.log_format,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        # No AWS_XRAY_DAEMON_ADDRESS, since no daemon runs: tracers would spend a tenth of a request on segments.
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "_HANDLER": spec.handler,
        "LAMBDA_TASK_ROOT": task_root,
        "LAMBDA_RUNTIME_DIR": str(Path(__file__).parent / "sandbox"),
        "PYTHONPATH": ":".join(layers),
    }
    if function.uses_snapshots:
        # A snapshot is initialised once for many environments, and each has another log.
        del variables["AWS_LAMBDA_LOG_GROUP_NAME"], variables["AWS_LAMBDA_LOG_STREAM_NAME"]
    if spec.log_level is not None:
        variables["AWS_LAMBDA_LOG_LEVEL"] = spec.log_level
    return {**variables, **spec.environment}
