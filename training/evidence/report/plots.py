"""The report's plots of outcomes: how well the version ranks loans, and how well its probabilities are calibrated."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from training.evidence.gathering import Evidence
from training.evidence.intervals import over_expected, wilson
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
from training.evidence.tally import tally


def ranking(evidence: Evidence) -> Plot:
    """ROC curve, and precision over recall."""
    counts = tally(evidence.target, evidence.probabilities)
    late, on_time = counts.late[::-1].cumsum(), counts.on_time[::-1].cumsum()
    recall, false_alarms = late / late[-1], on_time / on_time[-1]
    with style():
        figure, (roc, precision) = new_figure(1, 2, height=3.5)
        roc.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
        roc.plot([0, *false_alarms], [0, *recall], color=BLUE)
        roc.set(title="ROC curve", xlabel="On-time loans flagged", ylabel="Late loans flagged", aspect="equal")
        in_percent(roc, x=True, y=True)
        # Until three late loans are flagged, precision is noise.
        steady = late >= 3
        precision.axhline(late[-1] / len(evidence.target), color=FAINT, linewidth=1, linestyle="--")
        precision.plot(recall[steady], (late / (late + on_time))[steady], color=BLUE)
        precision.set(title="Precision and recall", xlabel="Late loans flagged", ylabel="Flagged loans late", ylim=0)
        in_percent(precision, x=True)
        in_percent(precision, y=True, decimals=1)
        return finish(figure, "ROC curve, and precision against recall; dashed: no model")


def calibration(evidence: Evidence) -> Plot:
    """Observed late rates against expected ones, by tenths of the probability."""
    bins = evidence.calibration
    expected = bins.expected / bins.loans
    observed = [wilson(late, loans) for late, loans in zip(bins.late, bins.loans, strict=True)]
    with style():
        figure, (curve, ratio) = new_figure(1, 2, height=3.3)
        top = max(float(expected.max()), *(one.high for one in observed)) * 1.05
        curve.plot([0, top], [0, top], color=FAINT, linewidth=1, linestyle="--")
        for place, one in zip(expected, observed, strict=True):
            curve.plot([place, place], [one.low, one.high], color=BLUE, linewidth=1.2)
            curve.plot(place, one.value, "o", color=BLUE, markersize=4)
        curve.set(title="Calibration", xlabel="Mean probability of a bin", ylabel="Late rate", xlim=0, ylim=0)
        in_percent(curve, x=True, y=True)
        names = [f"{number}" for number in range(len(bins.loans), 0, -1)]
        ratios = [
            over_expected(late, expected_late) for late, expected_late in zip(bins.late, bins.expected, strict=True)
        ][::-1]
        ratio.axvline(1, color=FAINT, linewidth=1, linestyle="--")
        whiskers(ratio, ratios, names)
        ratio.set(
            title="Observed over expected",
            xlabel="Late loans over sum of probabilities",
            ylabel="Bin, highest on top",
            xlim=(0, 4),
        )
        return finish(figure, "Late rate against mean probability by tenths, with 95% intervals; dashed: perfect")


def scores(evidence: Evidence) -> Plot:
    """The distribution of the probabilities by outcome."""
    scores = np.clip(evidence.probabilities, 1e-4, 1 - 1e-4)
    edges = np.geomspace(scores.min() * 0.999, scores.max() * 1.001, 36).tolist()
    with style():
        figure, (axes,) = new_figure(height=2.6)
        for outcome, color, name in ((0, FAINT, "on time"), (1, RED, "late")):
            chosen = scores[evidence.target == outcome]
            weights = np.full(len(chosen), 1 / len(chosen))
            axes.hist(chosen, edges, weights=weights, histtype="stepfilled", color=color, alpha=0.25, edgecolor="none")
            axes.hist(chosen, edges, weights=weights, histtype="step", color=color, label=f"{name} ({len(chosen):,})")
        threshold = evidence.manifest.threshold.value
        axes.axvline(threshold, color=INK, linewidth=1, linestyle=":")
        axes.text(threshold, 1.02, "threshold", transform=axes.get_xaxis_transform(), ha="center", fontsize=8)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(title="Probabilities by outcome", xlabel="Probability of being late", ylabel="Share of the outcome")
        in_percent(axes, y=True, decimals=0)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)
        return finish(figure, "Distribution of the probabilities of late and of on-time loans")


def lift(evidence: Evidence) -> Plot:
    """Lift by decile with intervals, and the share of late loans captured."""
    with style():
        figure, (bars, capture) = new_figure(1, 2, height=3.0)
        numbers = [one.number for one in evidence.deciles]
        bars.bar(numbers, [one.lift.value for one in evidence.deciles], color=PALE_BLUE, width=0.75)
        for one in evidence.deciles:
            bars.plot([one.number] * 2, [one.lift.low, one.lift.high], color=BLUE, linewidth=1.2)
        bars.axhline(1, color=FAINT, linewidth=1, linestyle="--")
        bars.set(title="Lift by decile", xlabel="Decile, highest probability first", ylabel="Late rate over mean")
        _every_decile(bars)
        shares = [one.capture for one in evidence.deciles]
        capture.plot([0, 10], [0, 1], color=FAINT, linewidth=1, linestyle="--")
        capture.fill_between(
            [0, *numbers],
            [0, *(one.low for one in shares)],
            [0, *(one.high for one in shares)],
            color=PALE_BLUE,
            alpha=0.5,
        )
        capture.plot([0, *numbers], [0, *(one.value for one in shares)], color=BLUE, marker="o", markersize=3)
        capture.set(title="Late loans captured", xlabel="Deciles flagged", ylabel="Late loans flagged", ylim=(0, 1.02))
        in_percent(capture, y=True)
        _every_decile(capture)
        return finish(figure, "Lift by decile and share of late loans captured, with 95% intervals; dashed: no model")


def _every_decile(axes: Axes) -> None:
    axes.set_xticks(range(1, 11))
    axes.grid(visible=False, axis="x")
