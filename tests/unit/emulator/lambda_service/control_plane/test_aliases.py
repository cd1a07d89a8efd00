"""Aliases and concurrency, as AWS answers and refuses."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.lambda_service.control_plane.attributes.concurrency import shares
from emulator.lambda_service.control_plane.catalogue import Availability
from emulator.lambda_service.control_plane.operations import Operations
from emulator.lambda_service.errors import LambdaApiError
from emulator.template.project import FunctionSpec
from tests.unit.emulator.lambda_service.control_plane.refusals import ARN, ARN_SCOPE, F, refusal


@pytest.mark.fidelity("alias-weights")
def test_aliases(operations: Operations) -> None:
    operations.versions.publish(**F)
    operations.functions.update_configuration(**F, changes={"Timeout": 4})
    operations.versions.publish(**F)
    made = operations.aliases.create(**F, name="live", function_version="1", description="d")
    assert (made["AliasArn"], made["FunctionVersion"], "RoutingConfig" in made) == (f"{ARN}:live", "1", False)
    again = refusal(operations.aliases.create, **F, name="live", function_version="1")
    assert again == ("ResourceConflictException", 409, f"Alias already exists: {ARN}:live")
    weighted = operations.aliases.update(**F, name="live", routing_config={"AdditionalVersionWeights": {"2": 0.3}})
    assert weighted["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.3}}
    assert (weighted["Description"], weighted["FunctionVersion"]) == ("d", "1")
    stale = refusal(operations.aliases.update, **F, name="live", description="x", revision_id=made["RevisionId"])
    assert stale[:2] == ("PreconditionFailedException", 412)
    assert operations.aliases.update(**F, name="live", description="", revision_id=weighted["RevisionId"])
    assert [alias["Name"] for alias in operations.aliases.list(**F, function_version="2")["Aliases"]] == ["live"]
    in_use = refusal(operations.functions.delete, **F, qualifier="2")
    assert in_use[:2] == ("ResourceConflictException", 409)
    assert operations.functions.get_configuration(**F, qualifier="live")["FunctionArn"] == f"{ARN}:live"
    assert refusal(operations.functions.delete, **F, qualifier="$LATEST")[1] == 400
    operations.aliases.delete(**F, name="live")
    operations.aliases.delete(**F, name="live")
    assert operations.aliases.list(**F) == {"Aliases": []}


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        ({"function_version": "3"}, "ResourceNotFoundException", 404),
        ({"weights": {"1": 0.1}}, "InvalidParameterValueException", 400),
        ({"weights": {"$LATEST": 0.1}}, "InvalidParameterValueException", 400),
        ({"weights": {"2": 0.1, "3": 0.1}}, "InvalidParameterValueException", 400),
        ({"weights": {"3": 0.1}}, "ResourceNotFoundException", 404),
        ({"weights": {"2": 0.1}, "function_version": "$LATEST"}, "InvalidParameterValueException", 400),
    ],
)
@pytest.mark.fidelity("alias-weights")
def test_aliases_that_are_refused(operations: Operations, arguments: dict[str, Any], code: str, status: int) -> None:
    operations.versions.publish(**F)
    operations.functions.update_configuration(**F, changes={"Timeout": 4})
    operations.versions.publish(**F)
    weights = arguments.pop("weights", None)
    routing = None if weights is None else {"AdditionalVersionWeights": weights}
    alias = {"name": "live", "function_version": "1", "routing_config": routing, **arguments}
    assert refusal(operations.aliases.create, **F, **alias)[:2] == (code, status)
    assert operations.aliases.list(**F) == {"Aliases": []}


@given(weight=st.floats(0, 1), draws=st.lists(st.floats(0, 1, exclude_max=True), max_size=20))
@pytest.mark.fidelity("weights-drawn")
def test_the_weight_is_the_share_of_draws(weight: float, draws: list[float], pair: Operations) -> None:
    pair.aliases.update(**F, name="live", routing_config={"AdditionalVersionWeights": {"2": weight}})
    versions = [pair.catalogue.resolve("hello", "live", draw).function.version for draw in draws]
    assert versions == ["2" if draw < weight else "1" for draw in draws]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from emulator.lambda_service.control_plane.operations import open_operations
    from emulator.lambda_service.data_plane.running_version import utc_now

    folder = tmp_path_factory.mktemp("pair")
    operations = open_operations(None, ARN_SCOPE, utc_now)
    operations.template.update(FunctionSpec("Hello", "hello", folder, "app.handler", "python3.13"))
    operations.versions.publish(**F)
    operations.functions.update_configuration(**F, changes={"Timeout": 4})
    operations.versions.publish(**F)
    operations.aliases.create(**F, name="live", function_version="1")
    yield operations
    operations.close()


@pytest.mark.fidelity("reserved-concurrency")
def test_reserved_and_provisioned_concurrency_have_awss_limits(operations: Operations) -> None:
    invalid = ("InvalidParameterValueException", 400)
    put, provision = (
        operations.concurrency.put_reserved,
        operations.concurrency.put_provisioned,
    )
    assert operations.concurrency.get_reserved(**F) == {}
    refused = refusal(put, **F, reserved_concurrent_executions=901)
    assert refused[:2] == invalid
    assert refused[2].endswith("below its minimum value of [100].")
    assert put(**F, reserved_concurrent_executions=900) == {"ReservedConcurrentExecutions": 900}
    assert put(**F, reserved_concurrent_executions=5) == {"ReservedConcurrentExecutions": 5}
    assert operations.functions.get(**F)["Concurrency"] == {"ReservedConcurrentExecutions": 5}
    limits = operations.functions.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (1000, 995)
    operations.versions.publish(**F)
    assert refusal(provision, **F, qualifier="$LATEST", provisioned_concurrent_executions=1)[:2] == invalid
    assert refusal(provision, **F, qualifier="1", provisioned_concurrent_executions=6)[:2] == invalid
    body = provision(**F, qualifier="1", provisioned_concurrent_executions=4)
    assert (body["RequestedProvisionedConcurrentExecutions"], body["Status"]) == (4, "IN_PROGRESS")
    lower = refusal(put, **F, reserved_concurrent_executions=3)
    assert lower[:2] == invalid
    assert lower[2].endswith("3 should not be lower than function's total provisioned concurrency [4].")
    listed = operations.concurrency.list_provisioned(**F)["ProvisionedConcurrencyConfigs"]
    assert [config["FunctionArn"] for config in listed] == [f"{ARN}:1"]
    operations.concurrency.delete_provisioned(**F, qualifier="1")
    missing = refusal(operations.concurrency.get_provisioned, **F, qualifier="1")
    assert missing[:2] == ("ProvisionedConcurrencyConfigNotFoundException", 404)
    for name in ("hello:1", f"{ARN}:1", "hello:$LATEST"):
        assert refusal(put, function_name=name, reserved_concurrent_executions=1)[:2] == invalid
    operations.concurrency.delete_reserved(**F)
    more = refusal(provision, **F, qualifier="1", provisioned_concurrent_executions=901)
    assert more[:2] == invalid
    assert more[2].endswith("UnreservedConcurrentExecution below its minimum value of [100].")
    provision(**F, qualifier="1", provisioned_concurrent_executions=900)
    limits = operations.functions.get_account_settings()["AccountLimit"]
    assert limits["UnreservedConcurrentExecutions"] == 100
    operations.concurrency.delete_provisioned(**F, qualifier="1")
    assert operations.concurrency.get_reserved(**F) == {}
    operations.functions.update_configuration(**F, changes={"SnapStart": {"ApplyOn": "PublishedVersions"}})
    operations.versions.publish(**F)
    assert refusal(provision, **F, qualifier="2", provisioned_concurrent_executions=1)[:2] == invalid


@pytest.mark.fidelity("provisioned-concurrency-snapstart")
def test_provisioned_concurrency_and_snap_start_never_meet(operations: Operations, spec: FunctionSpec) -> None:
    invalid = ("InvalidParameterValueException", 400)
    operations.versions.publish(**F)
    operations.functions.update_configuration(**F, changes={"SnapStart": {"ApplyOn": "PublishedVersions"}})
    operations.versions.publish(**F)
    operations.aliases.create(**F, name="live", function_version="1")
    operations.concurrency.put_provisioned(**F, qualifier="live", provisioned_concurrent_executions=3)
    weighted = {"AdditionalVersionWeights": {"2": 0.5}}
    for changes in ({"function_version": "2"}, {"function_version": "$LATEST"}, {"routing_config": weighted}):
        assert refusal(operations.aliases.update, **F, name="live", **changes)[:2] == invalid
    assert operations.aliases.get(**F, name="live")["FunctionVersion"] == "1"
    both = dataclasses.replace(spec, snap_start=True, provisioned_concurrency=1, alias="live")
    before = operations.catalogue.account
    with pytest.raises(LambdaApiError, match="not supported for SnapStart"):
        operations.template.update(both)
    assert operations.catalogue.account is before


@pytest.mark.fidelity("provisioned-concurrency-snapstart")
def test_a_version_is_provisioned_by_its_number_or_by_an_alias(pair: Operations) -> None:
    f, provision = {"function_name": "hello"}, pair.concurrency.put_provisioned
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    pair.aliases.create(**f, name="shared", function_version="1", routing_config=weights)
    provision(**f, qualifier="2", provisioned_concurrent_executions=1)
    refused = refusal(provision, **f, qualifier="shared", provisioned_concurrent_executions=3)
    assert refused[1] == 409
    assert refused[2].startswith("Alias can't be used for Provisioned Concurrency")
    pair.concurrency.delete_provisioned(**f, qualifier="2")
    provision(**f, qualifier="shared", provisioned_concurrent_executions=3)
    refused = refusal(provision, **f, qualifier="1", provisioned_concurrent_executions=1)
    assert refused[1:] == (409, "Version is pointed by a Provisioned Concurrency alias")
    assert sum(shares(pair.catalogue.account.functions["hello"]).values()) == 3, "halves are not rounded twice"
    pair.catalogue.availability = lambda function: Availability({"1": 1, "2": 2}[function.version])
    assert pair.concurrency.get_provisioned(**f, qualifier="shared")["Status"] == "READY"
    pair.aliases.delete(**f, name="shared")
