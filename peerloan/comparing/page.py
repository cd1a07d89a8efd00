"""Renders the comparison of two versions as a page, in the look of a version's report."""

from __future__ import annotations

from peerloan.comparing import plots, tables
from peerloan.comparing.findings import Findings
from training.evidence.report.render import render_outline


def render_comparison(findings: Findings) -> str:
    """Return the HTML document, which needs no other file. The same findings give the same text."""
    titles = {"scores": "Scores", "swap_set": "Decisions that flip", "outcomes": "Outcomes"}
    if findings.outcomes is None:
        del titles["outcomes"]
    return render_outline(
        "page.html",
        "comparison.jinja",
        "peerloan.comparing",
        model=tables.title(findings),
        kind="comparison",
        description=tables.loans_line(findings),
        evidence=findings,
        plots=plots,
        tables=tables,
        titles=titles,
    )
