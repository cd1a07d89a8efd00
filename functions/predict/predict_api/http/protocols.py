"""Protocols of other model servers: MLflow's scoring server and KServe's V1. ``open_inference`` has KServe's V2.

Each one is an adapter over ``PredictionService``: it reads a request into an ``Envelope``, and writes predictions and
problems as the protocol's clients expect them. ``DEFAULT`` is this API's own way.
Sources: mlflow/pyfunc/scoring_server of MLflow 3; "V1 Protocol" in KServe's documentation of its data plane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from predict_api.http import problems
from predict_api.http.exchange import Exchange
from predict_api.http.problems import Problem
from predict_api.records.columns import Column, open_columns
from predict_api.records.envelopes import ENVELOPES, Envelope, check_companions, open_envelope, read_explain, read_id
from predict_api.records.violations import escape
from predict_api.service import PredictionService

Document = Mapping[str, Any]
Read = Callable[[PredictionService, Exchange], dict[str, Any]]

# A problem's message names at most this many wrong places.
_PLACES = 10
# MLflow's ErrorCode by HTTP status (mlflow/exceptions.py); other statuses are BAD_REQUEST.
_MLFLOW_CODES = {404: "ENDPOINT_NOT_FOUND", 500: "INTERNAL_ERROR", 501: "NOT_IMPLEMENTED"}
_MLFLOW_CODES |= {503: "TEMPORARILY_UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


@dataclass(frozen=True)
class Protocol:
    """How one protocol's requests are read and answered.

    ``predict_path`` is where predictions are asked for; ``{name}`` stands for the model's name. ``reads`` are the GET
    routes. ``open_request`` finds the records in a body, whose fields have the given names. ``write_answer`` gets the
    service's answer and the request's body. ``write_problem`` returns a problem's status and body.
    """

    predict_path: str
    open_request: Callable[[Document, Sequence[str]], Envelope]
    write_answer: Callable[[Document, Document], Document]
    write_problem: Callable[[Problem], tuple[int, Document]]
    reads: Mapping[str, Read] = field(default_factory=dict)
    problem_type: str = "application/json"
    takes_no_content_type: bool = False


def open_request(document: Document, field_names: Sequence[str]) -> Envelope:
    """Open a body of ``/predict``, or one with ``inputs``: records, or the columns of values by name."""
    inputs = document.get("inputs")
    if not isinstance(inputs, dict) or not inputs:
        return open_envelope(document, field_names, (*ENVELOPES, "inputs"))
    check_companions(document, "inputs", field_names)
    places = {name: f"/inputs/{escape(name)}" for name in inputs}
    columns = [Column(name, values, places[name], places[name]) for name, values in inputs.items()]
    records, pointers = open_columns(columns, field_names, "/inputs")
    return Envelope(records, pointers, read_id(document), read_explain(document))


def status_of(problem: Problem) -> int:
    """Return a problem's HTTP status in these protocols, which know 400 for every wrong body."""
    return 400 if problem.kind.status == 422 else problem.kind.status


def message_of(problem: Problem) -> str:
    """Return a problem as one text: what is wrong, and the first wrong places."""
    errors = problem.document.get("errors", [])
    places = [f"{error['pointer'] or 'The body'}: {error['detail']}" for error in errors[:_PLACES]]
    return " ".join([problem.document["detail"], *places])


def write_error(problem: Problem) -> tuple[int, Document]:
    """Return a problem as KServe's protocols have it."""
    return status_of(problem), {"error": message_of(problem)}


def read_model_ready(service: PredictionService, exchange: Exchange) -> dict[str, Any]:
    """Return that the model is ready; a model that isn't is a problem of status 503."""
    service.check_ready(exchange)
    return {"name": service.model, "ready": True}


def _write_mlflow_problem(problem: Problem) -> tuple[int, Document]:
    status = status_of(problem)
    return status, {"error_code": _MLFLOW_CODES.get(status, "BAD_REQUEST"), "message": message_of(problem)}


def _ping(service: PredictionService, exchange: Exchange) -> dict[str, Any]:
    service.check_ready(exchange)
    return {}


def _only_predictions(answer: Document, _document: Document) -> Document:
    return {"predictions": answer["predictions"]}


DEFAULT = Protocol(
    "/predict",
    open_envelope,
    lambda answer, _document: answer,
    lambda problem: (problem.kind.status, problem.document),
    problem_type=problems.CONTENT_TYPE,
)
MLFLOW = Protocol("/invocations", open_request, _only_predictions, _write_mlflow_problem, {"/ping": _ping})
KSERVE_V1 = Protocol(
    "/v1/models/{name}:predict",
    open_request,
    _only_predictions,
    write_error,
    {"/v1/models": lambda service, _exchange: {"models": [service.model]}, "/v1/models/{name}": read_model_ready},
)
