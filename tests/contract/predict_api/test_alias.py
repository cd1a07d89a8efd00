"""What may happen to the alias: fault 16, the TTL, canaries, rollbacks, snapshots."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from model_registry.alias import RoutingConfig
from model_registry.routing import resolve_version
from tests.contract.predict_api.api_kit import RECORD, TTL_S, Function, Registry, logs, metrics

ALIAS = "aliases/live.json"


# ---------------------------------------------------------------- the TTL


def test_alias_is_looked_up_once_in_a_ttl(registry: Registry) -> None:
    function = Function(registry)
    before = registry.store.reads_of(ALIAS)
    for _ in range(100):
        function.clock.advance(TTL_S / 101)
        function.post(RECORD)
    assert registry.store.reads_of(ALIAS) == before
    function.clock.advance(TTL_S / 50)
    function.post(RECORD)
    function.post(RECORD)
    assert registry.store.reads_of(ALIAS) == before + 1


def test_update_is_followed_within_the_ttl(registry: Registry, second: int) -> None:
    function = Function(registry)
    assert function.post(RECORD).version == 1
    registry.writer.assign("live", second)
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == second


def test_wall_clock_counts_while_the_environment_is_frozen(registry: Registry, second: int) -> None:
    function = Function(registry)
    registry.writer.assign("live", second)
    function.clock.wall_s += TTL_S
    assert function.post(RECORD).version == second
    registry.writer.assign("live", 1)
    function.clock.wall_s -= 3600
    assert function.post(RECORD).version == 1


def test_ttl_of_zero_looks_up_with_each_request(registry: Registry, second: int) -> None:
    function = Function(registry, alias_ttl_s=0.0)
    for version in (second, 1, second):
        registry.writer.assign("live", version)
        assert function.post(RECORD).version == version


def test_restored_snapshot_looks_up_at_once(registry: Registry, second: int) -> None:
    function = Function(registry)
    registry.writer.assign("live", second)
    assert function.post(RECORD).version == 1
    function.follower.mark_stale()
    assert function.post(RECORD).version == second


def test_restored_environment_is_not_ready_until_it_has_read_the_alias(registry: Registry, second: int) -> None:
    function = Function(registry)
    assert function.get("/readyz").status == 200
    registry.writer.assign("live", second)
    registry.store.break_down()
    function.follower.restore()
    answer = function.get("/readyz")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert function.post(RECORD).version == 1
    registry.store.recover()
    function.clock.advance(1)
    assert function.get("/readyz").status == 200
    assert function.post(RECORD).version == second


def test_staleness_is_a_number_when_the_wall_clock_is_set_back(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry)
    registry.store.break_down()
    function.clock.advance(TTL_S + 1)
    function.clock.wall_s -= 20
    function.post(RECORD)
    staleness_s = metrics(capsys.readouterr().out, "AliasStaleness")[-1]["AliasStaleness"][0]
    assert TTL_S + 1 <= staleness_s < TTL_S + 2


# ---------------------------------------------------------------- canaries and rollbacks


def test_canary_is_sticky_and_true_to_its_weight(registry: Registry, second: int) -> None:
    function = Function(registry)
    alias = registry.writer.assign("live", 1, routing_config=RoutingConfig({second: 0.3}))
    function.clock.advance(TTL_S)
    loans = [{"loan_id": f"A-{number}", **RECORD} for number in range(60)]
    versions = [function.post(loan).version for loan in loans]
    assert versions == [resolve_version(alias, str(loan["loan_id"])) for loan in loans]
    assert 8 <= versions.count(second) <= 30
    # More weight moves no loan back.
    registry.writer.assign("live", 1, routing_config=RoutingConfig({second: 0.6}))
    function.clock.advance(TTL_S)
    moved = [function.post(loan).version for loan in loans]
    assert all(later == second for earlier, later in zip(versions, moved, strict=True) if earlier == second)
    assert moved.count(second) > versions.count(second)
    assert registry.store.reads_of("versions/2/model.pkl") == 1


def test_routing_key_is_the_first_loan_then_the_idempotency_key_then_the_request_id(
    registry: Registry, second: int
) -> None:
    alias = registry.writer.assign("live", 1, routing_config=RoutingConfig({second: 0.5}))
    function = Function(registry)
    keys = {resolve_version(alias, key): key for key in map(str, range(50))}
    first_key, second_key = keys[1], keys[second]
    loans = [{"loan_id": first_key, **RECORD}, {"loan_id": second_key, **RECORD}]
    others = {"idempotency-key": second_key, "x-request-id": second_key}
    assert function.post({"instances": loans}, headers=others).version == 1
    assert function.post({"instances": loans[::-1]}).version == second
    assert function.post(RECORD, headers={"Idempotency-Key": second_key, "x-request-id": first_key}).version == second
    assert function.post({**RECORD, "loan_id": None}, headers={"idempotency-key": first_key}).version == 1
    assert function.post(RECORD, headers={"x-request-id": second_key}).version == second


def test_rollback_downloads_nothing(registry: Registry, second: int) -> None:
    function = Function(registry)
    registry.writer.assign("live", second)
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == second
    before = registry.store.reads_of("model.pkl")
    for version in (1, second, 1):
        registry.writer.assign("live", version)
        function.clock.advance(TTL_S)
        assert function.post(RECORD).version == version
    assert registry.store.reads_of("model.pkl") == before


def test_answer_describes_the_version_that_scored(registry: Registry, second: int) -> None:
    registry.writer.assign("live", 1, routing_config=RoutingConfig({second: 1.0}))
    function = Function(registry)
    answer = function.post(RECORD)
    manifest = json.loads(registry.get(f"versions/{second}/manifest.json"))
    assert answer.json["model"] == {
        "name": "late-payer",
        "version": second,
        "alias": "live",
        "sha256": manifest["artifact"]["sha256"],
    }
    description = function.get("/models/late-payer").json
    assert [(entry["version"], entry["weight"]) for entry in description["versions"]] == [(1, 0.0), (second, 1.0)]
    assert description["alias"]["revision"] == 2
    assert len(description["schema"]) == 10


# ---------------------------------------------------------------- the alias's document


def _edited(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda body: json.dumps({**json.loads(body), **changes}).encode()


def _weighted(weights: dict[str, Any]) -> Callable[[bytes], bytes]:
    return _edited(routing_config={"additional_version_weights": weights})


DOCUMENTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda body: b"",
    "cut off": lambda body: body[:-20],
    "no object": lambda body: b"[]",
    "no UTF-8": lambda body: b"\xff" + body,
    "weight -1": _weighted({"2": -1}),
    "weight 2": _weighted({"2": 2}),
    "weight NaN": _weighted({"2": float("nan")}),
    "weight text": _weighted({"2": "0.5"}),
    "three versions": _weighted({"2": 0.1, "3": 0.1}),
    "the same version twice": _weighted({"1": 0.1}),
    "future format": _edited(format=9),
    "no version": _edited(version=None),
    "version 0": _edited(version=0),
    "another alias's": _edited(alias="other"),
}


@pytest.mark.fault(16)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_fault_16_alias_that_can_not_be_used_leaves_the_last_good_one(
    registry: Registry, second: int, document: str, capsys: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry)
    good = registry.get(ALIAS)
    registry.put(ALIAS, DOCUMENTS[document](good))
    for _ in range(30):
        function.clock.advance(1)
        assert function.post(RECORD).version == 1
    output = capsys.readouterr().out
    assert logs(output, "alias not read; the versions in charge stay")[0]["error"] == "InvalidAliasError"
    assert metrics(output, "AliasLookUpFailures")
    cold = Function(registry)
    assert cold.post(RECORD).status == 503
    registry.put(ALIAS, good)
    for started in (function, cold):
        started.clock.advance(TTL_S)
        assert started.post(RECORD).version == 1


@pytest.mark.fault(16)
def test_fault_16_missing_alias_leaves_the_last_good_one(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry)
    registry.store.delete(f"late-payer/{ALIAS}")
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == 1
    assert (
        logs(capsys.readouterr().out, "alias not read; the versions in charge stay")[0]["error"] == "AliasNotFoundError"
    )
    assert Function(registry).post(RECORD).status == 503


@pytest.mark.fault(16)
def test_fault_16_unknown_version_leaves_the_last_good_one(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry)
    registry.put(ALIAS, _edited(version=99)(registry.get(ALIAS)))
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == 1
    assert metrics(capsys.readouterr().out, "ModelLoadFailures")[0]["model_version"] == "99"
    # The next update is followed as if nothing had been.
    registry.put(ALIAS, _edited(version=second)(registry.get(ALIAS)))
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == second
