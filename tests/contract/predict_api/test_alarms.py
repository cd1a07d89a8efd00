"""The template's alarms on the function's own metrics: what they look for is what the handler writes, and they ring."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from deployed_template import (
    Metric,
    alarms,
    dashboard_widgets,
    deployed,
    emitted_metrics,
    shown_metrics,
    variables,
    watched_metrics,
)
from emulator.template.resolve import Resource
from model_watch.loan_hash import LoanHasher
from predict_api.settings import Settings
from tests.contract.predict_api.api_kit import RECORD, TTL_S, Function, Registry, metrics

SERVICE = ("service", "late-payer-api")
THREE_MINUTES_S = 180.0
OPERATIONS = {
    "Sum": sum,
    "Maximum": max,
    "GreaterThanThreshold": float.__gt__,
    "GreaterThanOrEqualToThreshold": float.__ge__,
}


def own_alarms() -> dict[str, Mapping[str, Any]]:
    """Return the alarms on the metrics that this function writes."""
    every = alarms(deployed(Stage="prod"))
    return {name: alarm for name, alarm in every.items() if SERVICE in next(watched_metrics(alarm)).dimensions}


def as_deployed(registry: Registry, **changes: Any) -> Function:
    """Return a function with the settings that the template gives it."""
    settings = Settings.from_environ(variables(deployed(Stage="prod"), "PredictFunction"))
    return Function(registry, **{**vars(settings), **changes})


def hidden_from(output: str) -> set[str]:
    """Return the alarms whose metric isn't among those of an output."""
    emitted = emitted_metrics(output)
    return {name for name, alarm in own_alarms().items() if not emitted.issuperset(watched_metrics(alarm))}


def rings(alarm: Mapping[str, Any], values: list[tuple[float, float]]) -> bool:
    """Return whether an alarm goes off that gets these values at these seconds, and takes missing data for good."""
    period = alarm["Period"]
    values_by_period: dict[int, list[float]] = {}
    for at_s, value in values:
        values_by_period.setdefault(int(at_s // period), []).append(value)
    breaches = OPERATIONS[alarm["ComparisonOperator"]]
    bad = {
        number
        for number, measured in values_by_period.items()
        if breaches(float(OPERATIONS[alarm["Statistic"]](measured)), float(alarm["Threshold"]))
    }
    width, needed = alarm["EvaluationPeriods"], alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    return any(len(bad & set(range(first, first + width))) >= needed for first in bad)


def answer_through_failures(function: Function, registry: Registry, second: int) -> None:
    """Move the alias to a version that can't be loaded, then let the whole bucket fail; the function answers on."""
    registry.store.break_down("model.pkl")
    registry.writer.assign("live", second)
    function.clock.advance(TTL_S)
    assert function.post(RECORD).status == 200
    registry.store.break_down()
    function.clock.advance(TTL_S)
    assert function.post(RECORD).status == 200


class BrokenHasher(LoanHasher):
    """Keeps a prediction's log line from being made."""

    def hash(self, text: str) -> str:
        raise RuntimeError("no hash")


def test_every_alarm_looks_for_a_metric_that_the_function_writes(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    function = as_deployed(registry)
    assert function.post(RECORD).status == 200
    assert hidden_from(capsys.readouterr().out) == set(own_alarms()) - {"AliasStalenessAlarm"}
    broken = as_deployed(registry, loan_hasher=BrokenHasher("x" * 32))
    answer_through_failures(broken, registry, second)
    assert hidden_from(capsys.readouterr().out) == set()


def test_without_a_model_the_alarms_that_can_ring_have_their_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry()
    function = as_deployed(registry)
    assert function.post(RECORD).status == 503
    # There is no alias yet, so none is stale, and no version, so none is refused.
    assert hidden_from(capsys.readouterr().out) == set(own_alarms()) - {"AliasLookUpFailuresAlarm"}
    registry.writer.assign("live", registry.publish(b"no model"))
    function.clock.advance(TTL_S)
    assert function.post(RECORD).status == 503
    assert "ModelLoadFailuresAlarm" not in hidden_from(capsys.readouterr().out)


def test_the_dashboard_shows_what_the_function_writes(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    resources = deployed(Stage="prod")
    function = as_deployed(registry)
    answer_through_failures(function, registry, second)
    output = capsys.readouterr().out
    emitted = emitted_metrics(output)
    own = {metric for metric in shown_metrics(resources) if SERVICE in metric.dimensions}
    assert own
    assert own <= emitted
    [searched] = [text for text in searches(resources) if "PeerLoan" in text]
    namespace, *names = searched[searched.index("{") + 1 : searched.index("}")].split(",")
    terms = dict(re.findall(r'(\w+)="([^"]+)"', searched))
    metric = terms.pop("MetricName")
    of_version = {**terms, "model_version": "1"}
    assert set(names) == set(of_version)
    assert Metric(namespace, metric, frozenset(of_version.items())) in emitted
    # What the query reads, it finds in a prediction's line.
    [query] = [widget["query"] for widget in dashboard_widgets(resources) if "prediction" in widget.get("query", "")]
    [line, *_] = [json.loads(text) for text in output.splitlines() if '"kind":"prediction"' in text]
    assert {"rows", "model_version"} <= set(line)
    pattern = query.split("parse @message '")[1].split("'")[0]
    assert re.search(re.escape(pattern).replace(r"\*", "([01]+)"), json.dumps(line, separators=(",", ":")))


def searches(resources: Mapping[str, Resource]) -> Iterator[str]:
    """Return the search expressions of the dashboard."""
    for widget in dashboard_widgets(resources):
        yield from [row[0]["expression"] for row in widget.get("metrics", ()) if isinstance(row[0], dict)]


def test_two_stacks_of_one_stage_write_metrics_of_their_own(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    written = []
    for stack in ("first", "other"):
        as_deployed(registry, stack=stack).post(RECORD)
        written.append(emitted_metrics(capsys.readouterr().out))
    assert written[0]
    assert not written[0] & written[1]


def values_of(output: str, name: str, at_s: float) -> list[tuple[float, float]]:
    return [(at_s, line[name][0]) for line in metrics(output, name)]


@pytest.mark.parametrize(
    ("alarm", "metric"),
    [("AliasStalenessAlarm", "AliasStaleness"), ("AliasLookUpFailuresAlarm", "AliasLookUpFailures")],
)
@pytest.mark.parametrize("outage", [range(0), range(3, 4), range(3, 20)])
def test_with_a_request_every_three_minutes_an_outage_of_the_bucket_rings_and_one_failure_does_not(
    registry: Registry, capsys: pytest.CaptureFixture[str], alarm: str, metric: str, outage: range
) -> None:
    function = as_deployed(registry)
    values: list[tuple[float, float]] = []
    for number in range(20):
        if number in outage:
            registry.store.break_down()
        else:
            registry.store.recover()
        function.clock.advance(THREE_MINUTES_S)
        assert function.post(RECORD).version == 1
        values += values_of(capsys.readouterr().out, metric, number * THREE_MINUTES_S)
    assert rings(own_alarms()[alarm], values) == (len(outage) > 1)


def test_a_refused_version_rings_for_as_long_as_it_is_in_charge(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    function = as_deployed(registry)
    registry.writer.assign("live", registry.publish(b"no model"))
    values: list[tuple[float, float]] = []
    for number in range(20):
        function.clock.advance(THREE_MINUTES_S)
        assert function.post(RECORD).version == 1
        values += values_of(capsys.readouterr().out, "ModelLoadFailures", number * THREE_MINUTES_S)
    alarm = own_alarms()["ModelLoadFailuresAlarm"]
    for began in range(0, 20, 4):
        within = [(at_s, value) for at_s, value in values if began * THREE_MINUTES_S <= at_s]
        assert rings(alarm, [pair for pair in within if pair[0] < (began + 4) * THREE_MINUTES_S])
