"""The report's plots of the model and its data: what moves it, what shifted, and its results by segment."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from training.evidence.gathering import Evidence
from training.evidence.influence import PRICING, Dependence
from training.evidence.report.drawing import (
    BLUE,
    FAINT,
    INK,
    PALE_BLUE,
    RED,
    Plot,
    finish,
    in_percent,
    new_figure,
    style,
    whiskers,
)
from training.evidence.segments import SEGMENT_COLUMNS
from training.evidence.stability import SMALL_SHIFT, Stability


def importance(evidence: Evidence) -> Plot:
    """ROC-AUC lost by permuting columns."""
    with style():
        figure, (axes,) = new_figure(height=3.1)
        colors = [RED if set(one.columns) <= set(PRICING) else BLUE for one in evidence.importance]
        whiskers(
            axes, [one.loss for one in evidence.importance], [one.name for one in evidence.importance], colors=colors
        )
        axes.axvline(0, color=FAINT, linewidth=1, linestyle="--")
        axes.set(title="Permutation importance (red: the lender's own pricing)", xlabel="ROC-AUC lost, next quarter")
        return finish(figure, "ROC-AUC lost when a column's values are dealt out anew, with 95% intervals")


def dependence(evidence: Evidence) -> Plot:
    """Partial dependence on the ten columns."""
    with style():
        figure, axes = new_figure(5, 2, height=10.5)
        top = max(float(one.high.max()) for one in evidence.dependence) * 1.08
        for place, one in zip(axes, evidence.dependence, strict=True):
            _dependence(place, one)
            place.set(title=one.column, ylim=(0, top))
            in_percent(place, y=True, decimals=0)
        return finish(
            figure, "Mean probability of 500 loans as one column changes; band: tenth to ninetieth percentile"
        )


def stability(evidence: Evidence) -> Plot:
    """PSI of each column and of the score beside what sampling gives."""
    found = ([evidence.score] if evidence.score else []) + list(evidence.columns)
    with style():
        figure, (axes,) = new_figure(height=0.6 + 0.24 * len(found))
        places = np.arange(len(found))[::-1]
        for place, one in zip(places, found, strict=True):
            axes.plot(max(one.psi, 1e-5), place, "o", color=_shift_color(one), markersize=5)
            axes.plot([one.limit] * 2, [place - 0.32, place + 0.32], color=INK, linewidth=1.4)
        for customary in (0.10, 0.25):
            axes.axvline(customary, color=FAINT, linewidth=1, linestyle="--")
        axes.set_xscale("log")
        axes.set_yticks(places, [one.name for one in found])
        axes.grid(visible=False, axis="y")
        axes.set(
            title="Stability (bar: sampling limit; dashed: .1 and .25)", xlabel="PSI, training file to next quarter"
        )
        return finish(figure, "Population stability index of the score and of each column, and its sampling limit")


def segments(evidence: Evidence) -> Plot:
    """Observed over expected by segment."""
    with style():
        figure, axes = new_figure(1, len(SEGMENT_COLUMNS), height=3.4)
        for place, column in zip(axes, SEGMENT_COLUMNS, strict=True):
            chosen = [one for one in evidence.segments if one.column == column and one.expected >= 1]
            place.axvspan(0.8, 1.25, color=PALE_BLUE, alpha=0.4, linewidth=0)
            place.axvline(1, color=FAINT, linewidth=1, linestyle="--")
            whiskers(place, [one.over_expected for one in chosen], [one.label for one in chosen])
            place.set(title=column, xlim=(0, 4), xlabel="Observed over expected")
        return finish(figure, "Observed over expected late loans by segment, with 95% intervals; band: .8 to 1.25")


def file_rates(evidence: Evidence) -> Plot:
    """The late rate along the training file and in the next quarter."""
    names = [f"{number}" for number in range(1, len(evidence.file_rates))] + ["next\nquarter"]
    with style():
        figure, (axes,) = new_figure(height=2.4)
        for place, one in enumerate(evidence.file_rates):
            color = RED if place == len(names) - 1 else BLUE
            axes.plot([place, place], [one.low, one.high], color=color, linewidth=1.4)
            axes.plot(place, one.value, "o", color=color, markersize=4.5)
        axes.set_xticks(range(len(names)), names)
        axes.set(title="Late rate along the training file", xlabel="Tenth of the file, oldest loans first", ylim=0)
        axes.grid(visible=False, axis="x")
        in_percent(axes, y=True, decimals=1)
        return finish(
            figure, "Late rate of each tenth of the training file and of the next quarter, with 95% intervals"
        )


def _shift_color(one: Stability) -> str:
    if one.psi <= one.limit:
        return FAINT
    return BLUE if one.psi < SMALL_SHIFT else RED


def _dependence(axes: Axes, one: Dependence) -> None:
    if one.ticks:
        axes.fill_between(one.values, one.low, one.high, color=PALE_BLUE, alpha=0.5, linewidth=0)
        axes.plot(one.values, one.mean, color=BLUE)
        for tick in one.ticks:
            axes.axvline(tick, ymax=0.03, color=INK, linewidth=0.7)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        return
    names = ["missing" if isinstance(value, float) else str(value).replace("_", " ") for value in one.values]
    places = np.arange(len(names))
    axes.vlines(places, one.low, one.high, color=PALE_BLUE, linewidth=4)
    axes.plot(places, one.mean, "o", color=BLUE, markersize=4)
    axes.set_xticks(places, names, rotation=90 if len(names) > 7 else 0, fontsize=7)
    axes.grid(visible=False, axis="x")
