"""The comparison's page: it needs no other file, is the same each time, and can draw any scores."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from peerloan.comparing.findings import Findings
from peerloan.comparing.page import render_comparison
from peerloan.comparing.paired_scores import PairedScores, ScoredVersion
from peerloan.comparing.reason_changes import ReasonChange, ReasonChanges

RANDOM = np.random.default_rng(0)
MAIN = RANDOM.beta(1, 40, 3000)
OUTCOMES = (RANDOM.random(3000) < MAIN).astype(np.float64)
SCORES = PairedScores(
    ScoredVersion(2, "arrays", 0.05, MAIN),
    ScoredVersion(3, "arrays", 0.06, np.clip(MAIN * 1.1, 0, 1)),
    "loans <of> May.csv",
    OUTCOMES,
    rejected=7,
)
CHANGES = ReasonChanges(4, (ReasonChange("DTI_HIGH", 1, 3, 0.02),))


def page_of(scores: PairedScores, changes: ReasonChanges | None = CHANGES) -> str:
    return render_comparison(Findings(scores, changes))


def test_the_page_has_its_sections_and_needs_no_other_file() -> None:
    page = page_of(SCORES)
    assert page.startswith("<!doctype html>")
    assert "<title>Version 3 beside version 2: comparison</title>" in page
    for name in ("scores", "swap_set", "outcomes"):
        assert f'<section id="{name}">' in page
    assert "3,000 loans of loans &lt;of&gt; May.csv; 7 rows that the API would refuse were left out" in page
    assert "where only version 3 says late" in page
    assert "where only version 2 says late" not in page
    assert page.count("data:image/svg+xml") == 4
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert page_of(SCORES) == page


def test_without_outcomes_there_is_no_section_of_outcomes() -> None:
    page = page_of(replace(SCORES, outcomes=None), None)
    assert "outcomes" not in re.findall('<section id="([a-z_]+)">', page)
    assert page.count("data:image/svg+xml") == 3


@pytest.mark.parametrize(
    ("main", "candidate"),
    [([0.0, 0.0], [0.0, 0.0]), ([1.0, 1.0], [1.0, 1.0]), ([0.0, 1.0], [1.0, 0.0]), ([0.3, 0.3], [0.3, 0.3])],
)
def test_scores_that_have_no_spread_can_be_drawn(main: list[float], candidate: list[float]) -> None:
    scores = PairedScores(
        ScoredVersion(1, "arrays", 0.0, np.array(main)), ScoredVersion(2, "arrays", 1.0, np.array(candidate)), "loans"
    )
    assert page_of(scores).count("data:image/svg+xml") == 3
