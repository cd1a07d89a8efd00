"""Ships the function's code over Lambda's API, to the local stack and to AWS alike.

The alias moves last, to a version that is ready. Until then the previous version answers the alias's requests. Layers,
settings and the API, which `sam deploy` makes, stay as they are.
"""

from __future__ import annotations

import contextlib
import io
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, WaiterError

from peerloan.errors import DeploymentError

# The largest package that Lambda takes in a request; a larger one goes through a bucket.
MAX_DIRECT_BYTES = 50 * 1024 * 1024

_EARLIEST = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Deployment:
    """The result of a deployment.

    The alias points to ``version`` now, and pointed to ``previous_version`` before. They are the same if this code was
    deployed already. ``code_sha256`` is in base64, as Lambda computes it. ``seconds`` has the duration of each step.
    """

    version: str
    previous_version: str
    code_sha256: str
    seconds: dict[str, float]


def make_package(folder: Path) -> bytes:
    """Return a folder as the zip file that Lambda unpacks; the same files give the same bytes on every machine.

    Raises
    ------
    DeploymentError
        If the folder holds no file.
    """
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.relative_to(folder).parts
    )
    if not files:
        raise DeploymentError(f"{folder} has no code in it. Name the function's folder, as sam build makes it.")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(entry, path.read_bytes())
    return target.getvalue()


def deploy(client: Any, function: str, alias: str, source: dict[str, Any], *, ready_within_s: float) -> Deployment:
    """Give a function other code, publish it as a version, wait until that is ready, and point the alias at it.

    Parameters
    ----------
    client : boto3's client of Lambda
        Connected to the local stack or to AWS.
    function, alias : str
        The function to update and the alias to move; both must exist.
    source : dict
        ``ZipFile``, or ``S3Bucket`` and ``S3Key``.
    ready_within_s : float
        How long the version may take to be ready.

    Raises
    ------
    DeploymentError
        If a step fails. The alias then points to the version before.
    """
    seconds: dict[str, float] = {}
    with _as_deployment_errors(client, function, alias):
        before = client.get_alias(FunctionName=function, Name=alias)
        with _timed(seconds, "update"):
            updated = client.update_function_code(FunctionName=function, **source)
            _wait(client, "function_updated_v2", ready_within_s, FunctionName=function)
        with _timed(seconds, "publish"):
            # With the code's sum, so that somebody else's deployment at the same time isn't taken for this one.
            version = client.publish_version(FunctionName=function, CodeSha256=updated["CodeSha256"])["Version"]
        with _timed(seconds, "ready"):
            _wait(client, "published_version_active", ready_within_s, FunctionName=function, Qualifier=version)
        with _timed(seconds, "alias"):
            client.update_alias(
                FunctionName=function,
                Name=alias,
                FunctionVersion=version,
                RoutingConfig={"AdditionalVersionWeights": {}},
                RevisionId=before["RevisionId"],
            )
    return Deployment(version, before["FunctionVersion"], updated["CodeSha256"], seconds)


def _wait(client: Any, state: str, limit_s: float, **target: str) -> None:
    delay_s = 0.2
    try:
        client.get_waiter(state).wait(
            **target, WaiterConfig={"Delay": delay_s, "MaxAttempts": max(1, round(limit_s / delay_s))}
        )
    except WaiterError as error:
        last = error.last_response
        reason = last.get("StateReason") or last.get("LastUpdateStatusReason") or str(error)
        name = ":".join(target.values())
        raise DeploymentError(
            f"{name} isn't ready: {reason.rstrip('.')}. The alias still points to the version before."
        ) from error


@contextlib.contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - began, 3)


@contextlib.contextmanager
def _as_deployment_errors(client: Any, function: str, alias: str) -> Iterator[None]:
    """Turn boto3's errors into a ``DeploymentError`` that says what to do."""
    advice_by_code = {
        "ResourceNotFoundException": f"Name the function with --function and the alias ({alias}) with --alias.",
        "PreconditionFailedException": f"Somebody else has changed the alias {alias!r} meanwhile. Try again.",
        "ResourceConflictException": "Another deployment is in progress. Try again.",
    }
    try:
        yield
    except EndpointConnectionError as error:
        raise DeploymentError(
            f"Nothing answers at {client.meta.endpoint_url}. Run 'peerloan up', or name another --endpoint-url."
        ) from error
    except ClientError as error:
        details = error.response["Error"]
        advice = advice_by_code.get(details["Code"], "")
        raise DeploymentError(f"{function}: {details['Code']}: {details['Message']} {advice}".rstrip()) from error
    except BotoCoreError as error:
        raise DeploymentError(f"{function}: {error}") from error
