"""Scores the same loans by two published versions, and samples those whose decision flips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from model_artifact.loading import LoadedModel, load_version
from peerloan.comparing.findings import Findings
from peerloan.comparing.paired_scores import Floats, PairedScores, ScoredVersion
from peerloan.comparing.reason_changes import LoanSample, reason_changes
from peerloan.errors import UsageError
from peerloan.scoring.loan_tables import LoanTable, read_loan_tables, table_of_quarter
from peerloan.workplace import Workplace

# A mean of fewer differences says nothing.
LEAST_LOANS = 2

_T = TypeVar("_T")
_Pair = tuple[_T, _T]


def compare_versions(
    workplace: Workplace, main: int, candidate: int, records: Path | None = None, *, has_reasons: bool = True
) -> Findings:
    """Score loans by both versions.

    Parameters
    ----------
    workplace : Workplace
        Knows the bucket and the publishers.
    main, candidate : int
        The version in charge, and the one that may replace it.
    records : Path, optional
        A CSV or Parquet file; by default the held-out loans that ``peerloan report`` takes.
    has_reasons : bool
        Whether to explain the loans that flip.

    Raises
    ------
    UsageError
        If both versions are one, the file can't be used, or it has fewer than two valid loans.
    RegistryError, ArtifactError
        If a version doesn't exist or can't be loaded.
    """
    check_two(main, candidate)
    with _loaded(workplace, main) as main_model, _loaded(workplace, candidate) as candidate_model:
        models = main_model, candidate_model
        samples = LoanSample(), LoanSample()
        scores = _score(*_find_loans(workplace, models, records), models, samples)
        if not has_reasons:
            return Findings(scores)
        explain = main_model.explain, candidate_model.explain
        return Findings(scores, *(reason_changes(sample.records, *explain) for sample in samples))


def check_two(main: int, candidate: int) -> None:
    """Raise ``UsageError`` if both versions are one."""
    if main == candidate:
        raise UsageError(f"Both are version {main}. Name two versions, the one in charge first.")


def _score(
    tables: Iterable[LoanTable], source: str, models: _Pair[LoadedModel], samples: _Pair[LoanSample]
) -> PairedScores:
    """Score tables of loans by both versions; the samples are shown the loans that flip to late, and to on time."""
    parts: tuple[list[Floats], list[Floats]] = ([], [])
    outcomes: list[Floats] = []
    rejected = 0
    for table in tables:
        rejected += table.rejected
        if not len(table):
            continue
        for model, part in zip(models, parts, strict=True):
            part.append(np.asarray(model.late_probabilities_of_columns(table.columns), dtype=np.float64))
        if table.outcomes is not None:
            outcomes.append(table.outcomes)
        is_late = [part[-1] >= model.manifest.threshold.value for model, part in zip(models, parts, strict=True)]
        samples[0].add(table.columns, is_late[1] & ~is_late[0])
        samples[1].add(table.columns, is_late[0] & ~is_late[1])
    if sum(map(len, parts[0])) < LEAST_LOANS:
        raise UsageError(f"{source} has fewer than {LEAST_LOANS} valid loans ({rejected:,} rows are invalid).")
    scored = [
        ScoredVersion(model.manifest.version, model.form, model.manifest.threshold.value, np.concatenate(part))
        for model, part in zip(models, parts, strict=True)
    ]
    return PairedScores(scored[0], scored[1], source, np.concatenate(outcomes) if outcomes else None, rejected)


@contextmanager
def _loaded(workplace: Workplace, version: int) -> Iterator[LoadedModel]:
    model = load_version(workplace.reader(), version, workplace.keyring().trust())
    try:
        yield model
    finally:
        if model.pipeline is not None:
            model.pipeline.close()


def _find_loans(
    workplace: Workplace, models: _Pair[LoadedModel], records: Path | None
) -> tuple[Iterable[LoanTable], str]:
    if records is not None:
        return read_loan_tables(records), records.name
    # Imported here: it brings pandas, which a CSV file may not need.
    from training.data import load

    quarters = load(None, workplace.environ)
    on_real = [model.manifest.version for model in models if model.manifest.data.get("is_sample") is False]
    if quarters.is_sample and on_real:
        raise UsageError(
            f"Version {on_real[0]} was trained on real loans, and without any here generated ones would be scored. "
            "Name real ones with --records FILE or PEERLOAN_DATA."
        )
    return [table_of_quarter(quarters.test)], quarters.held_out
