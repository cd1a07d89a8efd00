"""Nothing that a client sends gets into a log, a metric or a problem, but its request id."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b, sha256
from typing import Any

import pytest

from model_artifact.schema import FIELD_NAMES
from model_artifact.training_range import TrainingRange
from model_artifact.version_loading import Loading
from model_registry.manifest import Manifest
from model_registry.reader import RegistryReader
from model_watch.loan_hash import LoanHasher
from tests.contract.predict_api.api_kit import RECORD, Function, Registry, event, logs, metrics

HASH_KEY = "hash-key-of-tests-0123456789abcdef"
CANARY = "canary-7f3a9c"
NUMBER = 31337.125


class CarelessModel:
    """A model whose errors quote the records, as those of pandas and NumPy do."""

    form = "pickle"

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.training_range = TrainingRange(manifest.input_schema)

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        raise ValueError(f"could not convert {records!r}")

    def check_probes(self, _probabilities: Sequence[float] | None = None) -> None:
        return None


def load_careless(reader: RegistryReader, version: int, **_options: bool) -> Loading:
    return Loading(lambda: CarelessModel(reader.get_manifest(version)))  # type: ignore[arg-type, return-value]


SECRET = {**RECORD, "loan_id": f"loan-{CANARY}", "purpose": CANARY, "annual_inc": NUMBER}
BODIES: dict[str, Any] = {
    "answered": SECRET,
    "batch": {"id": CANARY, "instances": [SECRET, SECRET]},
    "wrong type": {**SECRET, "dti": CANARY, "grade": NUMBER, "loan_amnt": f"{NUMBER}"},
    "out of range": {**SECRET, "int_rate": NUMBER},
    "too long": {**SECRET, "purpose": CANARY * 20},
    "no JSON": json.dumps(SECRET)[:-3],
    "duplicate key": json.dumps(SECRET)[:-1] + f', "dti": "{CANARY}", "dti": 1}}',
    "rows": {"instances": [[CANARY, NUMBER]]},
    "no record": {"instances": [CANARY]},
    "bad id": {"id": [CANARY], "instances": [SECRET]},
    "bad parameters": {"parameters": {"explain": CANARY}, "instances": [SECRET]},
    "bad split": {"dataframe_split": {"columns": list(RECORD), "data": [[CANARY]]}},
    "reasons": {"parameters": {"explain": True}, "instances": [SECRET]},
}


def assert_no_canary(text: str) -> None:
    assert CANARY not in text
    assert base64.b64encode(CANARY.encode()).decode()[:12] not in text
    assert str(NUMBER) not in text


@pytest.mark.parametrize("kind", BODIES)
def test_no_value_gets_into_logs_or_problems(kind: str, capfd: pytest.CaptureFixture[str], registry: Registry) -> None:
    function = Function(registry, log_level="DEBUG", loan_hasher=LoanHasher(HASH_KEY))
    answer = function.post(BODIES[kind], headers={"authorization": CANARY, "idempotency-key": CANARY})
    if answer.status != 200:
        assert_no_canary(answer.body)
    assert_no_canary(json.dumps(dict(answer.headers)))
    captured = capfd.readouterr()
    [line] = logs(captured.out, "request")
    assert ("profiles" in line) == (answer.status == 200)
    assert_no_canary(captured.out + captured.err)


def test_a_record_is_logged_by_its_bins_and_the_keyed_hash_of_its_loan(
    registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry, loan_hasher=LoanHasher(HASH_KEY))
    function.post(SECRET)
    captured = capfd.readouterr()
    [line] = logs(captured.out, "request")
    assert [len(profile) for profile in line["profiles"]] == [len(FIELD_NAMES)]
    # Who has no key can't find a loan by trying ids.
    for digest in (sha256(SECRET["loan_id"].encode()).digest(), blake2b(SECRET["loan_id"].encode()).digest()):
        assert base64.urlsafe_b64encode(digest).decode()[:15] not in captured.out
    assert HASH_KEY not in captured.out + captured.err


def test_apart_from_the_keyed_hashes_a_line_tells_nothing_of_the_loans_id(
    registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry, loan_hasher=LoanHasher(HASH_KEY))
    for number in range(2):
        function.post({**RECORD, "loan_id": f"loan-{number}"})
    first, second = logs(capfd.readouterr().out, "request")
    of_this_request = {"request_id", "invocation_id", "timestamp", "_aws", "cold_start", "ColdStart"}
    of_this_request |= {"latency_ms", "spans_ms", "Latency", "AliasStaleness"}
    assert {name for name in first if first[name] != second.get(name)} - of_this_request == {"key", "loans"}


def test_no_value_gets_into_logs_when_a_line_can_not_be_made(
    registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    class Careless(LoanHasher):
        def hash(self, text: str) -> str:
            raise ValueError(f"can't hash {text!r}")

    function = Function(registry, loan_hasher=Careless(HASH_KEY))
    assert function.post(SECRET).status == 200
    captured = capfd.readouterr()
    assert logs(captured.out, "prediction log line incomplete")
    assert_no_canary(captured.out + captured.err)


def test_no_value_gets_into_logs_when_scoring_fails(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    function = Function(registry, load_careless)
    answer = function.post(SECRET)
    assert answer.status == 500
    assert_no_canary(answer.body)
    captured = capfd.readouterr()
    assert_no_canary(captured.out + captured.err)
    [error] = logs(captured.out, "unexpected error")
    assert error["error"] == "ValueError"
    assert "late_probabilities" in error["raised_at"][-1]
    assert error["request_id"] == answer.json["instance"]


def test_path_is_logged_as_its_pattern(function: Function, capfd: pytest.CaptureFixture[str]) -> None:
    for method, path in (("GET", f"/models/{CANARY}"), ("GET", f"/{CANARY}"), ("POST", f"/models/{CANARY}")):
        answer = function.send({**event(method, path), "rawQueryString": f"loan={CANARY}"})
        assert_no_canary(answer.body)
    captured = capfd.readouterr()
    assert_no_canary(captured.out + captured.err)


def test_request_is_logged_with_its_figures(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    function = Function(registry)
    function.post({"instances": [dict(RECORD)] * 3}, headers={"x-request-id": "mine-1"})
    function.post({"instances": [{}]})
    first, second = logs(capsys.readouterr().out, "request")
    assert first["request_id"] == "mine-1"
    assert (first["route"], first["method"], first["status"]) == ("/predict", "POST", 200)
    assert (first["rows"], first["model_version"], first["model_form"]) == (3, "1", "pickle")
    assert first["latency_ms"] > 0
    assert set(first["spans_ms"]) == {"parse", "validate", "model", "score"}
    assert (first["cold_start"], second["cold_start"]) == (True, False)
    assert (second["problem"], second["violations"]) == ("invalid-request", 10)


def test_request_emits_its_metrics(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    function = Function(registry)
    started = capsys.readouterr().out
    assert metrics(started, "ModelLoadTime")[0]["model_version"] == "1"
    function.post({"instances": [dict(RECORD)] * 3})
    function.get("/livez")
    output = capsys.readouterr().out
    [line] = metrics(output, "Latency")
    # One write a request: the log entry of a prediction is the document of its metrics.
    assert len(output.splitlines()) == 2
    assert line in logs(output, "request")
    assert (line["Rows"], line["ColdStart"]) == ([3.0], [1.0])
    assert line["AliasStaleness"][0] >= 0
    [described] = line["_aws"]["CloudWatchMetrics"]
    assert described["Namespace"] == "PeerLoan"
    assert [set(names) for names in described["Dimensions"]] == [
        {"service", "stage", "stack"},
        {"service", "stage", "stack", "model_version"},
    ]
    assert described["Metrics"] == [
        {"Name": "Latency", "Unit": "Milliseconds"},
        {"Name": "Rows", "Unit": "Count"},
        {"Name": "AliasStaleness", "Unit": "Seconds"},
        {"Name": "ColdStart", "Unit": "Count"},
    ]
    function.post(RECORD)
    assert not metrics(capsys.readouterr().out, "ColdStart")


def test_a_request_is_logged_where_metrics_are_switched_off(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry, has_metrics=False)
    function.post(RECORD)
    output = capsys.readouterr().out
    [line] = logs(output, "request")
    assert (line["route"], line["status"], line["rows"]) == ("/predict", 200, 1)
    assert "_aws" not in output
    assert line["timestamp"].endswith("+00:00")


def test_both_kinds_of_lines_have_the_loggers_members(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    function = Function(registry)
    capsys.readouterr()
    function.post(RECORD)
    function.get("/livez")
    predicted, alive = logs(capsys.readouterr().out, "request")
    members = {"level", "message", "timestamp", "service", "stage", "request_id", "invocation_id", "method", "route"}
    for line in (predicted, alive):
        assert members <= set(line)
        assert (line["level"], line["stage"]) == ("INFO", "local")
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)
