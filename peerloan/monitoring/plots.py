"""The plots of the monitor's page: calibration by quarter, shifts and their limits, scores, and shadow versions."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from model_monitor.input_shifts import SCORE, Shift
from model_monitor.report import MonitorReport, VintageFigures
from model_watch.intervals import Interval, wilson
from model_watch.stability import interval_names
from peerloan.monitoring.sentences import SHOWN_SHIFTS, bin_title, column_title, maturity, shifted
from training.evidence.report.drawing import (
    BLUE,
    FAINT,
    RED,
    Plot,
    dots,
    draw_panels,
    in_percent,
    plot,
    whiskers,
)

_DASHED: dict[str, Any] = {"color": FAINT, "linewidth": 1, "linestyle": "--"}
# One quarter alone doesn't fill the page.
_LEAST_COLUMNS, _COLUMNS = 2, 3
_SHOWN_VINTAGES = 9
_LONGEST_NAME = 26
# A shift of 0 can't be shown on a logarithmic axis.
_LEAST_SHIFT = 1e-5


def drawn_vintages(report: MonitorReport) -> list[VintageFigures]:
    """Return the quarters whose calibration is drawn: the newest ones, oldest first."""
    return [vintage for vintage in report.vintages if vintage.calibration][-_SHOWN_VINTAGES:]


def calibration(report: MonitorReport) -> Plot:
    """Draw the late rate against the mean probability of each quarter and version."""
    vintages = drawn_vintages(report)
    columns = min(_COLUMNS, max(len(vintages), _LEAST_COLUMNS))
    rows = ceil(len(vintages) / columns)

    def draw(*panels: Axes) -> None:
        for panel, vintage in zip(panels, vintages, strict=False):
            _draw_calibration(panel, vintage)
        for panel in panels[len(vintages) :]:
            panel.set_axis_off()

    alt = "Late rate against mean probability of each quarter and version, with 95% intervals; dashed: perfect"
    return draw_panels(draw, alt, rows, columns, height=3.0 * rows)


def _draw_calibration(axes: Axes, vintage: VintageFigures) -> None:
    groups = vintage.calibration
    top = max(*(group.expected for group in groups), *(group.high for group in groups)) * 1.05
    axes.plot([0, top], [0, top], **_DASHED)
    rates = [Interval(group.observed, group.low, group.high) for group in groups]
    dots(axes, [group.expected for group in groups], rates)
    state = " so far" if maturity(vintage) else ""
    axes.set_title(f"{vintage.vintage}, version {vintage.version}\n{vintage.known:,} loans{state}")
    axes.set(xlabel="Mean probability", ylabel="Late rate", xlim=0, ylim=(0, top))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    in_percent(axes, x=True, y=True)


def shifts(report: MonitorReport) -> Plot:
    """Draw the shift of each column beside what sampling alone explains."""
    alt = "Shift of each column; grey: what sampling alone explains; red: beyond it"
    return draw_panels(lambda axes: _draw_shifts(axes, report), alt, 1, 1, height=1.1 + 0.24 * len(report.shifts))


def _draw_shifts(axes: Axes, report: MonitorReport) -> None:
    ordered = sorted(report.shifts, key=lambda shift: shift.psi)
    places = np.arange(len(ordered))
    values = np.maximum([shift.psi for shift in ordered], _LEAST_SHIFT)
    limits = np.array([shift.limit for shift in ordered])
    low = min(float(values.min()), *(shift.by_chance for shift in ordered)) / 2
    axes.barh(places, limits - low, left=low, color="#e4e8ec", height=0.7, label="sampling alone explains this")
    colors = [RED if shift.psi > shift.limit else BLUE for shift in ordered]
    axes.scatter(values, places, 26, colors, zorder=2)
    axes.set_yticks(places, [column_title(shift.column) for shift in ordered])
    axes.set(xscale="log", xlim=(low, max(float(values.max()), float(limits.max())) * 1.6))
    axes.set(xlabel="Shift (PSI), logarithmic", title=f"{report.live.records:,} records against the training loans")
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)


def changed_columns(report: MonitorReport) -> Plot:
    """Draw the shares of the bins of the inputs that shifted most, in training and now."""
    changed = shifted(report)[:SHOWN_SHIFTS]
    rows = ceil(len(changed) / 2)
    longest = max(len(shift.bins) for shift in changed)

    def draw(*panels: Axes) -> None:
        for panel, shift in zip(panels, changed, strict=False):
            _draw_bins(panel, shift)
        for panel in panels[len(changed) :]:
            panel.set_axis_off()

    alt = "Shares by bin of the inputs that shifted most; grey: training loans; blue: records"
    return draw_panels(draw, alt, rows, min(2, len(changed)), height=rows * (0.9 + 0.22 * longest))


def _draw_bins(axes: Axes, shift: Shift) -> None:
    names = [textwrap.shorten(bin_title(shift.column, name), _LONGEST_NAME, placeholder=" …") for name in shift.bins]
    _draw_two_shares(axes, names, shift.before, shift.after)
    axes.set_title(column_title(shift.column))


def _draw_two_shares(axes: Axes, names: Sequence[str], before: Sequence[float], after: Sequence[float]) -> None:
    places = np.arange(len(names))[::-1]
    axes.barh(places + 0.2, before, 0.38, color="#b9c3cc")
    axes.barh(places - 0.2, after, 0.38, color=BLUE)
    axes.set_yticks(places, names)
    axes.grid(visible=False, axis="y")
    in_percent(axes, x=True, decimals=0)


@plot("Share of the loans by probability; grey: training loans; blue: records", height=3.4)
def scores(report: MonitorReport, axes: Axes) -> None:
    """Draw the distribution of the probabilities in training and now."""
    names = [bin_title(SCORE, name) for name in interval_names(np.array(report.scores.edges))]
    training, live = np.array(report.scores.training), np.array(report.scores.live)
    before, after = ((loans / max(float(loans.sum()), 1.0)).tolist() for loans in (training, live))
    _draw_two_shares(axes, names, before, after)
    axes.set(title="Probability of being late", xlabel="Share of the loans")


def challengers(report: MonitorReport) -> Plot:
    """Draw how much better each shadow version ranks, and who was late among the loans that one version calls late."""
    known = [figures for figures in report.challengers if figures["loans"]]
    alt = "Differences of the ROC-AUC, and late rates where one version alone says late; with 95% intervals"

    def draw(gains: Axes, swaps: Axes) -> None:
        names = [f"version {figures['version']}\n({figures['loans']:,} loans)" for figures in known]
        gains.axvline(0, **_DASHED)
        whiskers(gains, [_interval(figures["auc_difference"]) for figures in known], names)
        gains.set(title=f"ROC-AUC gained over version {report.version}", xlabel="Right of the line: ranks better")
        _draw_swaps(swaps, known, report.version)

    return draw_panels(draw, alt, 1, 2, height=1.6 + 0.7 * len(known))


def _draw_swaps(axes: Axes, known: Sequence[Mapping[str, Any]], champion: int) -> None:
    rates, names, colors = [], [], []
    for figures in known:
        for side, version, color in (("challenger", figures["version"], BLUE), ("champion", champion, FAINT)):
            loans, late = figures["swaps"][f"only_{side}"], figures["swaps"][f"only_{side}_late"]
            # Nothing is to be seen of no loan.
            if loans:
                rates.append(wilson(late, loans))
                names.append(f"by version {version} alone\n({loans:,} loans)")
                colors.append(color)
    if rates:
        whiskers(axes, rates, names, colors)
    axes.set(title="Late rate of loans called late", xlim=0)
    in_percent(axes, x=True, decimals=0)


def _interval(figure: Mapping[str, float | None]) -> Interval:
    value, low, high = (np.nan if (end := figure[name]) is None else end for name in ("value", "low", "high"))
    return Interval(value, low, high)
