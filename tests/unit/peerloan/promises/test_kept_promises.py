"""Valid runs of a small model of the function raise no alarm; the same runs with one wrong answer do."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import assume, given
from hypothesis import strategies as st

from peerloan.load import Answer
from peerloan.promises.checks import check_run
from peerloan.promises.timeline import AliasChange, Timeline

TTL_S = 1.0
NEVER = float("-inf")

MOVES = ("raise the weight", "stop", "restart", "promote", "bake", "another rollout", "roll back")


@dataclass(frozen=True)
class Move:
    """A change of the alias: so long after the one before, taking so long, in effect at this part of that time."""

    kind: str
    after_s: float
    took_s: float
    effect: float
    is_acknowledged: bool


@dataclass(frozen=True)
class Sending:
    """A request: so long after the one before, for so long, in one of three environments."""

    after_s: float
    took_s: float
    looks_at: float
    environment: int
    key: str
    fails: int


PARTS = st.floats(0, 1)
WHOLE_MOVES = st.lists(
    st.builds(Move, st.sampled_from(MOVES), st.floats(0, 4), st.floats(0, 0.5), PARTS, st.integers(0, 5).map(bool)),
    max_size=12,
)
SENDINGS = st.lists(
    st.builds(
        Sending,
        st.floats(0, 2),
        st.floats(0.001, 1.5),
        PARTS,
        st.integers(0, 2),
        st.integers(0, 30).map(lambda number: f"loan-{number}" if number else ""),
        st.sampled_from([200] * 8 + [429, 500, 503]),
    ),
    min_size=1,
    max_size=60,
)


def changes_of(moves: list[Move]) -> tuple[list[AliasChange], list[float]]:
    """Return the changes that the moves make, and when each takes effect."""
    changes = [AliasChange(1, NEVER, NEVER, 1, {}, "live-1", "live-1")]
    effects = [NEVER]
    now, weight, number = 0.0, 0.0, 1
    for move in moves:
        now += move.after_s
        last = changes[-1]
        main, weights, name = last.version, dict(last.additional), last.rollout
        if move.kind == "another rollout" or last.rollout == "live-1":
            number += 1
            main, weights, name, weight = last.version, {number: 0.1}, f"live-{number}", 0.1
        elif move.kind == "raise the weight":
            weight = min(weight + 0.2, 1.0)
            weights = {number: weight}
        elif move.kind in ("stop", "roll back"):
            weights = {}
        elif move.kind in ("restart", "bake"):
            weights = {number: 1.0 if move.kind == "bake" else weight}
        elif move.kind == "promote":
            main, weights = number, {}
        if main == number:
            weights = {}
        acknowledged = now + move.took_s if move.is_acknowledged else float("inf")
        changes.append(AliasChange(last.revision + 1, now, acknowledged, main, weights, name, name))
        effects.append(now + move.took_s * move.effect)
        now += move.took_s
    return changes, effects


def answers_of(sendings: list[Sending], changes: list[AliasChange], effects: list[float]) -> list[Answer]:
    """Answer as the function does: each environment looks at the alias at most once in the TTL."""
    looked: dict[int, tuple[float, AliasChange]] = {}
    now, answers = 0.0, []
    for number, sending in enumerate(sendings):
        now += sending.after_s
        at = now + sending.took_s * sending.looks_at
        checked, state = looked.get(sending.environment, (NEVER, changes[0]))
        if at - checked >= TTL_S:
            state = [change for change, effect in zip(changes, effects, strict=True) if effect <= at][-1]
            looked[sending.environment] = (at, state)
        version = state.version_of(sending.key or f"request {number}")
        is_candidates = version != state.version and bool(sending.key)
        # A request that looked before it began would have looked later than it did.
        if checked > now:
            continue
        # No candidate is near: the version in charge may refuse, and never fails. A candidate may.
        seen = Timeline(changes, TTL_S).states_of(Answer(now, now + sending.took_s, 0, None))
        is_alone = not any(state.additional for state in seen)
        allowed = (200, 429, 500, 503) if is_candidates else (200, 429, 503) if is_alone else (200, 429)
        status = sending.fails if sending.fails in allowed else 200
        named = version if status == 200 or (is_candidates and status != 429) else None
        answers.append(Answer(now, now + sending.took_s, status, named, "", sending.key))
    return answers


@given(WHOLE_MOVES, SENDINGS)
def test_a_valid_run_raises_no_alarm(moves, sendings) -> None:
    changes, effects = changes_of(moves)
    answers = answers_of(sendings, changes, effects)
    report = check_run(answers, changes, TTL_S)
    assert [violation.sentence for violation in report.violations] == []
    assert check_run(answers[::-1], changes, TTL_S) == report


@given(WHOLE_MOVES, SENDINGS, st.integers(0, 59))
def test_one_wrong_answer_is_found(moves, sendings, place) -> None:
    changes, effects = changes_of(moves)
    answers = answers_of(sendings, changes, effects)
    assume(answers)
    place %= len(answers)
    answers[place] = replace(answers[place], status=200, version=99)
    first = check_run(answers, changes, TTL_S).violations[0]
    assert (first.promise, first.answer) == (1, answers[place])


@given(WHOLE_MOVES, SENDINGS, st.integers(0, 59))
def test_one_lost_answer_is_found(moves, sendings, place) -> None:
    changes, effects = changes_of(moves)
    answers = answers_of(sendings, changes, effects)
    assume(answers)
    place %= len(answers)
    answers[place] = replace(answers[place], status=0, version=None)
    assert 11 in [violation.promise for violation in check_run(answers, changes, TTL_S).violations]
