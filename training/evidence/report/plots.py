"""The report's plots: how well the version ranks and is calibrated, what moves it, and what shifted."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from model_artifact.reasons.players import PRICING_FIELDS
from model_artifact.schema import FIELDS
from model_watch.intervals import over_expected, wilson
from model_watch.stability import SMALL_SHIFT
from training.evidence.gathering import Evidence
from training.evidence.influence import Dependence
from training.evidence.report.drawing import BLUE, FAINT, INK, PALE_BLUE, RED, dots, in_percent, plot, whiskers
from training.evidence.segments import SEGMENT_COLUMNS
from training.evidence.tally import tally

_DASHED: dict[str, Any] = {"color": FAINT, "linewidth": 1, "linestyle": "--"}


@plot("ROC curve, and precision against recall; dashed: no model", 1, 2, height=3.5)
def ranking(evidence: Evidence, roc: Axes, precision: Axes) -> None:
    """Draw the ROC curve, and precision over recall."""
    counts = tally(evidence.target, evidence.probabilities)
    late, on_time = counts.late[::-1].cumsum(), counts.on_time[::-1].cumsum()
    recall, false_alarms = late / late[-1], on_time / on_time[-1]
    roc.plot([0, 1], [0, 1], **_DASHED)
    roc.plot([0, *false_alarms], [0, *recall], color=BLUE)
    roc.set(title="ROC curve", xlabel="On-time loans flagged", ylabel="Late loans flagged", aspect="equal")
    in_percent(roc, x=True, y=True)
    # Until three late loans are flagged, precision is noise.
    steady = late >= 3
    precision.axhline(late[-1] / len(evidence.target), **_DASHED)
    precision.plot(recall[steady], (late / (late + on_time))[steady], color=BLUE)
    precision.set(title="Precision and recall", xlabel="Late loans flagged", ylabel="Flagged loans late", ylim=0)
    in_percent(precision, x=True)
    in_percent(precision, y=True, decimals=1)


@plot("Late rate against mean probability by tenths, with 95% intervals; dashed: perfect", 1, 2, height=3.3)
def calibration(evidence: Evidence, curve: Axes, ratio: Axes) -> None:
    """Draw observed late rates against expected ones, by tenths of the probability."""
    bins = evidence.calibration
    expected = bins.expected / bins.loans
    observed = [wilson(late, loans) for late, loans in zip(bins.late, bins.loans, strict=True)]
    top = max(float(expected.max()), *(rate.high for rate in observed)) * 1.05
    curve.plot([0, top], [0, top], **_DASHED)
    dots(curve, expected, observed)
    curve.set(title="Calibration", xlabel="Mean probability of a bin", ylabel="Late rate", xlim=0, ylim=0)
    in_percent(curve, x=True, y=True)
    ratios = [over_expected(late, total) for late, total in zip(bins.late, bins.expected, strict=True)]
    ratio.axvline(1, **_DASHED)
    whiskers(ratio, ratios[::-1], [str(number) for number in range(len(ratios), 0, -1)])
    ratio.set(title="Observed over expected", xlabel="Late loans over sum of probabilities", xlim=(0, 4))
    ratio.set_ylabel("Bin, highest on top")


@plot("Distribution of the probabilities of late and of on-time loans", height=2.6)
def scores(evidence: Evidence, axes: Axes) -> None:
    """Draw the distribution of the probabilities by outcome."""
    scores = np.clip(evidence.probabilities, 1e-4, 1 - 1e-4)
    edges = np.geomspace(scores.min() * 0.999, scores.max() * 1.001, 36).tolist()
    for outcome, color, name in ((0, FAINT, "on time"), (1, RED, "late")):
        chosen = scores[evidence.target == outcome]
        weights = np.full(len(chosen), 1 / len(chosen))
        axes.hist(chosen, edges, weights=weights, histtype="stepfilled", color=color, alpha=0.25, edgecolor="none")
        axes.hist(chosen, edges, weights=weights, histtype="step", color=color, label=f"{name} ({len(chosen):,})")
    threshold = evidence.manifest.threshold.value
    axes.axvline(threshold, color=INK, linewidth=1, linestyle=":")
    axes.text(threshold, 1.02, "threshold", transform=axes.get_xaxis_transform(), ha="center", fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g}%"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(title="Probabilities by outcome", xlabel="Probability of being late", ylabel="Share of the outcome")
    in_percent(axes, y=True, decimals=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)


@plot("Lift by decile and share of late loans captured, with 95% intervals; dashed: no model", 1, 2)
def lift(evidence: Evidence, bars: Axes, capture: Axes) -> None:
    """Draw the lift by decile with intervals, and the share of late loans captured."""
    numbers = [decile.number for decile in evidence.deciles]
    lifts = [decile.lift for decile in evidence.deciles]
    bars.bar(numbers, [lift.value for lift in lifts], color=PALE_BLUE, width=0.75)
    bars.vlines(numbers, [lift.low for lift in lifts], [lift.high for lift in lifts], color=BLUE, linewidth=1.2)
    bars.axhline(1, **_DASHED)
    bars.set(title="Lift by decile", xlabel="Decile, highest probability first", ylabel="Late rate over mean (times)")
    shares = [decile.capture for decile in evidence.deciles]
    lows, highs = [0, *(share.low for share in shares)], [0, *(share.high for share in shares)]
    capture.plot([0, 10], [0, 1], **_DASHED)
    capture.fill_between([0, *numbers], lows, highs, color=PALE_BLUE, alpha=0.5)
    capture.plot([0, *numbers], [0, *(share.value for share in shares)], color=BLUE, marker="o", markersize=3)
    capture.set(title="Late loans captured", xlabel="Loans flagged", ylabel="Late loans flagged", ylim=(0, 1.02))
    in_percent(capture, y=True)
    bars.set_xticks(range(1, 11))
    capture.set_xticks(range(0, 11, 2), [f"{tenth}0%" if tenth else "0%" for tenth in range(0, 11, 2)])
    for axes in (bars, capture):
        axes.grid(visible=False, axis="x")


@plot("ROC-AUC lost when a column's values are shuffled among the loans, with 95% intervals", height=3.1)
def importance(evidence: Evidence, axes: Axes) -> None:
    """Draw the ROC-AUC lost by permuting columns."""
    losses = [column.loss for column in evidence.importance]
    colors = [RED if set(column.columns) <= set(PRICING_FIELDS) else BLUE for column in evidence.importance]
    whiskers(axes, losses, [column.name for column in evidence.importance], colors)
    axes.axvline(0, **_DASHED)
    axes.set(title="Permutation importance (red: the lender's own pricing)", xlabel="ROC-AUC lost, next quarter")


@plot("Mean probability of 500 loans as one column changes; band: tenth to ninetieth percentile", 5, 2, height=10.5)
def dependence(evidence: Evidence, *axes: Axes) -> None:
    """Draw the partial dependence on the ten columns."""
    top = max(float(column.high.max()) for column in evidence.dependence) * 1.08
    for column_axes, column in zip(axes, evidence.dependence, strict=True):
        (_number if column.ticks else _category)(column_axes, column)
        column_axes.set(title=_titles()[column.column], ylim=(0, top))
        in_percent(column_axes, y=True, decimals=0)
        if _is_share(column.column):
            in_percent(column_axes, x=True)


@plot("Population stability index of the score and of each column, and its sampling limit", height=3.24)
def stability(evidence: Evidence, axes: Axes) -> None:
    """Draw the PSI of each column and of the score beside its sampling limit."""
    columns = evidence.stability
    places = np.arange(len(columns))[::-1]
    limits = [column.limit for column in columns]
    colors = [FAINT if column.psi <= column.limit else BLUE if column.psi < SMALL_SHIFT else RED for column in columns]
    axes.scatter([max(column.psi, 1e-5) for column in columns], places, 25, colors)
    axes.vlines(limits, places - 0.32, places + 0.32, color=INK, linewidth=1.4)
    for customary in (0.10, 0.25):
        axes.axvline(customary, **_DASHED)
    axes.set_xscale("log")
    axes.set_yticks(places, [column.name for column in columns])
    axes.grid(visible=False, axis="y")
    earlier = "training file" if evidence.recorded_training else "earlier loans at hand"
    axes.set(title="Stability (bar: sampling limit; dashed: .1 and .25)", xlabel=f"PSI, {earlier} to next quarter")


@plot(
    "Observed over expected late loans by segment, with 95% intervals; band: .8 to 1.25",
    1,
    len(SEGMENT_COLUMNS),
    height=3.4,
)
def segments(evidence: Evidence, *axes: Axes) -> None:
    """Draw observed over expected late loans by segment."""
    for column_axes, column in zip(axes, SEGMENT_COLUMNS, strict=True):
        shown = [segment for segment in evidence.segments if segment.column == column and segment.expected >= 1]
        column_axes.axvspan(0.8, 1.25, color=PALE_BLUE, alpha=0.4, linewidth=0)
        column_axes.axvline(1, **_DASHED)
        whiskers(column_axes, [segment.over_expected for segment in shown], [segment.label for segment in shown])
        column_axes.set(title=column, xlim=(0, 4), xlabel="Observed over expected")


@plot("Late rate of each tenth of the training file and of the next quarter, with 95% intervals", height=2.4)
def file_rates(evidence: Evidence, axes: Axes) -> None:
    """Draw the late rate along the training file and in the next quarter."""
    tenths = range(len(evidence.file_rates) - 1)
    dots(axes, range(len(evidence.file_rates)), evidence.file_rates, [*(BLUE for _ in tenths), RED])
    axes.set_xticks(range(len(evidence.file_rates)), [*(str(tenth + 1) for tenth in tenths), "next\nquarter"])
    axes.set(title="Late rate along the training file", xlabel="Tenth of the file, oldest loans first", ylim=0)
    axes.grid(visible=False, axis="x")
    in_percent(axes, y=True, decimals=1)


def _titles() -> dict[str, str]:
    """Return the columns' names with their units."""
    percent = {"fraction": "%", "fraction per year": "% per year", "percentage points": "%", None: ""}
    units = {field.name: percent.get(field.unit, field.unit) for field in FIELDS}
    return {name: f"{name} ({unit})" if unit else name for name, unit in units.items()}


def _is_share(column: str) -> bool:
    return any(field.name == column and (field.unit or "").startswith("fraction") for field in FIELDS)


def _number(axes: Axes, column: Dependence) -> None:
    axes.fill_between(column.values, column.low, column.high, color=PALE_BLUE, alpha=0.5, linewidth=0)
    axes.plot(column.values, column.mean, color=BLUE)
    for tick in column.ticks:
        axes.axvline(tick, ymax=0.03, color=INK, linewidth=0.7)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _category(axes: Axes, column: Dependence) -> None:
    names = ["missing" if isinstance(value, float) else str(value).replace("_", " ") for value in column.values]
    places = np.arange(len(names))
    axes.vlines(places, column.low, column.high, color=PALE_BLUE, linewidth=4)
    axes.plot(places, column.mean, "o", color=BLUE, markersize=4)
    axes.set_xticks(places, names, rotation=90 if len(names) > 7 else 0, fontsize=7)
    axes.grid(visible=False, axis="x")
