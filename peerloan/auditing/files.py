"""The files of an audit, as bytes by path: the same records give the same bytes. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Final

from model_monitor.report import Figure, MonitorReport
from model_registry import documents
from peerloan.auditing.page import render_page
from peerloan.auditing.records import AuditRecords

PAGE: Final = "audit.md"
VINTAGES: Final = "vintages.csv"
_FIGURES = ("observed_over_expected", "auc", "brier")
_COUNTS = ("scored", "records", "mature", "known", "late", "expected_late")
_SHARES = ("mean_score", "flag_rate")


def manifest_path(version: int) -> str:
    """Return the path of a version's manifest."""
    return f"versions/{version}/manifest.json"


def card_path(version: int) -> str:
    """Return the path of a version's model card."""
    return f"versions/{version}/model-card.md"


def audit_files(
    records: AuditRecords, of_versions: Mapping[str, bytes], lacking: Mapping[str, str]
) -> dict[str, bytes]:
    """Return all files but the index, by path.

    Parameters
    ----------
    records : AuditRecords
    of_versions : mapping of str to bytes
        The manifests and model cards by path.
    lacking : mapping of str to str
        Why a file isn't among them, by its path.
    """
    files = dict(of_versions)
    history = [move.to_document() for move in records.moves]
    files["alias-history.json"] = documents.dump_object({"alias": records.alias, "revisions": history})
    for rollout in records.rollouts:
        files[f"rollouts/{rollout.id}.json"] = rollout.to_json()
    for report in records.reports:
        files[f"monitor/{report.as_of}.json"] = report.to_json()
    for retraining in records.retrainings:
        files[f"retrainings/{retraining.id}.json"] = documents.dump_object(retraining.to_document())
    if records.reports:
        files[VINTAGES] = _vintages(records.reports[-1])
    files[PAGE] = render_page(records, lacking).encode()
    return files


def _vintages(report: MonitorReport) -> bytes:
    """Return the figures by vintage of a report as CSV; a figure that can't be computed is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    ends = [f"{name}_{end}" for name in _FIGURES for end in ("low", "high")]
    writer.writerow(["as_of", "vintage", "version", *_COUNTS, *_FIGURES, *ends, *_SHARES])
    for vintage in report.vintages:
        figures: list[Figure] = [getattr(vintage, name) for name in _FIGURES]
        row = [report.as_of, vintage.vintage, vintage.version, *(getattr(vintage, name) for name in _COUNTS)]
        row += [figure.value for figure in figures]
        row += [end for figure in figures for end in (figure.low, figure.high)]
        writer.writerow(["" if cell is None else cell for cell in (*row, *(getattr(vintage, n) for n in _SHARES))])
    return text.getvalue().encode()
