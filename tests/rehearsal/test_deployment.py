"""`make deploy` for real, to a stand-in for AWS: what comes up, what a model needs, what a second deployment changes.

The tests run in this order on one stack, as its first days would. A deployment packs 260 MB, so there are few.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from botocore.exceptions import ClientError

from model_kit import dumped, small_boosted, small_forest
from tests.rehearsal.stand_in import STACK, Deployed, Project

pytestmark = pytest.mark.rehearsal

# The parameter that changes, in all deployments but the first.
MEMORY = "MemorySize=2048"


def within(limit_s: float, is_so: Callable[[], bool]) -> bool:
    """Return whether something becomes so in time; asked twice a second."""
    deadline = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def http(project: Project, deployed: Deployed, method: str, path: str) -> requests.Response:
    """Send an unsigned request to the API, at the stand-in's address."""
    host = deployed.outputs["ApiUrl"].removeprefix("https://").split(".")[0] + ".execute-api.localhost"
    return requests.request(method, project.url + path, headers={"Host": host}, data=b"{}", timeout=60)


def test_the_first_deployment_makes_every_resource_and_points_live_to_version_1(
    project: Project, first: Deployed
) -> None:
    resources = project.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    assert {resource["ResourceStatus"] for resource in resources} == {"CREATE_COMPLETE"}
    assert first.version == "1"
    assert first.configuration["MemorySize"] == 1769


def test_only_livez_answers_an_unsigned_request(project: Project, first: Deployed) -> None:
    answers = {path: http(project, first, method, path).status_code for method, path in (
        ("GET", "/livez"), ("GET", "/readyz"), ("POST", "/predict"), ("GET", "/anything"),
    )}  # fmt: skip
    assert answers == {"/livez": 200, "/readyz": 403, "/predict": 403, "/anything": 403}


def test_a_published_model_answers_and_a_flipped_one_within_the_ttl(
    project: Project, first: Deployed, tmp_path: Path
) -> None:
    bucket, function = first.outputs["ModelBucket"], first.outputs["PredictFunction"]
    for version, model in (("1", small_forest()), ("2", small_boosted())):
        (tmp_path / "model.pkl").write_bytes(dumped(model))
        project.peerloan(bucket, "publish", str(tmp_path / "model.pkl"), "--unsigned")
        project.peerloan(bucket, "alias", "set", "live", "--version", version)
        assert within(30, lambda: project.serving_version(function) == version)  # noqa: B023 - called at once
    project.peerloan(bucket, "alias", "rollback", "live", "--reason", "rehearsed")
    assert within(30, lambda: project.serving_version(function) == "1")


def test_a_parameter_alone_reaches_live(project: Project, first: Deployed) -> None:
    second = project.deploy(MEMORY)
    assert second.version == "2"
    assert second.configuration["MemorySize"] == 2048
    assert project.serving_version(second.outputs["PredictFunction"]) == "1"


def test_code_of_the_layer_alone_reaches_live(project: Project, first: Deployed) -> None:
    project.change("SharedLayer/python/model_registry/names.py", "\n# rehearsed\n")
    third = project.deploy(MEMORY)
    assert third.version == "3"
    (layer,), (layer_before,) = third.configuration["Layers"], first.configuration["Layers"]
    assert layer["Arn"] != layer_before["Arn"]
    assert project.serving_version(third.outputs["PredictFunction"]) == "1"


def test_the_same_again_is_no_version(project: Project, first: Deployed) -> None:
    assert project.deploy(MEMORY).version == "3"


def test_cloudformation_refuses_a_deployment_without_a_revision(project: Project, first: Deployed) -> None:
    with pytest.raises(ClientError, match="make deploy"):
        project.client("cloudformation").create_change_set(
            StackName=STACK, ChangeSetName="without-revision", UsePreviousTemplate=True,
            Capabilities=["CAPABILITY_IAM"], Parameters=[{"ParameterKey": "Revision", "ParameterValue": "none"}],
        )  # fmt: skip


def test_models_and_log_outlive_the_stack(project: Project, first: Deployed) -> None:
    stacks = project.client("cloudformation")
    stacks.delete_stack(StackName=STACK)
    stacks.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    buckets = {bucket["Name"] for bucket in project.client("s3").list_buckets()["Buckets"]}
    assert {first.outputs["ModelBucket"], first.outputs["LogBucket"]} <= buckets
    functions = project.client("lambda").list_functions()["Functions"]
    assert functions == []
