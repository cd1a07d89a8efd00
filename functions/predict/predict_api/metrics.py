"""The names and units of the function's metrics: alarms and dashboards are built on them."""

from __future__ import annotations

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
