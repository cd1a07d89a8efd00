"""``template.yaml`` as a deployment gets it: through SAM's transform, with its parameters and conditions resolved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from emulator.template.load import load_template
from emulator.template.resolve import Resource, resolve_template
from emulator.template.values import Reference

ROOT = Path(__file__).parents[2]


class Metric(NamedTuple):
    """A metric, as CloudWatch finds it: another set of dimensions is another metric."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


@cache
def deployed(**parameters: str) -> dict[str, Resource]:
    """Return the resources by logical id, of a stack with the name ``local``."""
    return resolve_template(load_template(ROOT / "template.yaml", parameters, "us-east-1"))


def alarms(resources: Mapping[str, Resource]) -> dict[str, Mapping[str, Any]]:
    """Return the properties of the alarms by logical id."""
    return {name: entry.properties for name, entry in resources.items() if entry.type == "AWS::CloudWatch::Alarm"}


def watched_metrics(alarm: Mapping[str, Any]) -> Iterator[Metric]:
    """Return the metrics that an alarm looks at: one, or those of its expression."""
    stated = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", ()) if "MetricStat" in query]
    for metric in stated or [alarm]:
        pairs = frozenset((entry["Name"], plain(entry["Value"])) for entry in metric["Dimensions"])
        yield Metric(metric["Namespace"], metric["MetricName"], pairs)


def dashboard_widgets(resources: Mapping[str, Resource]) -> list[dict[str, Any]]:
    """Return the properties of the dashboard's widgets."""
    body = json.loads(plain(resources["Dashboard"].properties["DashboardBody"]))
    return [widget["properties"] for widget in body["widgets"]]


def shown_metrics(resources: Mapping[str, Resource]) -> Iterator[Metric]:
    """Return the metrics that the dashboard names, without those that it searches for."""
    for widget in dashboard_widgets(resources):
        for namespace, name, *rest in (row for row in widget.get("metrics", ()) if isinstance(row[0], str)):
            words = [word for word in rest if isinstance(word, str)]
            yield Metric(namespace, name, frozenset(zip(words[::2], words[1::2], strict=True)))


def variables(resources: Mapping[str, Resource], function: str) -> dict[str, str]:
    """Return a function's environment variables."""
    stated = resources[function].properties["Environment"]["Variables"]
    return {name: plain(value) for name, value in stated.items()}


def emitted_metrics(output: str) -> set[Metric]:
    """Return the metrics that CloudWatch makes of a function's log, of its lines in the embedded metric format."""
    emitted = set()
    for line in output.splitlines():
        document = json.loads(line) if '"_aws"' in line else {"_aws": {"CloudWatchMetrics": []}}
        for group in document["_aws"]["CloudWatchMetrics"]:
            for names in group["Dimensions"]:
                pairs = frozenset((name, document[name]) for name in names)
                emitted |= {Metric(group["Namespace"], metric["Name"], pairs) for metric in group["Metrics"]}
    return emitted


def plain(value: Any) -> str:
    """Return a resolved value as a text."""
    return value.text if isinstance(value, Reference) else str(value)
