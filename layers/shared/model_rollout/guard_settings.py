"""What the guards of a rollout tolerate: the defaults of guards.toml, and the window that the plan announces."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from model_registry import documents
from model_registry.documents import Positive
from model_rollout.plan import StageKind
from model_rollout.window import AnnouncedWindow

SAMPLE_RATIO: Final = "sample_ratio"
# The guards that each stage asks. The first ones are asked in every stage.
GUARDS: Final[Mapping[StageKind, tuple[str, ...]]] = {
    "shadow": ("crashes", "shadow_failures", "shadow_slow", "score_difference", "flag_difference", "flips"),
    "canary": (
        "crashes", "failed_answers", "refused_loads", "slow_answers", "flagged", "mean_score", "warnings", SAMPLE_RATIO,
    ),
    "bake": ("crashes", "failed_answers", "refused_loads", "slow_answers", "flagged", "mean_score", "warnings"),
}  # fmt: skip
# Those that compare what the versions say have a window with two ends; of the others only more is worse.
_TWO_SIDED: Final = frozenset({"flagged", "mean_score", "flag_difference", "score_difference"})


@dataclass(frozen=True)
class Bounds:
    """The tolerated difference, candidate less main: from ``low`` (None: however low) to ``high``."""

    low: float | None
    high: float

    def __post_init__(self) -> None:
        if self.low is None and not 0 < self.high < 1:
            raise ValueError(f"the tolerated difference is {self.high}, not above 0 and below 1")
        if self.low is not None and not -1 < self.low < self.high < 1:
            raise ValueError(f"the tolerated difference is {self.low} to {self.high}, not a window between -1 and 1")

    def holds(self, difference: float | None) -> bool:
        """Whether a difference is known and tolerated."""
        return difference is not None and (self.low is None or self.low <= difference) and difference <= self.high


@dataclass(frozen=True)
class GuardSettings:
    """What a rollout's guards tolerate; stored with the rollout.

    Attributes
    ----------
    error_rate : float
        How often a rollout of a version that breaks no tolerance may be taken back, between 0 and 1.
    bounds : mapping of str to Bounds
        The tolerated difference of each guard that can take a rollout back.
    most_score, most_difference : float
        Higher scores, and larger paired differences, count as this much: the smaller the range, the sooner a mean is
        known. Hardly any loan is beyond, or else the mean would be another one than the plan announced.
    slow_shadow_times : float
        The shadow is slow when it takes more than this many times as long as the main version.
    least_in_step : int
        How many of the candidate's requests a step needs before a guard can pass in it.
    """

    error_rate: float
    bounds: Mapping[str, Bounds]
    most_score: float
    most_difference: float
    slow_shadow_times: float
    least_in_step: Positive

    def __post_init__(self) -> None:
        for name in ("error_rate", "most_score", "most_difference"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name!r} is {getattr(self, name)}, not above 0 and up to 1")
        needed = {guard for guards in GUARDS.values() for guard in guards} - {SAMPLE_RATIO}
        if needed != set(self.bounds):
            raise ValueError(f"bounds are needed for {', '.join(sorted(needed))}, not {', '.join(sorted(self.bounds))}")

    @property
    def fail_at(self) -> float:
        """The e-value from which on a guard fails: the error rate is shared out equally over the guards."""
        return len(self.bounds) / self.error_rate

    @property
    def pass_at(self) -> float:
        """The e-value from which on a guard passes.

        The error rate isn't shared out here: a version is promoted only if all guards pass, so one that breaks a
        tolerance must deceive that guard in particular.
        """
        return 1 / self.error_rate

    def to_document(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> GuardSettings:
        """Read what ``to_document`` returned; raise ``ValueError`` that names what is wrong."""
        return documents.read(cls, document, "guards")


def default_settings(
    window: AnnouncedWindow | None = None,
    mean_score: float | None = None,
    tolerances: Mapping[str, float] | None = None,
) -> GuardSettings:
    """Return the settings of a rollout: the tolerances of guards.toml around what the plan announces.

    Parameters
    ----------
    window : AnnouncedWindow, optional
        How far the candidate's scores and decisions differed on held-out loans; None: not at all.
    mean_score : float, optional
        The main version's mean score on these loans.
    tolerances : mapping, optional
        Other tolerances than the file's, by guard, in the file's units.

    Raises
    ------
    ValueError
        If a tolerance is for a guard that doesn't exist or isn't between 0 and 1, or makes no window between -1 and 1.
    """
    defaults = _defaults()
    scale = mean_score or defaults["usual_mean_score"]
    guards: dict[str, Any] = defaults["guards"]
    if unknown := set(tolerances or {}) - set(guards):
        raise ValueError(f"there is no guard {min(unknown)!r}; there are {', '.join(guards)}")
    announced = {}
    if window is not None:
        announced["flagged"] = announced["flag_difference"] = (window.flag_low, window.flag_high)
        announced["score_difference"] = announced["mean_score"] = (window.low, window.high)
        announced["flips"] = (0.0, window.flip_high)
    # Room for a window that somebody expects without having measured loans.
    reach = [4 * abs(end) for end in announced.get("score_difference", ())]
    bounds = {}
    for guard, default in guards.items():
        tolerance = (tolerances or {}).get(guard, default["tolerance"])
        if not 0 < tolerance < 1:
            raise ValueError(f"the tolerance of {guard} is {tolerance}, not above 0 and below 1")
        tolerance *= scale if default.get("unit") == "mean score" else 1
        low, high = announced.get(guard, (0.0, 0.0))
        lowest = max(low - tolerance, -0.999) if guard in _TWO_SIDED else None
        bounds[guard] = Bounds(lowest, min(high + tolerance, 0.999))
    return GuardSettings(
        error_rate=defaults["error_rate"],
        bounds=bounds,
        most_score=min(max(7 * scale, window.tail_score if window else 0.0), 1.0),
        most_difference=min(max(2 * scale, window.tail_difference if window else 0.0, *reach), 1.0),
        slow_shadow_times=defaults["slow_shadow_times"],
        least_in_step=defaults["least_in_step"],
    )


@cache
def _defaults() -> dict[str, Any]:
    return tomllib.loads(files("model_rollout").joinpath("guards.toml").read_text(encoding="utf-8"))
