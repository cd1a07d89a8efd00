"""The comparison's plots: both distributions, the differences by loan, the swap set, and both calibrations."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, NullFormatter

from model_watch.intervals import over_expected, wilson
from peerloan.comparing.findings import Findings
from peerloan.comparing.paired_scores import Flags, Floats
from training.evidence.bins import ScoreBins
from training.evidence.report.drawing import BLUE, FAINT, INK, RED, dots, in_percent, plot

_DASHED: dict[str, Any] = {"color": FAINT, "linewidth": 1, "linestyle": "--"}
# A forest gives 0 and 1, which a logarithmic axis can't show.
_LEAST = 1e-4
# More points than these would only make the page large.
_SHOWN_LOANS = 2000


@plot("Distribution of both versions' probabilities; dotted: their thresholds", height=2.6)
def scores(findings: Findings, axes: Axes) -> None:
    """Draw the distributions of both versions' probabilities."""
    versions = (findings.scores.main, findings.scores.candidate)
    shown = [np.clip(version.probabilities, _LEAST, 1) for version in versions]
    low, high = min(float(side.min()) for side in shown), max(float(side.max()) for side in shown)
    edges = np.geomspace(low * 0.999, high * 1.001, 46).tolist()
    for version, side, color in zip(versions, shown, (FAINT, BLUE), strict=True):
        weights = np.full(len(side), 1 / len(side))
        axes.hist(side, edges, weights=weights, histtype="stepfilled", color=color, alpha=0.2, edgecolor="none")
        axes.hist(side, edges, weights=weights, histtype="step", color=color, label=f"version {version.version}")
        axes.axvline(max(version.threshold, _LEAST), color=color, linewidth=1.2, linestyle=":")
    axes.set_xscale("log")
    _in_percent(axes.xaxis)
    axes.set(title="Probabilities of being late", xlabel="Probability", ylabel="Share of the loans")
    in_percent(axes, y=True, decimals=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)


@plot("Differences of the probabilities, loan by loan; dashed: none, line: their mean", height=2.4)
def differences(findings: Findings, axes: Axes) -> None:
    """Draw the distribution of the differences, from their 0.5 % to their 99.5 % quantile."""
    values = findings.scores.differences
    low, high = np.quantile(values, (0.005, 0.995))
    room = max(float(high - low) * 0.05, 1e-6)
    edges = np.linspace(low - room, high + room, 61).tolist()
    axes.hist(values, edges, weights=np.full(len(values), 1 / len(values)), color=BLUE, alpha=0.35, edgecolor="none")
    axes.axvline(0, **_DASHED)
    axes.axvline(findings.window.mean_difference, color=BLUE, linewidth=1.4)
    axes.set(title="Candidate minus main", xlabel="Difference by loan, percentage points", ylabel="Share of the loans")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g}"))
    in_percent(axes, y=True, decimals=0)


@plot(
    "Each loan's two probabilities; dotted: thresholds; red: late by the candidate alone; blue: by the main version",
    height=4.2,
)
def swap_set(findings: Findings, axes: Axes) -> None:
    """Draw the candidate's probability over the main version's, loan by loan; those that flip in colour."""
    pairs = findings.scores
    main, candidate = pairs.main, pairs.candidate
    stays = ~(pairs.to_late | pairs.to_on_time)
    kinds = (
        (stays, "#c5ced6", "same decision"),
        (pairs.to_late, RED, f"only version {candidate.version} says late"),
        (pairs.to_on_time, BLUE, f"only version {main.version} says late"),
    )
    for flags, color, name in kinds:
        x, y = _thinned(main.probabilities, flags), _thinned(candidate.probabilities, flags)
        axes.scatter(x, y, 7, color, alpha=0.7, linewidths=0, label=f"{name} ({int(flags.sum()):,})")
    axes.axvline(max(main.threshold, _LEAST), color=INK, linewidth=1, linestyle=":")
    axes.axhline(max(candidate.threshold, _LEAST), color=INK, linewidth=1, linestyle=":")
    axes.set(xscale="log", yscale="log")
    _in_percent(axes.xaxis, axes.yaxis)
    axes.set(xlabel=f"Probability by version {main.version}", ylabel=f"Probability by version {candidate.version}")
    axes.set_title("Who crosses the threshold")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0, markerscale=2)


@plot("Late rate against mean probability by tenths, of both versions, with 95% intervals; dashed: perfect", 1, 2)
def calibration(findings: Findings, curve: Axes, ratio: Axes) -> None:
    """Draw both versions' observed late rates against the expected ones, and late over expected loans."""
    assert findings.outcomes is not None
    sides = (
        (findings.outcomes.main_bins, FAINT, findings.scores.main.version),
        (findings.outcomes.candidate_bins, BLUE, findings.scores.candidate.version),
    )
    top = max(_draw_rates(curve, bins, color, version) for bins, color, version in sides)
    curve.plot([0, top], [0, top], **_DASHED)
    curve.set(title="Calibration", xlabel="Mean probability of a bin", ylabel="Late rate", xlim=0, ylim=0)
    in_percent(curve, x=True, y=True)
    curve.legend(loc="upper left")
    ratio.axhline(1, **_DASHED)
    for place, (bins, color, _) in enumerate(sides):
        ratios = [over_expected(late, total) for late, total in zip(bins.late, bins.expected, strict=True)]
        dots(ratio, np.arange(1, len(ratios) + 1) + (place - 0.5) * 0.25, ratios, color)
    ratio.set(title="Observed over expected", xlabel="Bin of each version, highest last", ylim=(0, 4))


def _draw_rates(axes: Axes, bins: ScoreBins, color: str, version: int) -> float:
    """Draw a version's late rates; return the largest number among them."""
    expected = bins.expected / bins.loans
    observed = [wilson(late, loans) for late, loans in zip(bins.late, bins.loans, strict=True)]
    dots(axes, expected, observed, color)
    axes.plot([], [], "o", color=color, markersize=4, label=f"version {version}")
    return max(float(expected.max()), *(rate.high for rate in observed))


def _thinned(values: Floats, flags: Flags) -> Floats:
    """Return some of the chosen values, evenly over all of them."""
    chosen = np.clip(values[flags], _LEAST, 1)
    return np.asarray(chosen[:: len(chosen) // _SHOWN_LOANS + 1])


def _in_percent(*axes: Axis) -> None:
    """Label logarithmic axes in percent."""
    for axis in axes:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g}%"))
        axis.set_minor_formatter(NullFormatter())
