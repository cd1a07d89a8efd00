"""Which function a command is about, on the local stack or on AWS, and boto3's clients for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peerloan.deployment.aws_errors import as_deployment_errors
from peerloan.deployment.aws_stack import read_stack, versions_of_stack
from peerloan.errors import UsageError
from peerloan.workplace import LOCAL_CREDENTIALS, Workplace, check_url, is_local

DEFAULT_FUNCTION = "PredictFunction"
DEFAULT_ALIAS = "live"


@dataclass(frozen=True)
class Target:
    """A function and its alias. ``bucket`` takes packages that are too large for a request; None without one.

    ``client`` is boto3's client of Lambda. ``bucket_url`` is where the bucket is, None for AWS. ``stack`` is the name
    of the function's CloudFormation stack, if that was given.
    """

    function: str
    alias: str
    client: Any
    bucket: str | None = None
    bucket_url: str | None = None
    stack: str | None = None

    def bucket_client(self) -> Any:
        """Return boto3's client of S3 for ``bucket``."""
        return _client("s3", self.bucket_url)

    def versions_of_stack(self) -> set[str]:
        """Return the numbers of the versions that CloudFormation counts among the stack's resources."""
        return versions_of_stack(_client("cloudformation", None), self.stack) if self.stack else set()


def find_target(
    workplace: Workplace,
    *,
    stack: str | None = None,
    function: str | None = None,
    alias: str | None = None,
    endpoint_url: str | None = None,
    code_bucket: str | None = None,
) -> Target:
    """Return what a command's options name: a CloudFormation stack's function, or one by its own name.

    Raises
    ------
    UsageError
        If a stack's name is empty, or given together with what the stack names itself.
    DeploymentError
        If the stack can't be read.
    """
    if stack is not None:
        if not stack.strip():
            # CloudFormation takes an empty name for all stacks.
            raise UsageError("--stack is empty. Name the CloudFormation stack that make deploy made.")
        options = {"--function": function, "--alias": alias, "--code-bucket": code_bucket}
        if given := [option for option, value in options.items() if value is not None]:
            raise UsageError(f"--stack names function, alias and bucket; leave out {', '.join(given)}.")
        outputs = read_stack(_client("cloudformation", None), stack)
        client = _client("lambda", check_url(endpoint_url, "--endpoint-url") if endpoint_url else None)
        return Target(outputs.function, outputs.alias, client, outputs.bucket, stack=stack)
    url = check_url(endpoint_url, "--endpoint-url") if endpoint_url else workplace.lambda_url()
    # The local stack's Lambda reads the local bucket; AWS's reads Amazon S3, wherever this machine's models are.
    bucket, bucket_url = code_bucket, None
    if is_local(url):
        bucket, bucket_url = code_bucket or workplace.bucket, workplace.endpoint_url
    names = {"function": function or DEFAULT_FUNCTION, "alias": alias or DEFAULT_ALIAS}
    return Target(**names, client=_client("lambda", url), bucket=bucket, bucket_url=bucket_url)


def _client(service: str, url: str | None) -> Any:
    import boto3
    from botocore.config import Config

    # The local stack takes any credentials, but botocore signs with some, and for some region.
    signing = LOCAL_CREDENTIALS if url and is_local(url) else {}
    with as_deployment_errors(f"AWS ({service})"):
        return boto3.client(service, endpoint_url=url, config=Config(read_timeout=300), **signing)
