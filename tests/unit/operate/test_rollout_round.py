"""One round of OperateFunction: what it does to the rollouts of a model, and the line that it writes about each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest

from deployed_template import (
    alarms,
    dashboard_widgets,
    deployed,
    emitted_metrics,
    shown_metrics,
    variables,
    watched_metrics,
)
from memory_store import InMemoryStore
from model_registry.function_settings import SettingsError
from model_registry.names import rollout_key
from model_rollout.guard_settings import default_settings
from operate.app import build
from operate.rollout_round import RolloutRoundError
from operate.settings import Settings
from registry_kit import make_writer, publish_two
from rollout_kit import at, make_rollout

VARIABLES = {"MODEL_BUCKET": "models", "LOG_BUCKET": "log", "STAGE": "test"}


class Bench:
    """Both buckets, with a rollout that has just been started on each alias, and a function on them."""

    def __init__(self, *aliases: str, variables: Mapping[str, str] = VARIABLES) -> None:
        self.models, self.log = InMemoryStore(), InMemoryStore()
        self.seconds = 0
        self.lines: list[dict[str, object]] = []
        publish_two(self.models)
        writer = replace(make_writer(self.models), clock=self.now)
        ids = iter(range(1000))
        self.function = build(
            Settings.from_environ(variables),
            self.models,
            self.log,
            clock=self.now,
            new_id=lambda: f"write-{next(ids)}",
            write=lambda line: self.lines.append(json.loads(line)),
        )
        guards = default_settings().to_document()
        for alias in aliases:
            writer.assign(alias, 1)
            rollout = make_rollout(id=f"{alias}-2", alias=alias, guards=guards)
            self.models.put(rollout_key("late-payer", alias), rollout.to_json())
        self.reader = writer.reader

    def now(self) -> datetime:
        return at(self.seconds)


def test_without_rollouts_it_says_nothing():
    bench = Bench()
    assert bench.function({}, None) == {"rollouts": {}}
    assert bench.lines == []


def test_every_rollout_takes_its_step_and_has_its_line():
    bench = Bench("live", "shadow")
    assert bench.function({}, None) == {"rollouts": {"live": "running", "shadow": "running"}}
    assert bench.reader.get_alias("live").alias.shadow is not None
    line = bench.lines[0]
    assert (line["kind"], line["alias"], line["state"], line["rollout_stage"]) == ("rollout", "live", "running", 1)
    metrics = line["_aws"]["CloudWatchMetrics"][0]
    assert (metrics["Namespace"], metrics["Dimensions"]) == ("PeerLoan", [["service", "stage", "stack"]])
    assert {metric["Name"]: line[metric["Name"]] for metric in metrics["Metrics"]} == {
        "RolloutWeight": [0.0],
        "RolloutNeedsAttention": [0.0],
        "RolloutFailedGuards": [0.0],
    }


def test_the_alarm_looks_for_the_metric_that_a_round_writes():
    resources = deployed(Stage="prod")
    bench = Bench("live", variables=variables(resources, "OperateFunction"))
    bench.function({}, None)
    emitted = emitted_metrics("\n".join(map(json.dumps, bench.lines)))
    assert emitted.issuperset(watched_metrics(alarms(resources)["RolloutAttentionAlarm"]))
    shown = {metric for metric in shown_metrics(resources) if metric.name.startswith("Rollout")}
    assert len(shown) == 2
    assert shown <= emitted
    [query] = [widget["query"] for widget in dashboard_widgets(resources) if "'rollout'" in widget.get("query", "")]
    assert set(query.split("| display ")[1].split(", ")) <= set(bench.lines[0])


def test_a_held_rollout_asks_for_attention_and_one_that_has_ended_is_left_alone():
    bench = Bench("live")
    bench.function({}, None)
    bench.seconds = 1000
    bench.function({}, None)
    assert (bench.lines[-1]["state"], bench.lines[-1]["RolloutNeedsAttention"]) == ("held", [1.0])
    assert "No data" in bench.lines[-1]["why"]
    bench.models.put(rollout_key("late-payer", "live"), make_rollout(state="aborted").to_json())
    count = len(bench.lines)
    assert bench.function({}, None) == {"rollouts": {}}
    assert len(bench.lines) == count


@pytest.mark.parametrize(
    ("state", "attention"), [("rolled_back", 1), ("superseded", 1), ("aborted", 0), ("promoted", 0)]
)
def test_a_rollout_that_somebody_else_ended_is_told_of_once(state, attention):
    bench = Bench("live")
    ended = make_rollout().with_event(state, at=at(500), by="controller", reason="failed_answers", state=state)
    bench.models.put(rollout_key("late-payer", "live"), ended.to_json())
    bench.seconds = 560
    assert bench.function({}, None) == {"rollouts": {"live": state}}
    assert [(line["state"], line["RolloutNeedsAttention"]) for line in bench.lines] == [(state, [attention])]
    assert bench.function({}, None) == {"rollouts": {}}

    later = Bench("live")
    later.models.put(rollout_key("late-payer", "live"), ended.to_json())
    later.seconds = 500 + 16 * 60
    assert later.function({}, None) == {"rollouts": {}}


def test_a_rollout_that_cant_be_driven_stops_no_other():
    bench = Bench("broken", "live")
    bench.models.put(rollout_key("late-payer", "broken"), b"{}")
    with pytest.raises(RolloutRoundError, match="broken"):
        bench.function({}, None)
    assert [(line["alias"], line["level"]) for line in bench.lines] == [("broken", "ERROR"), ("live", "INFO")]
    assert bench.lines[0]["error"] == "InvalidRolloutError"
    assert bench.reader.get_alias("live").alias.shadow is not None


def test_damage_of_the_log_is_counted_and_named():
    bench = Bench("live")
    bench.function({}, None)
    bench.log.put("log/dt=2026-03-01/damaged.gz", b'{"kind": "prediction"}\n')
    bench.function({}, None)
    assert (bench.lines[-1]["damaged_lines"], bench.lines[-1]["damaged_objects"]) == (
        1,
        ["log/dt=2026-03-01/damaged.gz"],
    )


@pytest.mark.parametrize("variable", ["MODEL_BUCKET", "LOG_BUCKET"])
def test_a_missing_bucket_is_named(variable):
    with pytest.raises(SettingsError, match=f"{variable} is missing"):
        Settings.from_environ({**VARIABLES, variable: " "})


def test_a_model_name_that_isnt_allowed_is_refused():
    with pytest.raises(SettingsError, match="MODEL_NAME"):
        Settings.from_environ({**VARIABLES, "MODEL_NAME": "Late Payer"})
