"""Which of a recorded run's requests break promises 1, 2, 7, 8 and 11, each with a sentence that says how.

1. Every 200 names a version that the alias pointed to between the request's start less the TTL, and its end.
2. After an acknowledged update, no answer older than the TTL comes from a removed version.
7. A bad candidate never lowers the availability of the version in charge.
8. The same routing key in one rollout gets the same version; observed shares match the weights.
11. Every accepted request is answered or explicitly refused (429, 503, 504).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from peerloan.load import Answer
from peerloan.promises.shares import find_moved_keys, find_wrong_shares
from peerloan.promises.timeline import AliasChange, Timeline

_REFUSALS = (429, 503, 504)
# The promises that say which version may answer.
_OF_VERSIONS = (1, 2, 8)


@dataclass(frozen=True)
class Violation:
    """A promise that a request broke, in a sentence; ``answer`` is None where all requests of a state broke it."""

    promise: int
    sentence: str
    answer: Answer | None = None


@dataclass(frozen=True)
class Report:
    """What the record of a run shows.

    Attributes
    ----------
    requests, failed : int
        All requests, and those whose status isn't 200.
    candidate_failures : int
        Those of ``failed`` that a candidate answered 5xx; they break no promise.
    propagation_s : float
        The longest time from a change's acknowledgement to the end of an answer that didn't know of it.
    violations : tuple of Violation
        In order of the promises.
    """

    requests: int
    failed: int
    candidate_failures: int
    propagation_s: float
    violations: tuple[Violation, ...]


def check_run(
    answers: Sequence[Answer], changes: Sequence[AliasChange], ttl_s: float, *, unable: frozenset[int] = frozenset()
) -> Report:
    """Check a recorded run.

    Parameters
    ----------
    answers : sequence of Answer
        Every request, in any order. One without a ``key`` isn't checked for the version that its key belongs to.
    changes : sequence of AliasChange
        Every revision of the alias in order, the state at the start first.
    ttl_s : float
        The function's alias TTL.
    unable : frozenset of int
        Versions that can't be loaded, or whose process ends: the other version may answer for them.
    """
    timeline = Timeline(changes, ttl_s)
    began = min((answer.sent for answer in answers), default=0.0)
    run = _Run(timeline, began, unable)
    violations = [violation for answer in answers for violation in run.check(answer)]
    astray = {violation.answer for violation in violations if violation.promise in _OF_VERSIONS}
    for answer, words in find_moved_keys(answers, timeline, unable):
        if answer not in astray:
            violations.append(Violation(8, f"{run.name(answer)} {words}", answer))
    violations += [Violation(8, sentence) for sentence in find_wrong_shares(answers, timeline, unable)]
    return Report(
        requests=len(answers),
        failed=sum(answer.status != 200 for answer in answers),
        candidate_failures=sum(run.is_candidates(answer) for answer in answers if answer.status >= 500),
        propagation_s=propagation_s(answers, timeline, unable),
        violations=tuple(sorted(violations, key=lambda violation: violation.promise)),
    )


def propagation_s(answers: Sequence[Answer], timeline: Timeline, unable: frozenset[int] = frozenset()) -> float:
    """Return the longest time from a change's acknowledgement to the end of the last answer that didn't know of it.

    That is an answer by a version that the change removed, or by another than the one that it gives the key to.
    """
    ends: dict[int | None, list[float]] = defaultdict(list)
    for answer in sorted(answers, key=lambda answer: answer.answered):
        if answer.status == 200:
            ends[answer.version].append(answer.answered)
    longest = 0.0
    for number, (before, change) in enumerate(pairwise(timeline.changes), 1):
        for version in set(before.versions) - set(change.versions):
            later = (other.requested for other in timeline.changes[number:] if version in other.versions)
            count = bisect_left(ends[version], next(later, inf))
            if count:
                longest = max(longest, ends[version][count - 1] - change.acknowledged)
    known = [answer for answer in answers if answer.status == 200 and answer.key]
    return max((longest, *(_behind_s(answer, timeline, unable) for answer in known)))


def _behind_s(answer: Answer, timeline: Timeline, unable: frozenset[int]) -> float:
    """Return how long the newest change was acknowledged when an answer ended that is by another version; else 0."""
    requested = bisect_right(timeline.changes, answer.answered, key=lambda change: change.requested)
    change = timeline.changes[requested - 1]
    is_certain = -inf < change.acknowledged < answer.answered and not unable & set(change.versions)
    return (
        answer.answered - change.acknowledged if is_certain and answer.version != change.version_of(answer.key) else 0.0
    )


@dataclass(frozen=True)
class _Run:
    timeline: Timeline
    began: float
    unable: frozenset[int]

    def check(self, answer: Answer) -> Iterator[Violation]:
        """Yield what one request breaks by itself."""
        states = self.timeline.states_of(answer)
        if answer.status == 200:
            yield from self._check_version(answer, states)
        elif answer.status == 0 or answer.status >= 500:
            yield from self._check_failure(answer, states)

    def is_candidates(self, answer: Answer) -> bool:
        """Return whether a failed request was a candidate's: by the version that it names, else by its key."""
        states = [state for state in self.timeline.states_of(answer) if state.additional]
        if answer.version is not None:
            return any(answer.version in state.additional for state in states)
        return bool(answer.key) and any(state.version_of(answer.key) != state.version for state in states)

    def name(self, answer: Answer) -> str:
        """Name a request in a sentence."""
        key = f" with key {answer.key!r}" if answer.key else ""
        sent, answered = answer.sent - self.began, answer.answered - self.began
        return f"The request{key} that was sent at {sent:.3f} s and ended at {answered:.3f} s"

    def _check_version(self, answer: Answer, states: Sequence[AliasChange]) -> Iterator[Violation]:
        pointed_to = sorted({version for state in states for version in state.versions})
        if answer.version is None:
            yield Violation(1, f"{self.name(answer)} was answered 200 and names no version.", answer)
        elif answer.version not in pointed_to:
            if not self._may_stand_in(answer, states):
                yield self._untrue(answer, pointed_to)
        elif answer.key and not self.unable & set(pointed_to):
            own = sorted({state.version_of(answer.key) for state in states})
            if answer.version not in own:
                belongs = f"its key belongs to version {_either(own)} in {_revisions(states)}"
                yield Violation(8, f"{self.name(answer)} got version {answer.version}; {belongs}.", answer)

    def _untrue(self, answer: Answer, pointed_to: Sequence[int]) -> Violation:
        removal = self._removal(answer)
        if removal is not None:
            age_s = answer.sent - removal.acknowledged
            removed = f"revision {removal.revision} had removed it, acknowledged {age_s:.3f} s before the request"
            limit = f"longer than the TTL of {self.timeline.ttl_s:g} s"
            return Violation(2, f"{self.name(answer)} got version {answer.version}; {removed}, {limit}.", answer)
        window = f"between {self.timeline.ttl_s:g} s before its start and its end"
        return Violation(
            1,
            f"{self.name(answer)} got version {answer.version}; the alias pointed to version {_either(pointed_to)} "
            f"{window}.",
            answer,
        )

    def _may_stand_in(self, answer: Answer, states: Sequence[AliasChange]) -> bool:
        """Return whether an earlier version may answer, since the alias points at one that can't."""
        earlier = {version for change in self.timeline.changes for version in change.versions if change not in states}
        return any(state.version in self.unable for state in states) and answer.version in earlier

    def _removal(self, answer: Answer) -> AliasChange | None:
        """Return the change that took the answer's version out of the alias, longer than the TTL before the request."""
        timeline = self.timeline
        past = bisect_left(timeline.ends, answer.sent - timeline.ttl_s)
        named = [number for number in range(past) if answer.version in timeline.changes[number].versions]
        if not named:
            return None
        end = timeline.ends[named[-1]]
        return next(change for change in timeline.changes[named[-1] + 1 :] if change.acknowledged == end)

    def _check_failure(self, answer: Answer, states: Sequence[AliasChange]) -> Iterator[Violation]:
        failure = "got no answer" if answer.status == 0 else f"was answered {answer.status}"
        is_candidates = self.is_candidates(answer)
        if answer.status == 0 or not (answer.status in _REFUSALS or is_candidates):
            yield Violation(11, f"{self.name(answer)} {failure}: {answer.problem or 'no reason given'}.", answer)
        if not is_candidates and self._is_mains(answer, states):
            main = _either(sorted({state.version for state in states}))
            beside = sorted({version for state in states for version in state.additional})
            why = f"it belongs to version {main}, and version {_either(beside)} was a candidate then"
            yield Violation(7, f"{self.name(answer)} {failure}; {why}.", answer)

    def _is_mains(self, answer: Answer, states: Sequence[AliasChange]) -> bool:
        """Return whether a request was surely the main version's while a candidate stood beside it."""
        if not any(state.additional for state in states):
            return False
        if answer.version is not None:
            return any(answer.version == state.version for state in states)
        return bool(answer.key)


def _either(versions: Sequence[int]) -> str:
    return " or ".join(map(str, versions)) or "none"


def _revisions(states: Sequence[AliasChange]) -> str:
    numbers = [state.revision for state in states]
    return f"revision {numbers[0]}" if len(numbers) == 1 else f"revisions {numbers[0]} to {numbers[-1]}"
