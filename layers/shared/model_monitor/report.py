"""The monitor's report: what it saw of the version in charge, and the verdict. No loan's values are in it. Pure.

A figure that can't be computed is null. Each figure stands beside the number of loans or records that it is of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from model_monitor.evidence.daily import Evidence
from model_monitor.expected import ExpectedFigures
from model_monitor.input_shifts import Shift
from model_monitor.mature_figures import Decomposition
from model_monitor.verdict import Verdict
from model_registry import documents
from model_registry.errors import RegistryError
from model_watch.intervals import Interval

FORMAT: Final = 1


class InvalidReportError(RegistryError):
    """A report isn't a report of a format that this code reads; the message says why."""


@dataclass(frozen=True)
class Figure:
    """A figure and its interval of 95 %; None for what can't be computed."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, interval: Interval) -> Figure:
        """Return the figure of an interval, whose NaN become None."""
        return cls(**interval.to_dict())


@dataclass(frozen=True)
class Latency:
    """The time of half of the requests, and of 99 of 100, at most."""

    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class LiveFigures:
    """What the version answered lately, whatever became of the loans.

    Attributes
    ----------
    since, until : str or None
        The first and the last day that the figures are of; None if it hasn't answered yet.
    requests, failures : int
        All requests, and those with a status of 500 or more.
    latency_ms : Latency
        Of the requests.
    records : int
        Records that it scored; the figures below are of them.
    flag_rate, warned_share : float or None
        Shares of the records: those that were called late, and those that had any warning.
    warnings : mapping of str to int
        Records by code of warning.
    mean_score : float or None
        Their mean probability of being late.
    expected : ExpectedFigures
        What a calibrated model would have on these records. It assumes calibration.
    """

    since: str | None
    until: str | None
    requests: int
    failures: int
    latency_ms: Latency
    records: int
    flag_rate: float | None
    warned_share: float | None
    warnings: Mapping[str, int]
    mean_score: float | None
    expected: ExpectedFigures


@dataclass(frozen=True)
class OutcomeFigures:
    """How the predictions of the version came true, of all days within reach.

    Attributes
    ----------
    since, until : str or None
        The first and the last day of predictions that are mature; None if there are none.
    records : int
        Loans that it scored in the quarters that have a mature day, and that can be joined with outcomes.
    unhashed : int
        Records besides that have no loan id.
    mature, known, unknown : int
        Loans whose outcome window has passed: all, and those with and without a known outcome.
    late : int
        Loans with a known outcome that were late. All figures below are of the ``known`` loans.
    expected_late : float
        The sum of their probabilities.
    intercept, slope : Figure
        Of the line of outcomes on log-odds: 0 and 1 are right.
    decomposition : Decomposition or None
        The parts of the log loss, in nats a loan.
    """

    since: str | None
    until: str | None
    records: int
    unhashed: int
    mature: int
    known: int
    unknown: int
    late: int
    expected_late: float
    observed_over_expected: Figure
    intercept: Figure
    slope: Figure
    auc: Figure
    brier: Figure
    log_loss: Figure
    decomposition: Decomposition | None


@dataclass(frozen=True)
class EvidenceFigures:
    """The evidence of one test; see ``evidence.daily.Evidence``."""

    name: str
    e_value: float
    threshold: float
    rejected_on: str | None
    since: str | None

    @classmethod
    def of(cls, evidence: Evidence) -> EvidenceFigures:
        """Return the figures of a test's evidence."""
        return cls(**evidence.to_document())


@dataclass(frozen=True)
class CalibrationGroup:
    """Loans of similar probability: their mean probability, and the share that was late with its interval."""

    expected: float
    observed: float
    low: float
    high: float
    loans: int


@dataclass(frozen=True)
class VintageFigures:
    """What became of the loans that one version scored in one quarter.

    Attributes
    ----------
    vintage : str
        The quarter, such as 2026-Q1.
    version : int
    scored : int
        Records that it scored, those of one loan each time; ``mean_score`` and ``flag_rate`` are of them.
    records : int
        Loans that can be joined with outcomes; 0 as long as none of the quarter's days is mature.
    mature, known, late, expected_late, observed_over_expected, auc, brier
        As in ``OutcomeFigures``.
    calibration : tuple of CalibrationGroup
        The known loans by probability, lowest first, in groups of about one size.
    """

    vintage: str
    version: int
    scored: int
    records: int
    mature: int
    known: int
    late: int
    expected_late: float
    observed_over_expected: Figure
    auc: Figure
    brier: Figure
    mean_score: float | None
    flag_rate: float | None
    calibration: tuple[CalibrationGroup, ...]


@dataclass(frozen=True)
class ScoreDistributions:
    """Loans by bins of the probability: of loans that the model hadn't seen in training, and of ``LiveFigures``.

    ``edges`` are the inner ones, one fewer than the bins. ``training`` is empty if the manifest has no such counts;
    ``live`` is shared out from a finer grid.
    """

    edges: tuple[float, ...]
    training: tuple[float, ...]
    live: tuple[float, ...]


@dataclass(frozen=True)
class Damage:
    """What the figures lack: of the days of ``LiveFigures``, whatever version would have answered.

    ``lines`` can't be read. ``crashes`` are invocations that ended badly, timeouts too. No version answered
    ``unversioned`` requests, such as those that were refused for their form.
    """

    lines: int
    crashes: int
    unversioned: int


@dataclass(frozen=True)
class MonitorReport:
    """The report of one date on the version in charge of one alias.

    Attributes
    ----------
    model, alias : str
    version : int
        The version that was in charge when the report was made.
    as_of : str
        The date as of which outcomes are mature. Days from then on aren't looked at.
    verdict : Verdict
    window_days : int
        The outcome window: a prediction is mature so many days after it was made.
    settings : mapping
        All settings of this look; see ``settings.MonitorSettings``.
    live, outcomes, shifts, tests, vintages, scores, damage
        See their classes. ``shifts`` are of the records of ``live``; ``vintages`` are of all versions.
    challengers : tuple of mapping
        The shadow versions, on the same loans as the version in charge.
    """

    model: str
    alias: str
    version: int
    as_of: str
    verdict: Verdict
    window_days: int
    settings: Mapping[str, Any]
    live: LiveFigures
    outcomes: OutcomeFigures
    shifts: tuple[Shift, ...]
    tests: tuple[EvidenceFigures, ...]
    vintages: tuple[VintageFigures, ...]
    scores: ScoreDistributions
    challengers: tuple[Mapping[str, Any], ...]
    damage: Damage
    format: int = FORMAT

    def to_document(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {"format": self.format, **_plain(self)}

    def to_json(self) -> bytes:
        """Return the report as it is stored."""
        return documents.dump_object(self.to_document())

    @classmethod
    def from_json(cls, body: bytes) -> MonitorReport:
        """Read a stored report; raise ``InvalidReportError`` for anything else."""
        try:
            return documents.read_formatted(cls, body, FORMAT)
        except ValueError as error:
            raise InvalidReportError(f"This isn't a report of the monitor: {error}.") from None


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(member) for key, member in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
