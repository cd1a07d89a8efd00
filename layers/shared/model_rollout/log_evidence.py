"""Judges a rollout from the prediction log: reads what is new, folds it, and asks the guards of the stage.

Lines are folded one by one, so memory holds the rows of ``Observations`` and one object of the log. A look reads for a
bounded time, and the next look goes on there. Until the log's end is reached, nothing passes. A process that has just
started reads from before the rollout's start again, in as many looks as that takes (docs/rollouts.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol

from model_registry.errors import StoreUnavailableError
from model_rollout.controller import Evidence
from model_rollout.document import InvalidRolloutError, Rollout
from model_rollout.guard_settings import GuardSettings
from model_rollout.guards import judge
from model_rollout.observations import Observations
from model_watch.log_objects import Damage
from model_watch.prediction_log import LogLine, PlatformLine

Line = LogLine | PlatformLine

# Lines from before the start say how the version in charge usually answers. An environment whose clock is an hour slow
# writes such times all along.
_BEFORE_START = timedelta(hours=2)
# A round is taken each minute, and may look a few times where others change the rollout meanwhile.
MOST_READING: Final = timedelta(seconds=20)


class NewLines(Protocol):
    """Reads the log; see ``LogReader``."""

    damage: Damage

    def read_new(self, since: datetime, until: datetime) -> Iterator[Line]:
        """Yield the lines from ``since`` to now that it hasn't yielded before."""


@dataclass(frozen=True)
class LogProblem:
    """Stands among the verdicts while the log isn't read to its end: nothing passes meanwhile."""

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
    """What was read for one rollout so far; ``unread`` goes on where a look ran out of time."""

    reader: NewLines
    observations: Observations
    since: datetime
    seen_until: datetime | None = None
    unread: Iterator[Line] | None = None
    last_time: datetime | None = None

    def new_lines(self, rollout: Rollout, now: datetime, is_over: Callable[[], bool]) -> Iterator[Line]:
        """Yield what has arrived since the last look, until the time is over."""
        while True:
            lines, is_continued = self.unread or self.reader.read_new(self.since, now), self.unread is not None
            self.unread = None
            for line in lines:
                self.last_time = line.time
                # A clock that is ahead must not make a log whose delivery has stopped look complete.
                if isinstance(line, LogLine) and line.rollout == rollout.id and line.time <= now:
                    self.seen_until = max(line.time, self.seen_until or line.time)
                yield line
                if is_over():
                    self.unread = lines
                    return
            if not is_continued:
                return

    def find_problem(self, now: datetime) -> LogProblem | None:
        """Return that the log's end isn't reached, if that is so."""
        if self.unread is None or self.last_time is None:
            return None
        behind = max(1, round((now - self.last_time) / timedelta(minutes=1)))
        return LogProblem(f"The prediction log is still being read, {behind:,} minutes behind. It goes on by itself.")


class LogEvidence:
    """Evidence from the log, which is read on from where the last look ended.

    ``make_reader`` returns a reader that hasn't read anything, and ``clock`` now. What was read is kept in memory, for
    the newest rollout of each alias; a new process reads again from the rollout's start.
    """

    def __init__(self, make_reader: Callable[[], NewLines], clock: Callable[[], datetime]) -> None:
        self._make_reader = make_reader
        self._clock = clock
        self._folded: dict[str, tuple[str, _Folded]] = {}

    def judge(self, rollout: Rollout, now: datetime) -> Evidence:
        """Return the verdicts of the stage under way, from all lines that have arrived.

        Raises ``InvalidRolloutError`` if the settings of the guards can't be used. If the log can't be read to its end,
        the verdicts are those of the lines before, and one more is inconclusive.
        """
        stage = rollout.current_stage
        if stage is None:
            return Evidence((), None)
        try:
            settings = GuardSettings.from_document(rollout.guards)
        except ValueError as error:
            raise InvalidRolloutError(f"The guards of rollout {rollout.id!r} can't be used: {error}.") from error
        folded = self._find_folded(rollout)
        end = self._clock() + MOST_READING
        try:
            folded.observations.add(folded.new_lines(rollout, now, lambda: self._clock() >= end))
            problem = folded.find_problem(now)
        except StoreUnavailableError as error:
            problem = LogProblem(f"The prediction log can't be read: {error}")
        folded.observations.weights = rollout.weights
        judgements = judge(settings, folded.observations, stage.kind)
        return Evidence((*judgements, problem) if problem else judgements, folded.seen_until)

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
