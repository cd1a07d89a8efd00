"""What CloudFormation knows of a deployed stack: its function, alias and bucket, and the versions that it made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peerloan.deployment.aws_errors import as_deployment_errors
from peerloan.errors import DeploymentError

_VERSION_TYPE = "AWS::Lambda::Version"


@dataclass(frozen=True)
class DeployedStack:
    """A stack's outputs: the function's name, the alias that the API calls, and the models' bucket."""

    name: str
    function: str
    alias: str
    bucket: str


def read_stack(client: Any, name: str) -> DeployedStack:
    """Return a stack's outputs.

    Parameters
    ----------
    client : boto3's client of CloudFormation
        In the stack's account and region.
    name : str
        The stack's name.

    Raises
    ------
    DeploymentError
        If there is no such stack, CloudFormation is changing it, or it isn't this project's.
    """
    advice = {"ValidationError": f"Its region is {client.meta.region_name}; sam list stack-outputs shows others."}
    with as_deployment_errors(f"Stack {name}", advice):
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
    if stack["StackStatus"].endswith("_IN_PROGRESS"):
        raise DeploymentError(f"CloudFormation is changing the stack {name} ({stack['StackStatus']}). Try again later.")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
    missing = [output for output in ("PredictFunction", "ModelBucket") if output not in outputs]
    if missing:
        raise DeploymentError(
            f"The stack {name} has no output {' and no '.join(missing)}. Name a stack that make deploy made."
        )
    # The ARN of an alias ends in function:NAME:ALIAS.
    function, alias = outputs["PredictFunction"].split(":")[-2:]
    return DeployedStack(name, function, alias, outputs["ModelBucket"])


def versions_of_stack(client: Any, name: str) -> set[str]:
    """Return the numbers of the versions that CloudFormation counts among a stack's resources.

    CloudFormation points the alias back at such a version when an update fails, so it must not be deleted.
    """
    with as_deployment_errors(f"Stack {name}"):
        pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    versions = [resource for resource in resources if resource["ResourceType"] == _VERSION_TYPE]
    return {version.get("PhysicalResourceId", "").rpartition(":")[2] for version in versions}
