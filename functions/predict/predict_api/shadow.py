"""Scores the shadow's version after a request's answer is made up. Its scores are for the log alone.

Invariant (tests/contract/predict_api/test_shadow.py): whatever the shadow does, the answer stays as it is, and waits no
longer than the shadow's budget. Without a budget in the alias it is ``ARRAYS_BUDGET_MS``, and only a version that is
served from arrays is scored. A process that holds a pickle isn't waited for after its budget. A score from arrays can't
be interrupted: a batch begins with one record, and goes on with as many as there is time for. So the answer waits as
long as one record takes, if that is longer than the budget.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from model_artifact.errors import ModelProcessError, NonFiniteOutputError
from model_artifact.loading import PICKLE, SCORE_LIMIT_S, LoadedModel
from model_registry.routing import resolve_shadow
from model_watch.prediction_log import ShadowEntry, ShadowOutcome
from predict_api.http.exchange import Exchange
from predict_api.models.clock import Clock
from predict_api.models.shadow_loader import ShadowLoader

# What a shadow may take of a request if the alias doesn't say it. A thousand records of small trees take half of it.
ARRAYS_BUDGET_MS = 5.0
# As much of the invocation's time stays for the log line, and for a record of arrays that takes longer than the budget.
_RESERVE_MS = 2000.0
# A batch of arrays goes on with at most so many times the records that are scored already.
_GROWTH = 9
# Beyond its budget a process may score so long until it is ended.
_PATIENCE_S = 1.0
# So many batches of one size are measured before one is passed over.
_MEASUREMENTS = 3
# Of the batches that are passed over, one in so many is scored all the same: it may be quick by now.
_TRIED_AGAIN = 20

Records = Sequence[Mapping[str, Any]]


class SideScorer(Protocol):
    """See ``side_connection.SideConnection``."""

    @property
    def is_open(self) -> bool: ...

    def is_free(self) -> bool: ...

    def late_probabilities(self, records: Records, within_s: float) -> list[float] | None: ...

    def close(self) -> None: ...


def connect_beside(model: LoadedModel) -> SideScorer:
    """Return a further connection to the process of a version that is served from its pickle."""
    # Imported here: only shadows from pickles need it, and what it imports.
    from model_artifact.opening.side_connection import SideConnection

    assert model.pipeline is not None
    return SideConnection(model.pipeline, opening_s=SCORE_LIMIT_S, patience_s=_PATIENCE_S)


@dataclass(eq=False)
class _Pace:
    """The seconds a record that a version took for batches, by their size: from one power of two to the next.

    The shortest of the last few counts: a pause of the machine isn't the version's.
    """

    _s_per_record: defaultdict[int, deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=_MEASUREMENTS))
    )
    _passed_over: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    def expected_s(self, rows: int) -> float:
        """Return the time that so many records will take; infinite if no such batch was measured."""
        return min(self._s_per_record[rows.bit_length()], default=math.inf) * rows

    def measured(self, rows: int, seconds: float) -> None:
        """Take note of the time that so many records took."""
        self._s_per_record[rows.bit_length()].append(seconds / rows)

    def pass_over(self, rows: int, budget_s: float) -> bool:
        """Return whether to leave such a batch out: the last few all took longer. One in a while is tried again."""
        size = rows.bit_length()
        if len(self._s_per_record[size]) < _MEASUREMENTS or self.expected_s(rows) <= budget_s:
            return False
        self._passed_over[size] = (self._passed_over[size] + 1) % _TRIED_AGAIN
        return self._passed_over[size] > 0


@dataclass(eq=False)
class _Run:
    """A version while it is the shadow. ``side`` is its connection if it is served from its pickle."""

    model: LoadedModel
    side: SideScorer | None
    pace: _Pace = field(default_factory=_Pace)

    def score(
        self, records: Records, budget_s: float, clock: Clock, began_s: float
    ) -> tuple[ShadowOutcome, Sequence[float]]:
        """Return the outcome and the probabilities; none unless the outcome is "scored"."""
        rows = len(records)
        if budget_s <= 0 or self.pace.pass_over(rows, budget_s):
            return "over_budget", ()
        probabilities: Sequence[float] | None
        if self.side is not None:
            if not self.side.is_free():
                # It isn't measured: it is busy with an earlier request, whose line says so.
                return ("over_budget" if self.side.is_open else "not_loaded"), ()
            probabilities = self.side.late_probabilities(records, budget_s)
        elif self.pace.expected_s(rows) > budget_s:
            probabilities = self._score_in_pieces(records, budget_s, clock, began_s)
        else:
            probabilities = self.model.late_probabilities(records)
        took_s = clock().monotonic_s - began_s
        if probabilities is None:
            # It would have taken longer than that.
            self.pace.measured(rows, max(took_s, 2 * budget_s))
            return "over_budget", ()
        self.pace.measured(rows, took_s)
        usable = sum([0 <= probability <= 1 for probability in probabilities])
        if not usable == rows == len(probabilities):
            raise NonFiniteOutputError(rows - usable, rows)
        return "scored", probabilities

    def _score_in_pieces(
        self, records: Records, budget_s: float, clock: Clock, began_s: float
    ) -> Sequence[float] | None:
        """Score one record, then as many as there is time for; None if it isn't enough for all of them."""
        probabilities: list[float] = []
        done, piece = 0, 1
        while done < len(records):
            if piece < 1:
                return None
            probabilities += self.model.late_probabilities(records[done : done + piece])
            done += piece
            took_s = clock().monotonic_s - began_s
            # Records of a larger batch take no longer than those of a smaller one.
            piece = min(_GROWTH * done, int((budget_s - took_s) / max(took_s / done, 1e-9)))
        return probabilities


@dataclass(eq=False)
class ShadowScorer:
    """Scores the alias's shadow. ``connect`` opens a further connection to the process of a pickled version."""

    loader: ShadowLoader
    connect: Callable[[LoadedModel], SideScorer] = connect_beside
    _run: _Run | None = field(default=None, init=False)

    def score(self, exchange: Exchange) -> ShadowEntry | None:
        """Return what the shadow makes of an answered request; None if the request has no shadow. Never raises."""
        try:
            return self._find_and_score(exchange)
        except Exception as error:  # noqa: BLE001 - whatever is wrong here, the request is answered
            shadow = None if exchange.alias is None else exchange.alias.shadow
            if shadow is None:
                return None
            return ShadowEntry(version=shadow.version, outcome="failed", ms=0.0, error=type(error).__name__)

    def _find_and_score(self, exchange: Exchange) -> ShadowEntry | None:
        alias, scored, answering = exchange.alias, exchange.scored, exchange.model
        if alias is None or scored is None or answering is None:
            return None
        if alias.shadow is None:
            self._stop()
            return None
        # Asked for at each request, so that it is loaded by the time that a request needs it.
        model = self.loader.find(alias.shadow, alias.versions)
        if self._run is not None and self._run.model is not model:
            self._end_run()
        shadow = resolve_shadow(alias, exchange.routing_key, answering.manifest.version)
        if shadow is None:
            return None
        if not isinstance(model, LoadedModel):
            return ShadowEntry(version=shadow.version, outcome=model, ms=0.0)
        budget_ms = min(shadow.budget_ms or ARRAYS_BUDGET_MS, exchange.remaining_ms() - _RESERVE_MS)
        is_in_charge = shadow.version in alias.versions
        return self._score(model, scored.records, budget_ms, exchange.clock, is_in_charge=is_in_charge)

    def _score(
        self, model: LoadedModel, records: Records, budget_ms: float, clock: Clock, *, is_in_charge: bool
    ) -> ShadowEntry:
        began_s = clock().monotonic_s
        probabilities: Sequence[float] = ()
        error = None
        try:
            outcome, probabilities = self._run_of(model).score(records, budget_ms / 1000, clock, began_s)
        except Exception as raised:  # noqa: BLE001 - a shadow costs no answer
            outcome, error = "failed", type(raised).__name__
            if isinstance(raised, ModelProcessError):
                self._take_out(model, raised, is_in_charge=is_in_charge)
        threshold = model.manifest.threshold.value
        return ShadowEntry(
            version=model.manifest.version,
            outcome=outcome,
            ms=(clock().monotonic_s - began_s) * 1000,
            late_probabilities=tuple(probabilities),
            is_late=tuple([probability >= threshold for probability in probabilities]),
            error=error,
        )

    def _run_of(self, model: LoadedModel) -> _Run:
        if self._run is None:
            side = self.connect(model) if model.form == PICKLE else None
            self._run = _Run(model, side)
        return self._run

    def _take_out(self, model: LoadedModel, error: Exception, *, is_in_charge: bool) -> None:
        """Let go of a version whose process ended. The requests themselves find out about one that is in charge."""
        self._end_run()
        if not is_in_charge:
            self.loader.cache.refuse(model.manifest.version, error)

    def _stop(self) -> None:
        self.loader.stop()
        self._end_run()

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run is not None and run.side is not None:
            run.side.close()
