"""Which versions of the function are deleted, and what becomes of one that an alias has come to use meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from peerloan.deployment.aws_stack import versions_of_stack
from peerloan.deployment.pruning import delete_version, plan_pruning
from peerloan.errors import DeploymentError


class FakeClient:
    """Answers of AWS in pages, by operation; deleting fails with the error code of a version."""

    def __init__(self, pages: Mapping[str, Sequence[Any]], errors: Mapping[str, str] | None = None) -> None:
        self.pages = pages
        self.errors = errors or {}
        self.deleted: list[str] = []

    def get_paginator(self, operation: str) -> FakeClient:
        return FakeClient({"": self.pages[operation]})

    def paginate(self, **_: str) -> Sequence[Any]:
        return self.pages[""]

    def delete_function(self, *, Qualifier: str, **_: str) -> None:  # noqa: N803
        if code := self.errors.get(Qualifier):
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "DeleteFunction")
        self.deleted.append(Qualifier)


def client(versions: Sequence[str], aliases: Sequence[Mapping[str, Any]]) -> FakeClient:
    half = len(versions) // 2
    pages = [{"Versions": [{"Version": version} for version in part]} for part in (versions[:half], versions[half:])]
    return FakeClient({"list_versions_by_function": pages, "list_aliases": [{"Aliases": aliases}]})


LIVE = {"Name": "live", "FunctionVersion": "3", "RoutingConfig": {"AdditionalVersionWeights": {"9": 0.1}}}


def test_the_newest_by_number_those_of_aliases_and_those_of_the_stack_stay() -> None:
    versions = ["$LATEST", "1", "2", "3", "9", "10", "11"]
    plan = plan_pruning(client(versions, [LIVE]), "f", 1, {"2"})
    assert plan.doomed == ("10", "1")
    assert plan.kept == {"11": "new", "9": "live", "3": "live", "2": "CloudFormation's"}


def test_an_alias_that_names_the_unpublished_code_is_no_version() -> None:
    plan = plan_pruning(client(["$LATEST", "1", "2"], [{"Name": "next", "FunctionVersion": "$LATEST"}]), "f", 1)
    assert (plan.doomed, plan.kept) == (("1",), {"2": "new"})


def test_a_version_that_an_alias_took_meanwhile_stays_and_one_that_is_gone_is_deleted() -> None:
    lambda_client = FakeClient({}, {"1": "ResourceConflictException", "2": "ResourceNotFoundException", "4": "Other"})
    assert [delete_version(lambda_client, "f", version) for version in ("1", "2", "3")] == [False, True, True]
    assert lambda_client.deleted == ["3"]
    with pytest.raises(DeploymentError, match="f:4: Other: no"):
        delete_version(lambda_client, "f", "4")


def test_cloudformations_versions_are_found_by_their_arns() -> None:
    resources = [
        {"ResourceType": "AWS::Lambda::Function", "PhysicalResourceId": "f"},
        {"ResourceType": "AWS::Lambda::Version", "PhysicalResourceId": "arn:aws:lambda:us-east-1:1:function:f:12"},
    ]
    assert versions_of_stack(FakeClient({"list_stack_resources": [{"StackResourceSummaries": resources}]}), "s") == {
        "12"
    }
