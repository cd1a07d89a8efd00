"""What the log line of a prediction says of its version and its records. It holds none of the borrower's values.

``model_watch.prediction_log`` has the format. This module fills it in from what the request knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from model_artifact.loading import LoadedModel
from model_artifact.schema import LOAN_ID
from model_registry.routing import routing_point
from model_watch.loan_hash import LoanHasher
from model_watch.prediction_log import ScoredRecords, ShadowEntry, line_members
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
        loans = [] if scored is None else [record.get(LOAN_ID) for record in scored.records]
        key, *loans = self._hashes([exchange.routing_key, *loans])
        return line_members(
            model=self._model,
            alias=alias,
            routed_version=exchange.routed_version,
            refused_versions=exchange.refused_versions,
            key=key,
            point=routing_point(alias.rollout, exchange.routing_key),
            scored=None if scored is None else self._records(scored, model, loans, exchange.shadow),
        )

    def _hashes(self, texts: list[str | None]) -> list[str | None]:
        return [None] * len(texts) if self._hasher is None else self._hasher.hash_all(texts)

    def _records(
        self, scored: ScoredBatch, model: LoadedModel, loans: list[str | None], shadow: ShadowEntry | None
    ) -> ScoredRecords:
        return ScoredRecords(
            threshold=model.manifest.threshold.value,
            loans=loans,
            late_probabilities=scored.late_probabilities,
            profiles=self._profiles(scored, model),
            warnings=_codes(scored.warnings),
            shadow=shadow,
        )

    def _profiles(self, scored: ScoredBatch, model: LoadedModel) -> list[str] | None:
        if model not in self._profilers:
            # Imported here: it brings NumPy, which no request needs before a version is loaded.
            from model_watch.profile import Profiler

            profile = model.manifest.profile
            self._profilers[model] = None if profile is None else Profiler(profile)
        profiler = self._profilers[model]
        return None if profiler is None else profiler.of(scored.records)


def _codes(warnings: Sequence[Sequence[Mapping[str, str]]]) -> dict[int, list[str]]:
    """Return each code once for each record that has warnings."""
    return {
        index: list(dict.fromkeys([warning["code"] for warning in of_record]))
        for index, of_record in enumerate(warnings)
        if of_record
    }
