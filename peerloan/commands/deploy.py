"""The command ``deploy``: publish the function's code as a version, and point the function's alias at it."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from peerloan.errors import DeploymentError, UsageError
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import PROJECT, Workplace, check_url, is_local

_SOURCE = PROJECT / "functions" / "predict"
_BUILT = Path(".aws-sam", "build", "PredictFunction")


def deploy(
    ctx: typer.Context,
    code: Annotated[
        Path | None, typer.Option(help=f"The function's folder as sam build made it, for instance {_BUILT}.")
    ] = None,
    function: Annotated[str, typer.Option(help="The function's name or ARN.")] = "PredictFunction",
    alias: Annotated[str, typer.Option(help="The alias that the API calls.")] = "live",
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            help="Where Lambda is; the local stack by default. AWS: https://lambda.REGION.amazonaws.com.",
            envvar="AWS_ENDPOINT_URL_LAMBDA",
        ),
    ] = None,
    code_bucket: Annotated[
        str | None, typer.Option(help="The bucket to upload a package of more than 50 MB to.")
    ] = None,
    ready_within: Annotated[float, typer.Option(help="Seconds that the new version may take to be ready.")] = 180,
    as_json: JsonFlag = False,
) -> None:
    """Ship the function's code without losing a request. The alias moves when the new version is ready.

    On the local stack the code comes from the source, and saved code is deployed by itself, too. Layers, settings and
    the API are those of `sam deploy`.

    Example: peerloan deploy
    """
    workplace: Workplace = ctx.obj
    url = check_url(endpoint_url, "--endpoint-url") if endpoint_url else workplace.lambda_url()
    if code is None and not is_local(url):
        raise UsageError(
            f"On AWS the function needs its libraries for Lambda's Python: run 'make sam-build', then name its "
            f"result with --code {_BUILT}."
        )
    # botocore takes longer to import than most commands do.
    from peerloan import deployment

    began = time.perf_counter()
    package = deployment.make_package(code or _SOURCE)
    source: dict[str, Any] = {"ZipFile": package}
    if len(package) > deployment.MAX_DIRECT_BYTES:
        source = _upload(workplace, code_bucket, package)
    deployed = deployment.deploy(_client("lambda", url), function, alias, source, ready_within_s=ready_within)
    total_s = time.perf_counter() - began
    if as_json:
        figures = {"package_bytes": len(package), "total_s": round(total_s, 3)}
        say_json({"function": function, "alias": alias, **dataclasses.asdict(deployed), **figures})
        return
    if deployed.version == deployed.previous_version:
        say(f"{function}: this code is version {deployed.version}, to which {alias!r} points already")
    else:
        say(f"{function}: {alias!r} -> version {deployed.version}, before that {deployed.previous_version}")
    note(f"{total_s:.2f} s: " + ", ".join(f"{step} {spent:.2f}" for step, spent in deployed.seconds.items()))


def _upload(workplace: Workplace, bucket: str | None, package: bytes) -> dict[str, Any]:
    """Put a package into a bucket, and return its address as Lambda's API takes it."""
    if bucket is None:
        raise DeploymentError(
            f"The package has {len(package) / 2**20:.0f} MB, and Lambda takes 50 in a request. Name a bucket to send "
            "it through with --code-bucket."
        )
    import hashlib

    from botocore.exceptions import BotoCoreError, ClientError

    key = f"function-code/{hashlib.sha256(package).hexdigest()}.zip"
    try:
        _client("s3", workplace.endpoint_url).put_object(Bucket=bucket, Key=key, Body=package)
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(f"--code-bucket {bucket}: {error}") from error
    return {"S3Bucket": bucket, "S3Key": key}


def _client(service: str, url: str | None) -> Any:
    import boto3
    from botocore.config import Config

    # The local stack takes any credentials, but botocore signs with some, and for some region.
    signing = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    return boto3.client(
        service, endpoint_url=url, config=Config(read_timeout=300), **(signing if url and is_local(url) else {})
    )
