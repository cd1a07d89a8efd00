"""Ships the function's code over Lambda's API, to the local stack and to AWS alike.

The alias moves last, to a version that is ready. Until then the previous version answers the alias's requests. Layers,
settings and the API, which `sam deploy` makes, stay as they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import WaiterError

from peerloan.deployment.aws_errors import as_deployment_errors
from peerloan.errors import DeploymentError

# Where packages lie in the models' bucket. No model's name begins with an underscore, so the function's role, which
# reads its model's folder, can't read them. The template's lifecycle rule drops them: Lambda keeps a copy of its own.
PACKAGE_PREFIX = "_code/"

_DELAY_S = 0.2
_BUCKET_ADVICE = {
    "403": "Your credentials may not use this bucket.",
    "404": "There is no such bucket; the stack's output ModelBucket names one.",
}
_OTHER_CODE = {"InvalidParameterValueException": "Another deployment has changed the code meanwhile. Try again."}


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


def check_function(client: Any, function: str, alias: str) -> None:
    """Raise ``DeploymentError`` unless the function and its alias exist, and the function takes zip files."""
    with as_deployment_errors(function, _advice(alias)):
        configuration = client.get_function_configuration(FunctionName=function, Qualifier=alias)
    if configuration.get("PackageType", "Zip") != "Zip":
        raise DeploymentError(f"{function} is a container image. Deploy it with: make deploy CONFIG_ENV=image")


def check_bucket(client: Any, bucket: str, region: str) -> None:
    """Raise ``DeploymentError`` unless a bucket can be reached and lies in the function's region."""
    with as_deployment_errors(f"Bucket {bucket}", _BUCKET_ADVICE):
        answer = client.head_bucket(Bucket=bucket)
    actual = answer.get("BucketRegion", region)
    if actual != region:
        raise DeploymentError(
            f"The bucket {bucket} is in {actual}, and Lambda takes code from a bucket in its own region, {region}."
        )


def upload_package(client: Any, bucket: str, package: bytes) -> dict[str, Any]:
    """Put a package into a bucket, and return its address as Lambda's API takes it."""
    key = f"{PACKAGE_PREFIX}{hashlib.sha256(package).hexdigest()}.zip"
    with as_deployment_errors(f"Bucket {bucket}", {"AccessDenied": f"You need s3:PutObject on {PACKAGE_PREFIX}*."}):
        answer = client.put_object(Bucket=bucket, Key=key, Body=package)
    # In a versioned bucket Lambda reads these very bytes, whatever is written there meanwhile.
    version = {"S3ObjectVersion": answer["VersionId"]} if "VersionId" in answer else {}
    return {"S3Bucket": bucket, "S3Key": key, **version}


def deploy(client: Any, function: str, alias: str, source: dict[str, Any], *, ready_within_s: float) -> Deployment:
    """Give a function other code, publish it as a version, wait until that is ready, and point the alias at it.

    Parameters
    ----------
    client : boto3's client of Lambda
        Connected to the local stack or to AWS.
    function, alias : str
        The function to update and the alias to move; both must exist.
    source : dict
        ``ZipFile``, or what ``upload_package`` returns.
    ready_within_s : float
        How long the version may take to be ready.

    Raises
    ------
    DeploymentError
        If a step fails. The alias then points to the version before.
    """
    seconds: dict[str, float] = {}
    with as_deployment_errors(function, _advice(alias)):
        before = client.get_alias(FunctionName=function, Name=alias)
        with _timed(seconds, "update"):
            updated = client.update_function_code(FunctionName=function, **source)
            _wait(client, "function_updated_v2", ready_within_s, FunctionName=function)
        with _timed(seconds, "publish"), as_deployment_errors(function, _advice(alias) | _OTHER_CODE):
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


def _advice(alias: str) -> dict[str, str]:
    return {
        "ResourceNotFoundException": f"Name the function with --function and the alias ({alias}) with --alias.",
        "PreconditionFailedException": f"Somebody else has changed the alias {alias!r} meanwhile. Try again.",
        "ResourceConflictException": "Another deployment is in progress. Try again.",
    }


def _wait(client: Any, state: str, limit_s: float, **target: str) -> None:
    attempts = max(1, round(limit_s / _DELAY_S))
    try:
        client.get_waiter(state).wait(**target, WaiterConfig={"Delay": _DELAY_S, "MaxAttempts": attempts})
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
