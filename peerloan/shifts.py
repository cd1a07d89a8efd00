"""Checks whether recorded answers keep the promises about alias shifts. Pure arithmetic on times.

The promises are those of the architecture: every answer names a version that the alias pointed to at some instant
between (request start - TTL) and its end; and once an update is acknowledged, answers from the version that it removed
stop within the TTL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peerloan.load import Answer


@dataclass(frozen=True)
class Shift:
    """A move of the alias to ``version``, requested and acknowledged at these times (seconds, monotonic)."""

    version: int
    requested: float
    acknowledged: float


def failed_answers(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers whose status isn't 200."""
    return [answer for answer in answers if answer.status != 200]


def propagation_s(answers: Sequence[Answer], shifts: Sequence[Shift]) -> float:
    """Return the longest time from a shift's acknowledgement to the end of the last answer from another version.

    Parameters
    ----------
    answers : sequence of Answer
        All answers, in any order.
    shifts : sequence of Shift
        In order of time; the alias points at ``shifts[k].version`` until ``shifts[k + 1]`` is requested.
    """
    ends = [*(later.requested for later in shifts[1:]), float("inf")]
    return max(
        (
            answer.answered - shift.acknowledged
            for shift, end in zip(shifts, ends, strict=True)
            for answer in answers
            if answer.status == 200 and answer.version != shift.version and shift.acknowledged < answer.answered < end
        ),
        default=0.0,
    )


def untrue_answers(answers: Sequence[Answer], shifts: Sequence[Shift], ttl_s: float) -> list[Answer]:
    """Return the answers that name a version the alias did not point to between (sent - TTL) and the answer.

    An update takes effect at some instant between its request and its acknowledgement, so both ends are allowed.
    """
    spans = [
        (shift.version, shift.requested, later.acknowledged if later else float("inf"))
        for shift, later in zip(shifts, [*shifts[1:], None], strict=True)
    ]
    return [
        answer
        for answer in answers
        if answer.status == 200
        and not any(
            answer.version == version and requested <= answer.answered and answer.sent - ttl_s <= ended
            for version, requested, ended in spans
        )
    ]
