"""Reports of the monitor for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from model_monitor.expected import ExpectedFigures
from model_monitor.input_shifts import Shift
from model_monitor.mature_figures import Decomposition
from model_monitor.report import (
    CalibrationGroup,
    Damage,
    EvidenceFigures,
    Figure,
    Latency,
    LiveFigures,
    MonitorReport,
    OutcomeFigures,
    ScoreDistributions,
    VintageFigures,
)
from model_monitor.settings import default_settings
from model_monitor.verdict import Verdict

_LIVE = LiveFigures(
    since="2026-04-02",
    until="2026-07-01",
    requests=5_010,
    failures=3,
    latency_ms=Latency(1.2, 9.5),
    records=50_000,
    flag_rate=0.031,
    warned_share=0.004,
    warnings={"out_of_training_range": 200},
    mean_score=0.022,
    expected=ExpectedFigures(0.022, 0.731, 0.0211),
)
_OUTCOMES = OutcomeFigures(
    since="2026-01-01",
    until="2026-03-17",
    records=81_000,
    unhashed=12,
    mature=40_000,
    known=39_000,
    unknown=1_000,
    late=480,
    expected_late=850.5,
    observed_over_expected=Figure(0.564, 0.515, 0.617),
    intercept=Figure(-0.57, -0.7, -0.44),
    slope=Figure(1.02, 0.93, 1.11),
    auc=Figure(0.728, 0.705, 0.75),
    brier=Figure(0.0119, 0.0109, 0.013),
    log_loss=Figure(0.0642, 0.0594, 0.069),
    decomposition=Decomposition(0.0662, 0.0041, 0.0021),
)
_VINTAGE = VintageFigures(
    vintage="2026-Q1",
    version=3,
    scored=45_000,
    records=44_000,
    mature=40_000,
    known=39_000,
    late=480,
    expected_late=850.5,
    observed_over_expected=Figure(0.564, 0.515, 0.617),
    auc=Figure(0.728, 0.705, 0.75),
    brier=Figure(0.0119, 0.0109, 0.013),
    mean_score=0.0218,
    flag_rate=0.03,
    calibration=(
        CalibrationGroup(0.008, 0.004, 0.0031, 0.0051, 19_500),
        CalibrationGroup(0.0356, 0.0206, 0.0187, 0.0227, 19_500),
    ),
)
_REPORT = MonitorReport(
    model="late-payer",
    alias="live",
    version=3,
    as_of="2026-07-01",
    verdict=Verdict("recalibrate", "Probabilities are off since 2026-05-02: 480 of 39,000 loans were late."),
    window_days=106,
    settings=default_settings().to_document(),
    live=_LIVE,
    outcomes=_OUTCOMES,
    shifts=(
        Shift(
            column="int_rate",
            psi=0.113,
            by_chance=0.0004,
            limit=0.0011,
            unseen_share=0.0,
            missing_share=0.0,
            before=(0.5, 0.5),
            after=(0.34, 0.66),
            bins=("5.32 to 11.99", "11.99 to 28.99"),
        ),
    ),
    tests=(
        EvidenceFigures("discrimination", 0.7, 66.7, None, None),
        EvidenceFigures("calibration", 4_021.5, 33.3, "2026-05-02", "2026-01-09"),
    ),
    vintages=(_VINTAGE,),
    scores=ScoreDistributions((0.015,), (55_000.0, 56_068.0), (24_000.0, 26_000.0)),
    challengers=(),
    damage=Damage(lines=1, crashes=2, unversioned=7),
)


def make_report(**changes: Any) -> MonitorReport:
    """Return a report that says ``recalibrate``, with some fields changed."""
    return replace(_REPORT, **changes)
