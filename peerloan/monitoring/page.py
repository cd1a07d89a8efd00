"""Renders a report of the monitor as a page, in the look of a version's report."""

from __future__ import annotations

from model_monitor.report import MonitorReport
from peerloan.monitoring import heat_map, plots, sentences, tables
from peerloan.monitoring.next_steps import next_step
from training.evidence.report.render import render_outline

_TITLES = {
    "vintages": "Outcomes by quarter and version",
    "calibration": "Calibration",
    "inputs": "Loans against the training loans",
    "scores": "Probabilities",
    "challengers": "Champion and shadow",
    "tests": "Tests",
    "words": "How to read this",
}


def render_monitor_page(report: MonitorReport) -> str:
    """Return the HTML document, which needs no other file. The same report gives the same text."""
    return render_outline(
        "page.html",
        "monitor.jinja",
        "peerloan.monitoring",
        model=f"{report.model} version {report.version}",
        kind="monitoring",
        style="monitor.css",
        evidence=report,
        heat_map=heat_map,
        plots=plots,
        sentences=sentences,
        tables=tables,
        titles=_TITLES,
        next_step=next_step(report),
    )
