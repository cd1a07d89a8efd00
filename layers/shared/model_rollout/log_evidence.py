"""Judges a rollout from the prediction log: reads what is new, folds it, and asks the guards of the stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from model_registry.errors import StoreUnavailableError
from model_rollout.controller import Evidence
from model_rollout.document import InvalidRolloutError, Rollout
from model_rollout.guard_settings import GuardSettings
from model_rollout.guards import judge
from model_rollout.observations import Observations
from model_watch.log_reader import Damage
from model_watch.prediction_log import LoadLine, LogLine, PlatformLine

Line = LogLine | LoadLine | PlatformLine

# Lines from before the start say how the version in charge usually answers. An environment whose clock is an hour slow
# writes such times all along.
_BEFORE_START = timedelta(hours=2)


class NewLines(Protocol):
    """Reads the log; see ``LogReader``."""

    damage: Damage

    def read_new(self, since: datetime, until: datetime) -> Iterable[Line]:
        """Return the lines from ``since`` to now that it hasn't returned before."""


@dataclass(frozen=True)
class LogProblem:
    """Stands among the verdicts while the log can't be read: nothing passes meanwhile."""

    sentence: str
    guard: str = "prediction_log"
    verdict: Literal["inconclusive"] = "inconclusive"
    n: int = 0
    estimate: float | None = None

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


@dataclass
class _Folded:
    """What was read for one rollout so far."""

    reader: NewLines
    observations: Observations
    since: datetime
    seen_until: datetime | None = None

    def read(self, rollout: Rollout, now: datetime) -> None:
        """Read and fold what has arrived since the last time."""
        lines = list(self.reader.read_new(self.since, now))
        self.observations.add(lines)
        # A clock that is ahead must not make a log whose delivery has stopped look complete.
        times = [
            line.time for line in lines if isinstance(line, LogLine) and line.rollout == rollout.id and line.time <= now
        ]
        if self.seen_until:
            times.append(self.seen_until)
        self.seen_until = max(times, default=None)


class LogEvidence:
    """Evidence from the log, which is read on from where the last look ended.

    ``make_reader`` returns a reader that hasn't read anything. What was read is kept in memory, for the newest rollout
    of each alias; a new process reads again from the rollout's start.
    """

    def __init__(self, make_reader: Callable[[], NewLines]) -> None:
        self._make_reader = make_reader
        self._folded: dict[str, tuple[str, _Folded]] = {}

    def judge(self, rollout: Rollout, now: datetime) -> Evidence:
        """Return the verdicts of the stage under way, from all lines that have arrived.

        Raises ``InvalidRolloutError`` if the settings of the guards can't be used. If the log can't be read, the
        verdicts are those of the lines before, and one more is inconclusive.
        """
        stage = rollout.current_stage
        if stage is None:
            return Evidence((), None)
        try:
            settings = GuardSettings.from_document(rollout.guards)
        except ValueError as error:
            raise InvalidRolloutError(f"The guards of rollout {rollout.id!r} can't be used: {error}.") from error
        folded = self._find_folded(rollout)
        problems = []
        try:
            folded.read(rollout, now)
        except StoreUnavailableError as error:
            problems = [LogProblem(f"The prediction log can't be read: {error}")]
        folded.observations.weights = rollout.weights
        return Evidence((*judge(settings, folded.observations, stage.kind), *problems), folded.seen_until)

    def damage(self, alias: str) -> Damage:
        """Return what of the log couldn't be read for the newest rollout of an alias."""
        return self._folded[alias][1].reader.damage if alias in self._folded else Damage()

    def _find_folded(self, rollout: Rollout) -> _Folded:
        name, folded = self._folded.get(rollout.alias, ("", None))
        if folded is None or name != rollout.id:
            began = datetime.fromisoformat(rollout.began_at)
            observations = Observations(rollout.candidate, rollout.main, rollout.id, began)
            folded = _Folded(self._make_reader(), observations, began - _BEFORE_START)
            self._folded[rollout.alias] = rollout.id, folded
        return folded
