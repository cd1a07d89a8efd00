"""What the sample year showed, and whether it is what was promised. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

EXPECTED: Final = ("ok", "recalibrate", "refit", "ok")
# Late loans over expected ones: before and after a recalibration.
_HIGHEST_BEFORE: Final = 0.75
_TOLERATED_AFTER: Final = (0.85, 1.15)
# What a new model's ROC-AUC gains at least.
_LEAST_GAIN: Final = 0.08


@dataclass(frozen=True)
class Look:
    """What the monitor's report of one quarter said, and the figures of the version in charge in that vintage."""

    vintage: str
    version: int
    verdict: str
    over_expected: float | None
    auc: float | None

    @classmethod
    def of(cls, report: Mapping[str, Any], vintage: str) -> Look:
        """Read a report's document."""
        rows = [row for row in report["vintages"] if (row["vintage"], row["version"]) == (vintage, report["version"])]
        over, auc = (rows[0][name]["value"] for name in ("observed_over_expected", "auc")) if rows else (None, None)
        return cls(vintage, report["version"], report["verdict"]["kind"], over, auc)


def loop_figures(looks: Sequence[Look], *, retrained: int, promoted: int, failed: int) -> dict[str, Any]:
    """Return the figures of the year, and whether it passed.

    Parameters
    ----------
    looks : sequence of Look
        One a quarter.
    retrained, promoted : int
        New versions, and those of them that got all the traffic.
    failed : int
        Requests that weren't answered with 200.
    """
    second, third, fourth = (dict(enumerate(looks)).get(place) for place in (1, 2, 3))
    figures = {
        "quarters": len(looks),
        "verdicts": ",".join(look.verdict.replace(" ", "-") for look in looks),
        "retrained": retrained,
        "promoted": promoted,
        "failed": failed,
        "oe_before": second and second.over_expected,
        "oe_after": third and third.over_expected,
        "auc_before": third and third.auc,
        "auc_after": fourth and fourth.auc,
    }
    passed = (
        tuple(look.verdict for look in looks) == EXPECTED
        and (retrained, promoted, failed) == (2, 2, 0)
        and _are_as_promised(figures)
    )
    return {"passed": passed, **figures}


def _are_as_promised(figures: Mapping[str, Any]) -> bool:
    values = [figures[name] for name in ("oe_before", "oe_after", "auc_before", "auc_after")]
    if any(value is None for value in values):
        return False
    oe_before, oe_after, auc_before, auc_after = values
    low, high = _TOLERATED_AFTER
    return bool(oe_before <= _HIGHEST_BEFORE and low <= oe_after <= high and auc_after - auc_before >= _LEAST_GAIN)


def in_one_line(figures: Mapping[str, Any]) -> str:
    """Return the figures as ``name=value``; an unknown one is ``unknown``."""
    words = []
    for name, value in figures.items():
        if name != "passed":
            text = "unknown" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
            words.append(f"{name}={text}")
    return "loop: " + " ".join(words)
