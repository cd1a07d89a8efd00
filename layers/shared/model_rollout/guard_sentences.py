"""Says for people what a guard found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

# What a guard counts: "{candidate}" and "{main}" become version numbers.
_COUNTED: Final = {
    "crashes": "Executions that crashed or ran out of time (the report names no version)",
    "failed_answers": "Requests that were answered with a server error",
    "refused_loads": "Requests that another version had to answer",
    "slow_answers": "Requests that took longer than the usual 99th percentile",
    "flagged": "Records that were flagged late",
    "mean_score": "The mean score",
    "warnings": "Records with a warning",
    "shadow_failures": "Requests that version {candidate} could not score in the shadow",
    "shadow_slow": "Requests that version {candidate} scored many times more slowly in the shadow than version {main}",
    "score_difference": "The mean difference of the scores of versions {candidate} and {main} on the same records",
    "flag_difference": "The difference of the shares that versions {candidate} and {main} flag of the same records",
    "flips": "Records that versions {candidate} and {main} decide differently",
}
_ENDS: Final = {
    "pass": "That is within what is tolerated ({tolerated}).",
    "fail": "That is outside what is tolerated ({tolerated}).",
    "inconclusive": "It isn't known yet whether that is within what is tolerated ({tolerated}).",
}

Verdict = Literal["pass", "fail", "inconclusive"]


def guard_sentence(
    guard: str,
    verdict: Verdict,
    versions: tuple[int, int],
    figures: Sequence[float | None],
    window: tuple[float | None, float],
    counts: tuple[int, int],
    least_in_step: int,
) -> str:
    """Return the sentences of a guard that has a tolerance.

    Parameters
    ----------
    guard : str
        Its name.
    verdict : {"pass", "fail", "inconclusive"}
    versions : tuple of int
        The candidate and the version in charge.
    figures : sequence of float or None
        Those of both versions, the difference, and that of this step alone. The main version's is None where only the
        difference is known.
    window : tuple of float
        The tolerated difference, from and to.
    counts : tuple of int
        Observations in all, and in this step.
    least_in_step : int
        How many the step needs.
    """
    candidate, main, estimate, in_step = figures
    counted = _COUNTED[guard].format(candidate=versions[0], main=versions[1])
    if estimate is None:
        return f"{counted}: nothing seen yet."
    if candidate is None or main is None:
        facts = f"{counted}: {percent(estimate)} of {counts[0]:,} requests."
        if window[0] is not None:
            facts = f"{counted}: {percent(estimate)} ({counts[0]:,} requests)."
    elif guard == "crashes":
        facts = f"{counted}: {percent(candidate)} of {counts[0]:,} since the rollout began, {percent(main)} before."
    else:
        both = f"{percent(candidate)} with version {versions[0]}, {percent(main)} with version {versions[1]}"
        facts = f"{counted}: {both} ({counts[0]:,} requests of version {versions[0]})."
    low, high = window
    tolerated = f"up to {percent(high)}" if low is None else f"{percent(low)} to {percent(high)}"
    if main is not None:
        tolerated = f"a difference of {tolerated}"
    end = _ENDS[verdict].format(tolerated=tolerated)
    if verdict == "inconclusive" and counts[1] < least_in_step:
        end += f" In this step {counts[1]} requests were seen; {least_in_step} are needed."
    elif verdict == "inconclusive" and in_step is not None:
        end += f" In this step the difference is {percent(in_step)} ({counts[1]:,} requests)."
    return f"{facts} {end}"


def ratio_sentence(candidate: int, keys: int, all_keys: int, expected: float, *, is_off: bool) -> str:
    """Return the sentences of the sample ratio."""
    facts = f"Version {candidate} got {keys:,} of {all_keys:,} keys; about {expected:,.0f} were expected."
    if not is_off:
        return facts
    return (
        f"{facts} That isn't luck, so the figures can't be trusted: log lines are missing, or few clients send most "
        "requests."
    )


def percent(share: float) -> str:
    """Return a share in percent, with two digits that tell."""
    digits = 1 if abs(share) >= 0.1 else 2 if abs(share) >= 0.001 or share == 0 else 4
    return f"{share * 100:.{digits}f} %"
