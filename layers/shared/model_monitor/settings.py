"""What the monitor tolerates, and how often it may be wrong: the defaults of monitor.toml, and a user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from model_registry import documents
from model_registry.documents import Positive

TESTS: Final = ("refit", "recalibrate", "look")
# Ten years: longer than any log is kept.
MOST_DAYS: Final = 3650
_DAYS: Final = ("outcome_window_days", "recent_days", "live_days")
_LEAST_RATE: Final = 1e-9
_WIDEST: Final = 100.0


@dataclass(frozen=True)
class Tolerated:
    """The tolerated range of a figure that is 1 where the model is right."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 1 / _WIDEST <= self.low < 1 < self.high <= _WIDEST:
            raise ValueError(
                f"the tolerated range is {self.low} to {self.high}, which isn't around 1 and within {1 / _WIDEST} to "
                f"{_WIDEST:.0f}"
            )


@dataclass(frozen=True)
class ErrorShares:
    """How the error rate is shared out over the tests, which are named after the verdict that they lead to."""

    refit: float
    recalibrate: float
    look: float

    def __post_init__(self) -> None:
        shares = asdict(self)
        if min(shares.values()) <= 0 or sum(shares.values()) > 1 + 1e-9:
            raise ValueError(f"the shares of the error rate are {shares}, not above 0 and up to 1 together")


@dataclass(frozen=True)
class DiscriminationTolerance:
    """How far the ROC-AUC may lie below the low end of its interval in the manifest."""

    margin: float

    def __post_init__(self) -> None:
        if not 0 <= self.margin < 0.5:
            raise ValueError(f"the tolerated loss of ROC-AUC is {self.margin}, not from 0 to below 0.5")


@dataclass(frozen=True)
class InputTolerance:
    """What share a bin may hold: ``times`` its share among the training loans, and ``more``.

    A day's records count as ``records_a_day`` independent ones at most.
    """

    times: float
    more: float
    records_a_day: Positive

    def __post_init__(self) -> None:
        if self.times < 1 or not 0 < self.more < 1:
            raise ValueError(
                f"a bin's tolerated share is {self.times} times and {self.more} more, not at least 1 and above 0"
            )

    def highest(self, share: float) -> float:
        """Return the highest tolerated share of a bin that has this share among the training loans."""
        return min(self.times * share + self.more, 1.0)

    def lowest(self, share: float) -> float:
        """Return the lowest tolerated share; 0 if any is."""
        return max(share / self.times - self.more, 0.0)


@dataclass(frozen=True)
class EnoughData:
    """From how many expected late loans, and which share of known outcomes, the data say that the model is right."""

    expected_late: float
    known_share: float

    def __post_init__(self) -> None:
        if self.expected_late <= 0 or not 0 < self.known_share <= 1:
            raise ValueError(
                f"enough data are {self.expected_late} expected late loans and a share of {self.known_share} known "
                "outcomes, not above 0, and not above 0 and up to 1"
            )


@dataclass(frozen=True)
class MonitorSettings:
    """What the monitor tolerates; monitor.toml has the default and the reason of each.

    Attributes
    ----------
    outcome_window_days : int
        A prediction is judged this many days after it was made.
    error_rate : float
        Of versions that stay right, the share that may have an alarm in their first year.
    recent_days : int
        Whether the data are enough is decided by the loans of so many days.
    live_days : int
        The figures of inputs and scores are of the last so many days.
    shares : ErrorShares
    level, slope : Tolerated
        The odds of being late over the predicted odds, and the slope of outcomes on log-odds.
    discrimination : DiscriminationTolerance
    inputs : InputTolerance
    enough : EnoughData
    """

    outcome_window_days: Positive
    error_rate: float
    recent_days: Positive
    live_days: Positive
    shares: ErrorShares
    level: Tolerated
    slope: Tolerated
    discrimination: DiscriminationTolerance
    inputs: InputTolerance
    enough: EnoughData

    def __post_init__(self) -> None:
        if not 0 < self.error_rate < 1:
            raise ValueError(f"'error_rate' is {self.error_rate}, not between 0 and 1")
        for test in TESTS:
            if (rate := self.error_rate * float(getattr(self.shares, test))) < _LEAST_RATE:
                raise ValueError(f"'error_rate' times 'shares.{test}' is {rate}, less than {_LEAST_RATE}")
        for name in _DAYS:
            if getattr(self, name) > MOST_DAYS:
                raise ValueError(f"{name!r} is {getattr(self, name)}, more than {MOST_DAYS}")

    def threshold(self, test: str) -> float:
        """Return the e-value from which on a test of ``TESTS`` rejects."""
        return 1 / (self.error_rate * float(getattr(self.shares, test)))

    def to_document(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)


def default_settings() -> MonitorSettings:
    """Return the settings of monitor.toml."""
    return documents.read(MonitorSettings, _defaults(), "settings")


def read_settings(text: str) -> MonitorSettings:
    """Read a user's settings in TOML; what they don't name is as in monitor.toml.

    Raises
    ------
    ValueError
        If the text isn't TOML, names a setting that doesn't exist, or gives one a value that it can't have.
    """
    try:
        changes = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the settings aren't TOML: {error}") from None
    return documents.read(MonitorSettings, _merged(_defaults(), changes, ""), "settings")


def _merged(defaults: Mapping[str, Any], changes: Mapping[str, Any], table: str) -> dict[str, Any]:
    unknown = sorted(changes.keys() - defaults.keys())
    if unknown:
        raise ValueError(f"there is no setting {table + unknown[0]!r}; there are {', '.join(sorted(defaults))}")
    merged = dict(defaults)
    for name, value in changes.items():
        default = defaults[name]
        is_table = isinstance(default, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(default, value, f"{table}{name}.") if is_table else value
    return merged


@cache
def _defaults() -> dict[str, Any]:
    return tomllib.loads(files("model_monitor").joinpath("monitor.toml").read_text(encoding="utf-8"))
