"""What may happen to the bucket and the alias: faults 15 and 16, the TTL, canaries, rollbacks, snapshots."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError, ResponseStreamingError
from moto import mock_aws

from model_registry.alias import RoutingConfig
from model_registry.errors import ObjectNotFoundError
from model_registry.routing import resolve_version
from model_registry.stores.deadline import remaining_s
from model_registry.stores.memory import InMemoryStore
from model_registry.stores.s3 import S3Store
from tests.contract.predict_api.api_kit import (
    RECORD,
    TTL_S,
    Function,
    Registry,
    logs,
    metrics,
    pickled,
)

ALIAS = "aliases/live.json"


@pytest.fixture
def second(registry: Registry) -> int:
    """A second version, which no alias points to yet."""
    return registry.publish(pickled(seed=2))


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
    one, two = keys[1], keys[second]
    loans = [{"loan_id": one, **RECORD}, {"loan_id": two, **RECORD}]
    others = {"idempotency-key": two, "x-request-id": two}
    assert function.post({"instances": loans}, headers=others).version == 1
    assert function.post({"instances": loans[::-1]}).version == second
    assert function.post(RECORD, headers={"Idempotency-Key": two, "x-request-id": one}).version == second
    assert function.post({**RECORD, "loan_id": None}, headers={"idempotency-key": one}).version == 1
    assert function.post(RECORD, headers={"x-request-id": two}).version == second


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


# ---------------------------------------------------------------- the bucket fails


class FailingClient:
    """A boto3 client whose every GET of some keys fails in one way, once it is told to."""

    def __init__(self, error: Callable[[], Any], part: str = "") -> None:
        self.memory = InMemoryStore()
        self.is_failing = False
        self.calls = 0
        self._error = error
        self._part = part

    def get_object(self, **request: str) -> Any:
        self.calls += 1
        if self.is_failing and self._part in request["Key"]:
            return self._error()
        try:
            stored = self.memory.get(request["Key"])
        except ObjectNotFoundError:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject") from None
        if stored.etag == request.get("IfNoneMatch"):
            raise ClientError({"Error": {"Code": "304"}}, "GetObject")
        return {"Body": Body(stored.body), "ETag": stored.etag}


class Body:
    """The body of an answer, which may break off."""

    def __init__(self, body: bytes | Exception) -> None:
        self._body = body

    def read(self) -> bytes:
        if isinstance(self._body, Exception):
            raise self._body
        return self._body


def raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


FAILURES = {
    "403": raising(ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")),
    "404": raising(ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")),
    "404 bucket": raising(ClientError({"Error": {"Code": "NoSuchBucket"}}, "GetObject")),
    "500": raising(ClientError({"Error": {"Code": "InternalError"}}, "GetObject")),
    "503": raising(ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")),
    "times out": raising(ReadTimeoutError(endpoint_url="http://127.0.0.1:9")),
    "is gone": raising(EndpointConnectionError(endpoint_url="http://127.0.0.1:9")),
    "resets mid-body": lambda: {"Body": Body(ResponseStreamingError(error="reset")), "ETag": '"x"'},
}


class FailingStore(S3Store):
    """The S3 store, reading through the failing client and writing to its memory."""

    def __init__(self, client: FailingClient) -> None:
        super().__init__("models", client)
        self._memory = client.memory

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        return self._memory.put(key, body, if_absent=if_absent, if_match=if_match)

    def list_keys(self, prefix: str) -> list[str]:
        return self._memory.list_keys(prefix)


@pytest.mark.fault(15)
@pytest.mark.parametrize("failure", FAILURES)
def test_fault_15_bucket_that_fails_leaves_the_last_good_version_serving(
    failure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client = FailingClient(FAILURES[failure])
    registry = Registry(FailingStore(client))
    registry.writer.assign("live", registry.publish(pickled()))
    function = Function(registry)
    assert function.post(RECORD).version == 1
    client.is_failing = True
    calls = client.calls
    capsys.readouterr()
    for _ in range(60):
        function.clock.advance(1)
        assert function.post(RECORD).version == 1
    output = capsys.readouterr().out
    failed = metrics(output, "AliasLookUpFailures")
    # A minute: after 1, 1, 1, 2, 4 and then each 5 seconds, and three calls a try at most.
    assert 10 <= len(failed) <= 18
    assert client.calls - calls <= 3 * len(failed)
    assert logs(output, "alias not read; the versions in charge stay")[-1]["failures"] == len(failed)
    assert metrics(output, "AliasStaleness")[-1]["AliasStaleness"][0] > 55
    client.is_failing = False
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == 1
    assert metrics(capsys.readouterr().out, "AliasStaleness")[-1]["AliasStaleness"][0] < 1


@pytest.mark.fault(15)
def test_fault_15_update_during_an_outage_is_followed_when_it_ends(registry: Registry, second: int) -> None:
    function = Function(registry)
    registry.writer.assign("live", second)
    registry.store.break_down()
    for _ in range(60):
        function.clock.advance(1)
        assert function.post(RECORD).version == 1
    registry.store.recover()
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == second


@pytest.mark.fault(15)
def test_fault_15_model_that_can_not_be_fetched_is_fetched_when_the_bucket_is_back(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry)
    registry.writer.assign("live", second)
    registry.store.break_down("model.pkl")
    for _ in range(60):
        function.clock.advance(1)
        assert function.post(RECORD).version == 1
    assert 10 <= len(metrics(capsys.readouterr().out, "ModelLoadFailures")) <= 18
    registry.store.recover()
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == second


@pytest.mark.fault(15)
def test_fault_15_bucket_gets_no_more_time_than_the_request_can_spare(registry: Registry, second: int) -> None:
    function = Function(registry)
    registry.writer.assign("live", second)
    function.clock.advance(TTL_S)
    budgets_s: list[float] = []
    registry.store.fail = lambda key: budgets_s.append(remaining_s())
    assert function.post(RECORD, remaining_ms=2000).version == second
    assert budgets_s
    assert max(budgets_s) <= 1.0


class HangingBody:
    """A body that does not come before it is told to."""

    def __init__(self, end: threading.Event) -> None:
        self._end = end

    def read(self) -> bytes:
        self._end.wait(30)
        return b""

    def set_socket_timeout(self, timeout_s: float) -> None:
        self._end.set()


@pytest.mark.fault(15)
@pytest.mark.parametrize("part", ["aliases/", "manifest.json", "model.pkl"])
def test_fault_15_bucket_that_hangs_does_not_hang_a_request(part: str) -> None:
    end = threading.Event()
    client = FailingClient(lambda: {"Body": HangingBody(end), "ETag": '"x"'}, part)
    registry = Registry(FailingStore(client))
    registry.writer.assign("live", registry.publish(pickled()))
    function = Function(registry)
    registry.writer.assign("live", registry.publish(pickled(seed=2)))
    function.clock.advance(TTL_S)
    client.is_failing = True
    started_s = time.monotonic()
    assert function.post(RECORD, remaining_ms=1650).version == 1
    assert 0.3 < time.monotonic() - started_s < 1.4
    assert end.is_set()


@pytest.mark.fault(15)
def test_fault_15_back_off_is_no_longer_than_a_short_ttl(registry: Registry, second: int) -> None:
    function = Function(registry, alias_ttl_s=0.1)
    registry.writer.assign("live", second)
    registry.store.break_down()
    for _ in range(10):
        function.clock.advance(0.1)
        assert function.post(RECORD).version == 1
    registry.store.recover()
    function.clock.advance(0.1)
    assert function.post(RECORD).version == second


@pytest.mark.fault(15)
def test_fault_15_start_without_a_bucket_is_a_503_that_ends_with_the_outage(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.store.break_down()
    function = Function(registry)
    assert logs(capsys.readouterr().out, "no verified model at start")
    for _ in range(100):
        answer = function.post(RECORD)
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"
    assert registry.store.reads_of(ALIAS) <= 2
    assert function.post("").status == 400
    assert function.get("/livez").status == 200
    assert function.get("/readyz").status == 503
    assert function.get("/models/late-payer").status == 503
    registry.store.recover()
    function.clock.advance(1)
    assert function.post(RECORD).version == 1


@pytest.fixture
def moto_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """A bucket that boto3 believes to be Amazon's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="models")
        yield S3Store("models", client)


@pytest.mark.fault(15)
def test_fault_15_bucket_that_vanishes_and_comes_back(moto_store: S3Store) -> None:
    registry = Registry(moto_store)
    registry.writer.assign("live", registry.publish(pickled()))
    second = registry.publish(pickled(seed=2))
    function = Function(registry)
    assert function.post(RECORD).version == 1
    document = registry.get(ALIAS)
    registry.store.delete(f"late-payer/{ALIAS}")
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == 1
    registry.put(ALIAS, document)
    registry.writer.assign("live", second)
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == second


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
    "future format": _edited(format=2),
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
