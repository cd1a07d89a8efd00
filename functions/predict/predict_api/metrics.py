"""Documents of CloudWatch's embedded metric format: a log entry that CloudWatch also makes metrics of. Pure.

Source: "Specification: Embedded metric format" in the CloudWatch user guide. Powertools can make such documents too, in
a tenth of the time that a whole prediction takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The metrics' names: alarms and dashboards are built on them. Each is written by service and stage, and once more by
# service, stage and model_version if a version is known.
LATENCY = "Latency"
ROWS = "Rows"
COLD_START = "ColdStart"
SERVER_ERRORS = "ServerErrors"
MODEL_LOAD_TIME = "ModelLoadTime"
MODEL_LOAD_FAILURES = "ModelLoadFailures"
ALIAS_LOOK_UP_FAILURES = "AliasLookUpFailures"
ALIAS_STALENESS = "AliasStaleness"
PREDICTION_LOG_FAILURES = "PredictionLogFailures"

UNITS = {
    LATENCY: "Milliseconds",
    ROWS: "Count",
    COLD_START: "Count",
    SERVER_ERRORS: "Count",
    MODEL_LOAD_TIME: "Milliseconds",
    MODEL_LOAD_FAILURES: "Count",
    ALIAS_LOOK_UP_FAILURES: "Count",
    ALIAS_STALENESS: "Seconds",
    PREDICTION_LOG_FAILURES: "Count",
}
_DEFINITIONS = {name: {"Name": name, "Unit": unit} for name, unit in UNITS.items()}


class EmbeddedMetrics:
    """Makes the documents of one service and stage."""

    def __init__(self, namespace: str, service: str, stage: str) -> None:
        self._namespace = namespace
        self._dimensions = {"stage": stage, "service": service}

    def document(
        self, measured: Mapping[str, float], version: int | None, entry: Mapping[str, object], wall_s: float
    ) -> dict[str, Any]:
        """Return a log entry as a document.

        Parameters
        ----------
        measured : mapping of str to float
            At least one value, by its metric's name.
        version : int or None
            The model version that the values are of.
        entry : mapping
            The members of the log entry.
        wall_s : float
            The time of the values, in seconds since 1970.
        """
        names = [list(self._dimensions)]
        if version is not None:
            names.append([*self._dimensions, "model_version"])
        metrics = {
            "Namespace": self._namespace,
            "Dimensions": names,
            "Metrics": [_DEFINITIONS[name] for name in measured],
        }
        document: dict[str, Any] = {"_aws": {"Timestamp": int(wall_s * 1000), "CloudWatchMetrics": [metrics]}}
        document.update(self._dimensions)
        if version is not None:
            document["model_version"] = str(version)
        document.update(entry)
        document.update((name, [float(value)]) for name, value in measured.items())
        return document
