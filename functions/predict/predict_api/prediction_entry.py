"""What the log line of a prediction says of its version and its records. It holds none of the borrower's values.

``model_watch.prediction_log`` has the format. This module fills it in from what the request knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from model_artifact.loading import LoadedModel
from model_artifact.schema import LOAN_ID
from model_watch.loan_hash import LoanHasher
from model_watch.prediction_log import ScoredRecords, line_members
from predict_api.http.exchange import Exchange, ScoredBatch

if TYPE_CHECKING:
    from model_watch.profile import Profiler


class PredictionEntries:
    """Makes the members of predictions' log lines. Without ``hasher`` they name no loans."""

    def __init__(self, model: str, hasher: LoanHasher | None) -> None:
        self._model = model
        self._hasher = hasher
        self._profilers: WeakKeyDictionary[LoadedModel, Profiler | None] = WeakKeyDictionary()

    def members(self, exchange: Exchange) -> dict[str, object]:
        """Return the members for a request, as far as it came: up to the problem that it was answered with."""
        alias, model, scored = exchange.alias, exchange.model, exchange.scored
        if alias is None or model is None:
            return line_members(model=self._model)
        key = None if self._hasher is None else self._hasher.hash(exchange.routing_key)
        return line_members(
            model=self._model,
            alias=alias,
            routed_version=exchange.routed_version,
            refused_versions=sorted(exchange.refused_versions),
            key=key,
            scored=None if scored is None else self._records(exchange, scored, model, key),
        )

    def _records(self, exchange: Exchange, scored: ScoredBatch, model: LoadedModel, key: str | None) -> ScoredRecords:
        records = scored.records
        profiler = self._find_profiler(model)
        return ScoredRecords(
            threshold=model.manifest.threshold.value,
            loans=self._loans(records, exchange.routing_key, key),
            late_probabilities=scored.late_probabilities,
            profiles=None if profiler is None else profiler.of(records),
            warnings=_codes(scored.warnings),
            shadow=exchange.shadow,
        )

    def _loans(
        self, records: Sequence[Mapping[str, Any]], routing_key: str, key: str | None
    ) -> Sequence[str | bytes | None]:
        if self._hasher is None:
            return [None] * len(records)
        if len(records) == 1 and records[0].get(LOAN_ID) == routing_key:
            # A single loan's id is the routing key, which is hashed already.
            return [key]
        return self._hasher.hash_all([record.get(LOAN_ID) for record in records])

    def _find_profiler(self, model: LoadedModel) -> Profiler | None:
        try:
            return self._profilers[model]
        except KeyError:
            # Imported here: it brings NumPy, which no request needs before a version is loaded.
            from model_watch.profile import Profiler

            profile = model.manifest.profile
            self._profilers[model] = profiler = None if profile is None else Profiler(profile)
            return profiler


def _codes(warnings: Sequence[Sequence[Mapping[str, str]]]) -> dict[int, list[str]]:
    """Return each code once for each record that has warnings."""
    return {
        index: list(dict.fromkeys([warning["code"] for warning in of_record]))
        for index, of_record in enumerate(warnings)
        if of_record
    }
