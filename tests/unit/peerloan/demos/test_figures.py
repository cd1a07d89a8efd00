"""The verdict of the sample year on its figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peerloan.demos.figures import Look, in_one_line, loop_figures

LOOKS = (
    Look("2024-Q1", 1, "ok", 0.99, 0.73),
    Look("2024-Q2", 1, "recalibrate", 0.6, 0.72),
    Look("2024-Q3", 2, "refit", 1.01, 0.55),
    Look("2024-Q4", 3, "ok", 1.02, 0.69),
)
COUNTS = {"retrained": 2, "promoted": 2, "failed": 0}


def with_look(place: int, **changes: object) -> tuple[Look, ...]:
    return (*LOOKS[:place], replace(LOOKS[place], **changes), *LOOKS[place + 1 :])


def test_it_passes_if_each_change_is_found_and_repaired() -> None:
    figures = loop_figures(LOOKS, **COUNTS)
    assert figures["passed"]
    assert in_one_line(figures) == (
        "loop: quarters=4 verdicts=ok,recalibrate,refit,ok retrained=2 promoted=2 failed=0 oe_before=0.600 "
        "oe_after=1.010 auc_before=0.550 auc_after=0.690"
    )


@pytest.mark.parametrize(
    "looks",
    [
        with_look(0, verdict="not enough data"),
        with_look(1, verdict="refit"),
        with_look(1, over_expected=0.8),
        with_look(2, over_expected=0.8),
        with_look(2, over_expected=None),
        with_look(2, auc=0.65),
        with_look(3, auc=0.6),
        LOOKS[:3],
        (),
    ],
)
def test_it_fails_if_a_verdict_or_a_figure_is_not_as_promised(looks: tuple[Look, ...]) -> None:
    figures = loop_figures(looks, **COUNTS)
    assert not figures["passed"]
    assert in_one_line(figures).startswith(f"loop: quarters={len(looks)} ")


@pytest.mark.parametrize("changes", [{"retrained": 1}, {"promoted": 1}, {"failed": 1}])
def test_it_fails_on_rollouts_and_requests(changes: dict[str, int]) -> None:
    assert not loop_figures(LOOKS, **{**COUNTS, **changes})["passed"]


def test_a_look_reads_the_figures_of_its_version_and_vintage() -> None:
    def row(vintage: str, version: int, value: float) -> dict[str, object]:
        figure = {"value": value, "low": None, "high": None}
        return {"vintage": vintage, "version": version, "observed_over_expected": figure, "auc": figure}

    report = {
        "version": 2,
        "verdict": {"kind": "ok", "reason": "…"},
        "vintages": [row("2024-Q1", 2, 0.1), row("2024-Q2", 1, 0.2), row("2024-Q2", 2, 0.3)],
    }
    assert Look.of(report, "2024-Q2") == Look("2024-Q2", 2, "ok", 0.3, 0.3)
    assert Look.of(report, "2024-Q4") == Look("2024-Q4", 2, "ok", None, None)
