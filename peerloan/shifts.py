"""What a record of answers says about alias shifts: pure arithmetic on times.

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
    """The alias was moved to ``version``: asked for and acknowledged at these times (seconds, monotonic)."""

    version: int
    asked: float
    acknowledged: float


def failed_answers(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers that are no 200."""
    return [answer for answer in answers if answer.status != 200]


def propagation_s(answers: Sequence[Answer], shifts: Sequence[Shift]) -> float:
    """Return the longest time from a shift's acknowledgement to the end of the last answer from another version.

    Parameters
    ----------
    answers : sequence of Answer
        All answers, in any order.
    shifts : sequence of Shift
        In order of time; the alias points at ``shifts[k].version`` until ``shifts[k + 1]`` is asked for.
    """
    ends = [*(later.asked for later in shifts[1:]), float("inf")]
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

    An update holds from some instant between its asking and its acknowledgement; both ends are allowed for.
    """
    spans = [
        (shift.version, shift.asked, later.acknowledged if later else float("inf"))
        for shift, later in zip(shifts, [*shifts[1:], None], strict=True)
    ]
    return [
        answer
        for answer in answers
        if answer.status == 200
        and not any(
            answer.version == version and asked <= answer.answered and answer.sent - ttl_s <= ended
            for version, asked, ended in spans
        )
    ]
