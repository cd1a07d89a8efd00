"""What may happen to the bucket: fault 15."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError, ResponseStreamingError
from moto import mock_aws

from memory_store import InMemoryStore
from model_registry.errors import ObjectNotFoundError
from model_registry.stores.base import remaining_s
from model_registry.stores.s3 import S3Store
from tests.contract.predict_api.api_kit import RECORD, TTL_S, Function, Registry, logs, metrics
from tests.contract.predict_api.loans_kit import pickled

ALIAS = "aliases/live.json"


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

    def read(self, _limit_bytes: int) -> bytes:
        if isinstance(self._body, Exception):
            raise self._body
        body, self._body = self._body, b""
        return body


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
    """A body that doesn't come before its reader gives up."""

    def __init__(self, end: threading.Event) -> None:
        self._end = end

    def read(self, _limit_bytes: int) -> bytes:
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
    budgets_s: list[float] = []
    registry.store.fail = lambda key: budgets_s.append(remaining_s()) if part in key else None
    assert function.post(RECORD, remaining_ms=1650).version == 1
    # The body itself hangs for 30 s: it was given up when the part of the request's time that it may take was over.
    assert end.is_set()
    assert [0.3 < budget_s < 1.4 for budget_s in budgets_s] == [True]


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
