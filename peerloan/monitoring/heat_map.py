"""The heat map of quarters and versions: late loans over expected ones, with the number of loans in each cell."""

from __future__ import annotations

import math
from dataclasses import dataclass

from model_monitor.report import Figure, MonitorReport, VintageFigures
from peerloan.monitoring.sentences import maturity

# From half or twice as many late loans as expected on, the colour is at its strongest.
_STRONGEST = math.log(2)
_TOO_HIGH, _TOO_LOW, _WITHIN_CHANCE = (31, 95, 168), (191, 75, 50), "#eef1f3"
# Ink on the strongest colour is still read with ease.
_MOST_COLOR = 0.55


@dataclass(frozen=True)
class Cell:
    """One quarter of one version: a figure, what it is of, and a colour.

    ``color`` is empty where nothing is known; ``is_partly`` says that not all loans are old enough to be judged.
    """

    figure: str
    interval: str
    loans: tuple[str, ...]
    color: str
    is_partly: bool = False


@dataclass(frozen=True)
class HeatMap:
    """The versions, and for each quarter its cells in their order; None where a version scored nothing."""

    versions: tuple[int, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


def of_report(report: MonitorReport) -> HeatMap:
    """Return the heat map of a report, the newest quarter first."""
    figures = {(vintage.vintage, vintage.version): vintage for vintage in report.vintages}
    versions = tuple(sorted({version for _, version in figures}))
    quarters = sorted({quarter for quarter, _ in figures}, reverse=True)
    return HeatMap(
        versions,
        tuple((quarter, tuple(_cell(figures.get((quarter, version))) for version in versions)) for quarter in quarters),
    )


def color(ratio: Figure) -> str:
    """Return the colour of late over expected loans; grey if chance explains the difference from 1."""
    if ratio.value is None:
        return ""
    low, high = ratio.low, ratio.high
    if low is None or high is None or low <= 1 <= high:
        return _WITHIN_CHANCE
    strength = 1.0 if ratio.value <= 0 else min(abs(math.log(ratio.value)) / _STRONGEST, 1.0)
    part = _MOST_COLOR * (0.25 + 0.75 * strength)
    full = _TOO_HIGH if ratio.value < 1 else _TOO_LOW
    return "#" + "".join(f"{round(255 - part * (255 - channel)):02x}" for channel in full)


def _cell(vintage: VintageFigures | None) -> Cell | None:
    if vintage is None:
        return None
    state = maturity(vintage)
    if not vintage.known:
        return Cell("–", state, (f"{vintage.scored:,} records scored",), "")
    ratio = vintage.observed_over_expected
    ends = "" if ratio.low is None or ratio.high is None else f"{ratio.low:.2f} to {ratio.high:.2f}"
    return Cell(
        "–" if ratio.value is None else f"{ratio.value:.2f}",
        ends,
        (
            f"{vintage.late:,} of {vintage.known:,} late",
            f"{vintage.expected_late:,.1f} expected",
            *filter(None, [state]),
        ),
        color(ratio) or _WITHIN_CHANCE,
        bool(state),
    )
