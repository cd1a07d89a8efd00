"""Gathers what the bucket has on an alias in a period: who served, who moved it and why, and how it went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from model_monitor.report import MonitorReport
from model_monitor.report_store import ReportStore
from model_registry.alias import Alias
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from model_rollout.document import Rollout
from peerloan.retraining.document import Retraining


@dataclass(frozen=True)
class Period:
    """Whole days of UTC, the first and the last included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"the period begins on {self.first}, after its end on {self.last}")
        if self.last == date.max:
            raise ValueError(f"the period ends on {self.last}, and no day comes after it")

    @property
    def begin(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.first, time.min, UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last + timedelta(days=1), time.min, UTC)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass(frozen=True)
class AuditRecords:
    """Everything that the bucket has on an alias in a period.

    Attributes
    ----------
    moves : tuple of Alias
        The alias's revisions of the period, and before them the one that was in force when it began.
    rollouts : tuple of Rollout
        Those that were under way in the period, the oldest first.
    reports : tuple of MonitorReport
        The monitor's, by date.
    retrainings : tuple of Retraining
        Those that began in the period, the oldest first.
    """

    model: str
    alias: str
    period: Period
    moves: tuple[Alias, ...]
    rollouts: tuple[Rollout, ...]
    reports: tuple[MonitorReport, ...]
    retrainings: tuple[Retraining, ...]

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that may have answered requests, ascending."""
        return tuple(sorted({version for move in self.moves for version in move.versions}))

    def served(self, version: int) -> list[tuple[datetime, datetime, float]]:
        """Return when a version served in the period: from, until, and its share of the requests."""
        period = self.period
        moments = [_moment(move.updated_at) for move in self.moves] + [period.end]
        spans = []
        for place, move in enumerate(self.moves):
            added = sum(move.routing_config.additional_version_weights.values())
            share = move.routing_config.additional_version_weights.get(version, 0.0)
            if version == move.version:
                share = 1.0 - added
            begin, end = max(moments[place], period.begin), moments[place + 1]
            if version in move.versions:
                spans.append((begin, end, share))
        return spans


def read_records(
    store: ObjectStore,
    model: str,
    alias: str,
    period: Period,
    rollouts: Iterable[Rollout],
    retrainings: Iterable[Retraining],
) -> AuditRecords:
    """Read the records; ``rollouts`` are all that the alias ever had, and ``retrainings`` all of the model's.

    Raises
    ------
    AliasNotFoundError
        If the alias was never set.
    RegistryError
        If a document is damaged; the message says what to do.
    """
    history = RegistryReader(store, model).history(alias)
    reports = ReportStore(store, model)
    return AuditRecords(
        model=model,
        alias=alias,
        period=period,
        moves=_moves(history, period),
        rollouts=tuple(
            rollout
            for rollout in rollouts
            if _moment(rollout.began_at) < period.end and (not rollout.is_over or rollout.last_event_at >= period.begin)
        ),
        reports=tuple(
            reports.get(alias, day) for day in reports.list_dates(alias) if period.first <= day <= period.last
        ),
        retrainings=_retrainings(retrainings, alias, period),
    )


def _moves(history: Iterable[Alias], period: Period) -> tuple[Alias, ...]:
    moves: list[Alias] = []
    for move in history:
        moment = _moment(move.updated_at)
        if moment >= period.end:
            break
        if moment <= period.begin:
            moves.clear()
        moves.append(move)
    return tuple(moves)


def _retrainings(retrainings: Iterable[Retraining], alias: str, period: Period) -> tuple[Retraining, ...]:
    chosen = [
        retraining
        for retraining in retrainings
        if retraining.alias == alias and period.begin <= _moment(retraining.began_at) < period.end
    ]
    return tuple(sorted(chosen, key=lambda retraining: (_moment(retraining.began_at), retraining.id)))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
