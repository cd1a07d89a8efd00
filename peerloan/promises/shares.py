"""Promise 8 over many requests: keys that change their version, and shares that don't match the weights.

A key has a fixed point in [0, 1) and gets the new version where the point lies below its weight. So an answer by the
new version shows that the point lies below the weight, and one by the old version that it doesn't. The two contradict
each other wherever the weight seen by the second is at least that seen by the first. This holds for any hash function,
over every stop, restart and change of weight of one rollout.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peerloan.load import Answer
from peerloan.promises.timeline import AliasChange, Timeline

# Many states of many runs are judged, and a right one should never be called wrong.
_FALSE_ALARM = 1e-6


def find_moved_keys(
    answers: Sequence[Answer], timeline: Timeline, unable: frozenset[int] = frozenset()
) -> Iterator[tuple[Answer, str]]:
    """Yield the answers whose key got the other version of its rollout before, and what is wrong with them."""
    points: dict[tuple[str, str], _Point] = {}
    for answer in sorted(answers, key=lambda answer: answer.answered):
        if answer.status != 200 or not answer.key:
            continue
        states = timeline.states_of(answer)
        rollout = _only_rollout(states)
        new = None if rollout is None else timeline.new_versions.get(rollout)
        if rollout is None or new is None or new in unable:
            continue
        if unable & {version for state in states for version in state.versions}:
            continue
        point = points.setdefault((rollout, answer.key), _Point())
        shares = [state.share_of(new) for state in states]
        if answer.version == new:
            point.below = min(point.below, max(shares))
        else:
            point.from_on = max(point.from_on, min(shares))
        if point.from_on >= point.below:
            got = f"got version {answer.version}; the weights and its earlier answers leave the other one alone"
            yield answer, f"{got}. In rollout {rollout} a key only moves to version {new}, as the weight rises."
            points[rollout, answer.key] = _Point()


def find_wrong_shares(
    answers: Sequence[Answer], timeline: Timeline, unable: frozenset[int] = frozenset()
) -> Iterator[str]:
    """Yield a sentence for each state whose keys got the additional version in another share than its weight's."""
    # Imported here: it takes longer than the rest of a check.
    from scipy.stats import binom

    by_revision = _by_revision(answers, timeline)
    for change in timeline.changes:
        for additional, weight in change.additional.items():
            if unable & set(change.versions):
                continue
            keys, gained = _count_keys(by_revision[change.revision], additional)
            tail = min(binom.cdf(gained, keys, weight), binom.sf(gained - 1, keys, weight))
            if keys and 2 * tail < _FALSE_ALARM:
                share = f"{gained} of {keys} keys ({gained / keys:.1%})"
                yield f"Revision {change.revision} gives version {additional} the weight {weight:g}; it got {share}."


def count_keys(answers: Sequence[Answer], timeline: Timeline, change: AliasChange, version: int) -> tuple[int, int]:
    """Return how many keys were surely answered under a state of the alias, and how many of them by a version.

    A key counts once, by its first answer, and a request without a key counts by itself.
    """
    return _count_keys(_by_revision(answers, timeline)[change.revision], version)


def share_bounds(keys: int, weight: float, level: float = 0.999) -> tuple[int, int]:
    """Return how many of some keys may get a version of this weight, by the binomial distribution."""
    from scipy.stats import binom

    low, high = binom.interval(level, keys, weight)
    return int(low), int(high)


@dataclass
class _Point:
    """Where a key's point lies, as far as its answers show: ``from_on`` or above, and below ``below``."""

    from_on: float = 0.0
    below: float = 1.0


def _by_revision(answers: Sequence[Answer], timeline: Timeline) -> defaultdict[int, list[Answer]]:
    """Return the answers that surely saw one state of the alias, in their order, by its revision."""
    answered: defaultdict[int, list[Answer]] = defaultdict(list)
    for answer in sorted(answers, key=lambda answer: answer.answered):
        if answer.status == 200 and len(states := timeline.states_of(answer)) == 1:
            answered[states[0].revision].append(answer)
    return answered


def _count_keys(answers: Sequence[Answer], version: int) -> tuple[int, int]:
    first: dict[str, Answer] = {}
    for number, answer in enumerate(answers):
        first.setdefault(answer.key or f"request {number}", answer)
    return len(first), sum(answer.version == version for answer in first.values())


def _only_rollout(states: Sequence[AliasChange]) -> str | None:
    rollouts = {state.rollout for state in states}
    return rollouts.pop() if len(rollouts) == 1 else None
