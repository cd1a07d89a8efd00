"""What CheckFunction asks a new version of the code, and what it tells CodeDeploy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from memory_store import InMemoryStore
from model_registry.alias import RoutingConfig
from model_registry.routing import resolve_version
from operate.code_check import CodeCheck
from operate.settings import CheckSettings
from registry_kit import make_writer, publish_two

EVENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}
READY = {"statusCode": 200, "body": "{}"}
NOT_READY = {"statusCode": 503, "body": "no model"}


class Bench:
    """A check of a version whose answers a test chooses; version 1 of the model is in charge of nine tenths."""

    def __init__(self, *, probability: float = 0.25, version: int = 1, new: Mapping[str, Any] = READY) -> None:
        store = InMemoryStore()
        publish_two(store)
        writer = make_writer(store)
        writer.assign("live", 1)
        writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1}))
        self.alias = writer.reader.get_alias("live").alias
        self.answer = {
            "statusCode": 200,
            "body": json.dumps(
                {"model": {"version": version}, "predictions": [{"late_probability": probability}]},
            ),
        }
        self.new, self.serving = new, READY
        self.after_waiting = new
        self.asked: list[dict[str, Any]] = []
        self.reported: list[tuple[str, str, str]] = []
        self.check = CodeCheck(
            writer.reader,
            "live",
            ask_new=self.ask,
            ask_serving=lambda _: self.serving,
            report=lambda *words: self.reported.append(words),
            write=lambda _: None,
            sleep=self.wait,
        )

    def ask(self, event: dict[str, Any]) -> Mapping[str, Any]:
        self.asked.append(event)
        return self.new if event["rawPath"] == "/readyz" else self.answer

    def wait(self, _: float) -> None:
        self.new = self.after_waiting

    def run(self) -> tuple[str, str]:
        found = self.check(EVENT, None)
        assert self.reported == [("d-1", "e-1", found["status"])]
        return found["status"], found["reason"]


def test_a_version_that_gives_the_probe_records_what_they_had_succeeds() -> None:
    bench = Bench()
    assert bench.run()[0] == "Succeeded"
    ready, predict = bench.asked
    assert (ready["rawPath"], predict["rawPath"]) == ("/readyz", "/predict")
    assert json.loads(predict["body"]) == {"instances": [{"dti": 1.0, "grade": "A"}]}
    assert resolve_version(bench.alias, predict["headers"]["idempotency-key"]) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"probability": 0.2500001}, "gets the probability 0.2500001, not 0.25"),
        ({"probability": float("nan")}, "gets the probability nan"),
        ({"version": 2}, "Version 2 of the model answers, and 1 is in charge"),
        ({"new": NOT_READY}, "/readyz answers 503 no model"),
    ],
)
def test_a_version_that_answers_otherwise_fails(options: dict[str, Any], says: str) -> None:
    status, reason = Bench(**options).run()
    assert status == "Failed"
    assert says in reason


def test_whatever_goes_wrong_code_deploy_hears_of_it() -> None:
    bench = Bench()
    bench.answer = {"statusCode": 500, "body": "{}"}
    assert bench.run()[0] == "Failed"
    bench.reported.clear()
    bench.answer = {}
    assert bench.run() == ("Failed", "KeyError: 'statusCode'")


def test_without_a_model_there_is_nothing_to_compare() -> None:
    bench = Bench(new=NOT_READY)
    bench.serving = NOT_READY
    assert bench.run()[0] == "Succeeded"


def test_one_answer_that_fails_is_asked_for_again() -> None:
    bench = Bench(new=NOT_READY)
    bench.after_waiting = READY
    assert bench.run()[0] == "Succeeded"


def test_it_needs_to_know_the_version() -> None:
    given = {"MODEL_BUCKET": "models", "NEW_VERSION": "arn:1", "SERVING_VERSION": "arn:live"}
    assert CheckSettings.from_environ(given).alias == "live"
    with pytest.raises(ValueError, match="NEW_VERSION is missing"):
        CheckSettings.from_environ({**given, "NEW_VERSION": ""})
