"""The nightly job: which versions of the code it calls, how long it waits for them, and what its line says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployed_template import alarms, deployed, emitted_metrics, variables, watched_metrics
from model_registry.function_settings import SettingsError
from model_rollout.code_versions import CodeVersions
from operate.api_calls import FunctionFailedError, NotReadyError, invoke_version
from operate.code_ping import CodePing
from operate.settings import PingSettings
from rollout_kit import at

VARIABLES = {"MODEL_BUCKET": "models", "DEPLOYED_VERSION": "arn:aws:lambda:us-east-1:1:function:f:7", "STAGE": "test"}
ALIVE = {"statusCode": 200, "body": '{"status":"alive"}'}
VERSIONS = CodeVersions(kept={"9": "live", "8": "new", "7": "CloudFormation's"}, doomed=("6",))
TIMEOUT_S = 300


class Bench:
    """A job whose versions' answers a test chooses by version and attempt; only waiting takes time."""

    def __init__(
        self,
        answer: Callable[[str, int], Mapping[str, Any]] = lambda version, attempt: ALIVE,
        variables: Mapping[str, str] = VARIABLES,
    ) -> None:
        self.answer = answer
        self.calls: Counter[str] = Counter()
        self.seconds = 0.0
        self.lines: list[dict[str, Any]] = []
        self.versions: CodeVersions | Exception = VERSIONS
        self.ping = CodePing(
            PingSettings.from_environ(variables),
            self.list_versions,
            self.call,
            clock=self.now,
            write=lambda line: self.lines.append(json.loads(line)),
            sleep=self.sleep,
        )

    def list_versions(self) -> CodeVersions:
        if isinstance(self.versions, Exception):
            raise self.versions
        return self.versions

    def call(self, version: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        assert (event["requestContext"]["http"]["method"], event["rawPath"]) == ("GET", "/livez")
        self.calls[version] += 1
        return self.answer(version, self.calls[version])

    def now(self) -> datetime:
        return at(int(self.seconds))

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((TIMEOUT_S - self.seconds) * 1000)

    def run(self) -> dict[str, Any]:
        found = self.ping({"job": "ping-code"}, self)
        (line,) = self.lines
        assert line["kind"] == "code_ping"
        assert {name: line[name] for name in found} == found
        assert line["CodePingFailures"] == [len(found["failed"])]
        return found


def test_every_version_that_may_be_rolled_back_to_is_called_once_and_no_other() -> None:
    bench = Bench()
    assert bench.run() == {"answered": VERSIONS.kept, "inactive": [], "failed": {}}
    assert bench.calls == {"9": 1, "8": 1, "7": 1}
    assert bench.lines[0]["level"] == "INFO"
    assert bench.seconds == 0


def test_an_inactive_version_is_waited_for_and_keeps_no_other_waiting() -> None:
    def answer(version: str, attempt: int) -> Mapping[str, Any]:
        if version == "8" and attempt < 4:
            raise NotReadyError("f:8 isn't ready")
        return ALIVE

    bench = Bench(answer)
    assert bench.run() == {"answered": VERSIONS.kept, "inactive": ["8"], "failed": {}}
    assert bench.calls == {"9": 1, "8": 4, "7": 1}


def test_a_version_that_never_gets_ready_is_given_up_before_the_time_is() -> None:
    def answer(version: str, _: int) -> Mapping[str, Any]:
        if version == "7":
            raise NotReadyError("f:7 isn't ready")
        return ALIVE

    bench = Bench(answer)
    found = bench.run()
    assert (list(found["answered"]), found["inactive"], list(found["failed"])) == (["9", "8"], ["7"], ["7"])
    assert "isn't ready yet" in found["failed"]["7"]
    assert bench.get_remaining_time_in_millis() > 0


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (FunctionFailedError("f:9 failed: no module"), "FunctionFailedError: f:9 failed: no module"),
        ({"statusCode": 503, "body": "no"}, "GET /livez is answered with 503 no"),
        ({}, "KeyError: 'statusCode'"),
    ],
)
def test_a_version_that_fails_stops_no_other(failure: Any, says: str) -> None:
    def answer(version: str, _: int) -> Mapping[str, Any]:
        if version != "9":
            return ALIVE
        if isinstance(failure, Exception):
            raise failure
        return dict(failure)

    bench = Bench(answer)
    found = bench.run()
    assert (found["failed"], list(found["answered"])) == ({"9": says}, ["8", "7"])
    assert bench.lines[0]["level"] == "ERROR"


def test_without_the_list_of_versions_it_fails_and_the_alarm_rings() -> None:
    bench = Bench()
    bench.versions = PermissionError("not allowed")
    with pytest.raises(PermissionError):
        bench.ping({}, bench)
    (line,) = bench.lines
    assert (line["CodePingFailures"], line["error"], line["error_message"]) == ([1.0], "PermissionError", "not allowed")


def test_the_alarm_looks_for_the_metric_that_the_job_writes() -> None:
    resources = deployed(Stage="prod")
    bench = Bench(variables=variables(resources, "OperateFunction"))
    bench.run()
    emitted = emitted_metrics("\n".join(map(json.dumps, bench.lines)))
    alarm = alarms(resources)["CodePingAlarm"]
    assert emitted == set(watched_metrics(alarm))
    # One value a night: a shorter period would end the alarm while the version still fails.
    assert int(alarm["Period"]) == 24 * 60 * 60


def test_a_missing_version_is_named() -> None:
    with pytest.raises(SettingsError, match="DEPLOYED_VERSION is missing"):
        PingSettings.from_environ({**VARIABLES, "DEPLOYED_VERSION": ""})


class RefusingClient:
    """A client of Lambda that refuses to invoke, with an error code."""

    def __init__(self, code: str) -> None:
        self._code = code

    def invoke(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, "Invoke")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("SnapStartNotReadyException", NotReadyError),
        ("ResourceConflictException", NotReadyError),
        ("ResourceNotReadyException", NotReadyError),
        ("ResourceNotFoundException", ClientError),
        ("SnapStartException", ClientError),
    ],
)
def test_lambdas_words_for_a_version_without_a_snapshot(code: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        invoke_version(RefusingClient(code), "f:7", {})
