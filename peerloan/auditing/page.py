"""Words an audit for people, in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from model_monitor.report import Figure, VintageFigures
from model_registry.alias import Alias
from peerloan.auditing.records import AuditRecords

_INTRODUCTION = """\
This folder says which versions of the model answered requests in the period, who put them there and why, what the
monitor said of them, and what became of the loans. Days and times are of UTC. `index.json` has the SHA-256 of each
file.
"""


def render_page(records: AuditRecords, lacking: Mapping[str, str]) -> str:
    """Return the audit in words and tables; ``lacking`` says why a file is missing, by its path."""
    parts = [
        f"# Audit of {records.model}, alias {records.alias}, {records.period}\n",
        _INTRODUCTION,
        _section("Versions that served", _versions(records), "No version served: the alias wasn't set yet."),
        _section("Moves of the alias", _moves(records), "The alias wasn't moved."),
        _section("Rollouts", _rollouts(records), "There was no rollout."),
        _section("What the monitor said", _reports(records), "The monitor made no report."),
        _section("Retrainings", _retrainings(records), "Nothing was retrained."),
        _section(*_vintages(records), "The monitor made no report, so no figures are known."),
    ]
    if lacking:
        parts.append(_section("What is missing", _table(("file", "why"), sorted(lacking.items())), ""))
    return "\n".join(parts)


def _versions(records: AuditRecords) -> str:
    rows = [
        (version, _minute(begin), _minute(end), f"{share:.0%}")
        for version in records.versions
        for begin, end, share in records.served(version)
    ]
    return _table(("version", "from", "until", "share of the requests"), rows)


def _moves(records: AuditRecords) -> str:
    rows = [
        (move.revision, _minute_of(move.updated_at), move.updated_by, _pointed(move), move.reason, _evidence(move))
        for move in records.moves
    ]
    return _table(("revision", "when", "by", "points at", "why", "evidence"), rows)


def _pointed(move: Alias) -> str:
    others = [
        f"{weight:.0%} to {version}" for version, weight in move.routing_config.additional_version_weights.items()
    ]
    shadow = [] if move.shadow is None else [f"shadow {move.shadow.version}"]
    return ", ".join([f"version {move.version}", *others, *shadow])


def _evidence(move: Alias) -> str:
    return "alias-history.json" if move.evidence else ""


def _rollouts(records: AuditRecords) -> str:
    rows = [
        (
            _minute_of(rollout.began_at),
            rollout.owner,
            f"{rollout.main} to {rollout.candidate}",
            rollout.state.replace("_", " "),
            rollout.why,
            f"rollouts/{rollout.id}.json",
        )
        for rollout in records.rollouts
    ]
    return _table(("began", "by", "versions", "state", "why", "file"), rows)


def _reports(records: AuditRecords) -> str:
    rows = [
        (report.as_of, report.version, report.verdict.kind, report.verdict.reason, f"monitor/{report.as_of}.json")
        for report in records.reports
    ]
    return _table(("date", "version", "verdict", "why", "file"), rows)


def _retrainings(records: AuditRecords) -> str:
    rows = [
        (
            _minute_of(retraining.began_at),
            retraining.owner,
            retraining.main,
            retraining.request.kind,
            retraining.version or "none",
            " ".join([*(stage.told for stage in retraining.stages), *filter(None, [retraining.refused])]),
            f"retrainings/{retraining.id}.json",
        )
        for retraining in records.retrainings
    ]
    return _table(("began", "by", "of version", "kind", "new version", "what was done", "file"), rows)


def _vintages(records: AuditRecords) -> tuple[str, str]:
    """Return the section's title and its table: the figures of the last report."""
    if not records.reports:
        return "Loans by vintage", ""
    report = records.reports[-1]
    columns = ("vintage", "version", "scored", "mature", "known", "late", "expected", "late / expected", "ROC-AUC")
    return f"Loans by vintage, as of {report.as_of}", _table(columns, map(_vintage_row, report.vintages))


def _vintage_row(vintage: VintageFigures) -> Sequence[object]:
    counts = [f"{count:,}" for count in (vintage.scored, vintage.mature, vintage.known, vintage.late)]
    return (
        vintage.vintage,
        vintage.version,
        *counts,
        f"{vintage.expected_late:,.1f}",
        _figure(vintage.observed_over_expected, 2),
        _figure(vintage.auc, 3),
    )


def _figure(figure: Figure, digits: int) -> str:
    if figure.value is None:
        return "unknown"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{digits}f}"
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def _section(title: str, table: str, otherwise: str) -> str:
    return f"## {title}\n\n{table or otherwise}\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; nothing without rows."""
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    head = "| " + " | ".join(columns) + " |"
    return "\n".join([head, "|" + "---|" * len(columns), *lines])


def _cell(value: object) -> str:
    """Return a text that stays within its cell, whatever somebody has written as a reason."""
    return " ".join(str(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _minute_of(text: str) -> str:
    return _minute(datetime.fromisoformat(text))


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
