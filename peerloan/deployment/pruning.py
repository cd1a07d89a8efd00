"""Deletes old versions of the function. Each costs money while its snapshot is kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from botocore.exceptions import ClientError

from model_rollout.code_versions import CodeVersions, list_code_versions
from peerloan.deployment.aws_errors import as_deployment_errors


def plan_pruning(client: Any, function: str, keep: int, of_stack: Collection[str] = ()) -> CodeVersions:
    """Return which published versions of a function may go; the parameters are those of `list_code_versions`.

    Raises
    ------
    DeploymentError
        If Lambda can't be asked.
    """
    with as_deployment_errors(function, {"ResourceNotFoundException": "Name the function with --function."}):
        return list_code_versions(client, function, keep, of_stack)


def delete_version(client: Any, function: str, version: str) -> bool:
    """Delete a published version; return False if an alias has come to use it. One that is gone counts as deleted.

    Raises
    ------
    DeploymentError
        If Lambda refuses for another reason.
    """
    with as_deployment_errors(f"{function}:{version}"):
        try:
            client.delete_function(FunctionName=function, Qualifier=version)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("ResourceConflictException", "ResourceNotFoundException"):
                raise
            return bool(code == "ResourceNotFoundException")
    return True
