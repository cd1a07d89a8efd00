"""Answers a request's JSON object with predictions, and describes the versions in charge. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_artifact.errors import ArtifactError, ModelProcessError, NoReasonsError
from model_artifact.loading import LoadedModel
from model_artifact.schema import LOAN_ID
from model_artifact.serving_form.encoding import RecordTable
from model_registry.routing import resolve_version
from predict_api.http.errors import (
    DeadlineExceededError,
    ExplanationUnavailableError,
    NoVerifiedModelError,
    RequestError,
    RequestTooLargeError,
    UnknownModelError,
)
from predict_api.http.exchange import Exchange, ScoredBatch
from predict_api.models.alias_follower import ActiveVersions, AliasFollower
from predict_api.records.envelopes import Envelope, open_envelope
from predict_api.records.record_schema import RECORD_NAMES, check_records

# Scoring a thousand records and writing the answer takes less; with less time left, Lambda would end the environment.
LEAST_REMAINING_MS = 250
_PROBE_RETRY_S = 5.0
# Time reserved for scoring and answering, so that the bucket can't use it up.
_ANSWERING_MS = 1000
# How many records are explained before the time for all of them is estimated.
_MEASURED_RECORDS = 5
_NO_REASONS = "This version of the model gives no reasons. Ask again without parameters.explain."
# Up to here plain Python is faster than NumPy.
_FEW_RECORDS = 20
# A refusal names this share of the estimated number of records, so that they still fit when the machine is busier.
_CAUTION = 0.8


class PredictionService:
    """Scores records with the versions in charge of ``model``, and describes these versions."""

    def __init__(self, model: str, follower: AliasFollower) -> None:
        self.model = model
        self._follower = follower

    def predict(
        self,
        document: Mapping[str, Any],
        exchange: Exchange,
        open_request: Callable[[Mapping[str, Any], Sequence[str]], Envelope] = open_envelope,
    ) -> dict[str, Any]:
        """Return the body of the answer to a request's body, in which ``open_request`` finds the records.

        The version and what it made of the records are written into the exchange, for the request's log line. Raises
        ``RequestError`` if the request is wrong, no model is loaded, or the time is used up, and
        ``NonFiniteOutputError`` if the model returns something that isn't a probability.
        """
        with exchange.span("validate"):
            envelope = open_request(document, RECORD_NAMES)
            records: Sequence[Mapping[str, Any]] = check_records(envelope.records, envelope.pointers)
            if len(records) > _FEW_RECORDS:
                # The scorers, the warnings and the log share one table.
                records = RecordTable(records)
        with exchange.span("model"):
            model, active = self._choose(records, exchange)
        with exchange.span("score"):
            probabilities, model, active = self._score(records, exchange, model, active)
        reasons = None
        if envelope.wants_reasons:
            with exchange.span("explain"):
                reasons = _explain(model, records, exchange)
        warnings = model.training_range.warnings(records, envelope.pointers.field)
        exchange.scored, exchange.rows = ScoredBatch(records, probabilities, warnings), len(records)
        return {
            "id": envelope.request_name or exchange.request_id,
            "model": _describe_model(model, active),
            "predictions": _predictions(model, exchange.scored, reasons),
        }

    def check_ready(self, exchange: Exchange) -> dict[str, Any]:
        """Return the versions in charge, after scoring their probe records again.

        Raises ``NoVerifiedModelError`` if no version is in charge, a probe record gets another probability than when
        its version was published, or the alias wasn't read since a snapshot was restored: the snapshot may hold a
        version that is long replaced.
        """
        active = self._follower.follow(_spare_s(exchange))
        if self._follower.is_stale:
            raise NoVerifiedModelError(self._follower.retry_in_s())
        try:
            for model in active.models.values():
                model.check_probes()
        except ArtifactError as error:
            raise NoVerifiedModelError(_PROBE_RETRY_S) from error
        return {
            "status": "ready",
            "models": [_describe_model(model, active) for model in active.models.values()],
        }

    def check_name(self, name: str) -> None:
        """Raise ``UnknownModelError`` if this isn't the model's name."""
        if name != self.model:
            raise UnknownModelError(f"This function has no model of this name. Its model is {self.model}.")

    def describe(self, name: str, exchange: Exchange) -> dict[str, Any]:
        """Describe the model in charge: its alias, its versions and its columns.

        Raises ``UnknownModelError`` if ``name`` is another model's, and ``NoVerifiedModelError`` if no version is in
        charge.
        """
        self.check_name(name)
        active = self._follower.follow(_spare_s(exchange))
        alias = active.alias
        main = next(iter(active.models.values()))
        return {
            "name": self.model,
            "alias": {"name": alias.alias, "revision": alias.revision, "updated_at": alias.updated_at},
            "versions": [_describe_version(model, active) for model in active.models.values()],
            "schema": [vars(field) for field in main.manifest.input_schema],
        }

    def _score(
        self, records: Sequence[Mapping[str, Any]], exchange: Exchange, model: LoadedModel, active: ActiveVersions
    ) -> tuple[Sequence[float], LoadedModel, ActiveVersions]:
        """Return the probabilities, and the versions as ``_choose`` does: another answers for one whose process ends.

        That is repeated until a version answers, none is left, or the request's time is used up.
        """
        while exchange.remaining_ms() >= LEAST_REMAINING_MS:
            try:
                return model.late_probabilities(records), model, active
            except ModelProcessError as error:
                self._follower.refuse(model.manifest.version, error)
                exchange.refused_versions.add(model.manifest.version)
                model, active = self._choose(records, exchange)
        raise DeadlineExceededError("No time is left to score the records. Send them again, or fewer.")

    def _choose(self, records: Sequence[Mapping[str, Any]], exchange: Exchange) -> tuple[LoadedModel, ActiveVersions]:
        """Return the version that answers, and all versions in charge.

        They are written into the exchange first: whatever fails from now on, this version is answerable for it.
        """
        active = self._follower.follow(_spare_s(exchange))
        exchange.alias = active.alias
        exchange.routing_key = routing_key(records, exchange.headers, exchange.request_id)
        exchange.routed_version = routed = resolve_version(active.alias, exchange.routing_key)
        exchange.model = model = active.model_of(routed)
        if model.manifest.version != routed and self._follower.cache.is_refused(routed):
            exchange.refused_versions.add(routed)
        return model, active


def routing_key(records: Sequence[Mapping[str, Any]], headers: Mapping[str, str], request_id: str) -> str:
    """Return the key that decides which version answers while two share the traffic.

    One version answers a whole request, so the first loan decides for a batch. Without a loan's id and a header, the
    request id decides; a repeated request may then get the other version.
    """
    return records[0].get(LOAN_ID) or headers.get("idempotency-key") or request_id


def _spare_s(exchange: Exchange) -> float:
    """Return the seconds that reading the bucket may take, so that time is left to score."""
    return (exchange.remaining_ms() - LEAST_REMAINING_MS - _ANSWERING_MS) / 1000


def _explain(
    model: LoadedModel, records: Sequence[Mapping[str, Any]], exchange: Exchange
) -> list[list[dict[str, Any]]]:
    """Return each record's reasons, or refuse as soon as the estimate exceeds the request's time.

    A record takes a tenth of a millisecond with small trees and forty milliseconds with a large forest. So the first
    records are measured, and the time for all of them is estimated from their mean. A refusal is a
    ``RequestTooLargeError`` that says how many records fit, or a ``DeadlineExceededError`` if not even one does.
    """
    budget_s = (exchange.remaining_ms() - LEAST_REMAINING_MS) / 1000
    started_s = exchange.duration_s()
    reasons: list[list[dict[str, Any]]] = []
    for record in records:
        try:
            reasons.append([vars(reason) for reason in model.explain(record)])
        except NoReasonsError:
            raise ExplanationUnavailableError(_NO_REASONS) from None
        elapsed_s = exchange.duration_s() - started_s
        expected_s = elapsed_s / len(reasons) * len(records)
        is_late = elapsed_s > budget_s or (len(reasons) >= _MEASURED_RECORDS and expected_s > budget_s)
        if is_late and len(reasons) < len(records):
            raise _too_many_reasons(int(len(records) * budget_s / expected_s * _CAUTION))
    return reasons


def _too_many_reasons(max_records: int) -> RequestError:
    if max_records < 1:
        return DeadlineExceededError("No time is left for reasons. Send the records again, or fewer.")
    return RequestTooLargeError(
        "There isn't enough time to give reasons for so many records with this model. "
        f"Ask for reasons of at most {max_records:,} records in one request.",
        max_records,
    )


def _predictions(
    model: LoadedModel, scored: ScoredBatch, reasons: Sequence[list[dict[str, Any]]] | None
) -> list[dict[str, Any]]:
    threshold = model.manifest.threshold.value
    predictions: list[dict[str, Any]] = []
    for index, (record, probability) in enumerate(zip(scored.records, scored.late_probabilities, strict=True)):
        prediction: dict[str, Any] = {"index": index}
        if record.get(LOAN_ID) is not None:
            prediction[LOAN_ID] = record[LOAN_ID]
        prediction["late_probability"] = probability
        prediction["is_late"] = probability >= threshold
        prediction["threshold"] = threshold
        if reasons is not None:
            prediction["reasons"] = reasons[index]
        prediction["warnings"] = scored.warnings[index]
        predictions.append(prediction)
    return predictions


def _describe_model(model: LoadedModel, active: ActiveVersions) -> dict[str, Any]:
    manifest = model.manifest
    return {
        "name": manifest.model,
        "version": manifest.version,
        "alias": active.alias.alias,
        "sha256": manifest.artifact.sha256,
    }


def _describe_version(model: LoadedModel, active: ActiveVersions) -> dict[str, Any]:
    manifest = model.manifest
    return {
        "version": manifest.version,
        "weight": active.weight_of(manifest.version),
        "form": model.form,
        "why_no_serving_form": manifest.why_no_serving_form,
        "sha256": manifest.artifact.sha256,
        "threshold": vars(manifest.threshold),
        "classes": list(manifest.classes),
        "metrics": manifest.metrics,
        "environment": manifest.environment,
        "git_commit": manifest.git_commit,
        "created_at": manifest.created_at,
        "description": manifest.description,
    }
