"""Loans as CSV files, right and broken ones, a model that scores them, and one run over a file."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from batch_scoring.row_rules import Columns
from batch_scoring.scores import Scores
from fitted_pipelines import LABELS, form, records
from model_artifact.schema import FIELD_NAMES, NUMERIC_NAMES
from model_artifact.serving_form.scorers.record_scorer import Scorer, make_scorer
from peerloan.scoring import score_csv
from peerloan.scoring.targets import Outcome, Targets

SCORER: Scorer = make_scorer(form("boosting-small"))


@dataclass
class Model:
    """Scores as a version does, in one part. If it ``warns``, then of rents, and of loans above 20,000."""

    version: int
    warns: bool = False
    step_bytes: int = 1 << 16

    @property
    def identity(self) -> str:
        return f"model {self.version}"

    def score(self, columns: Columns) -> Iterator[Scores]:
        probabilities = SCORER.late_probabilities_of_columns(columns)
        warned_rows = {
            ("home_ownership", "unseen_category"): [
                row for row, label in enumerate(columns["home_ownership"]) if label == "RENT"
            ],
            ("loan_amnt", "out_of_training_range"): (columns["loan_amnt"] > 20_000).nonzero()[0].tolist(),
        }
        is_late = (probabilities >= 0.3).tolist()
        yield Scores(probabilities.tolist(), is_late, self.version, warned_rows if self.warns else {})


MODEL = Model(3)
WARNING_MODEL = Model(3, warns=True)


@dataclass
class Scored:
    """A scored file: both outputs, and the run's outcome."""

    text: str
    rejects: list[dict[str, str]]
    outcome: Outcome

    @property
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.text, newline="")))


def run(source: bytes, model: Model = MODEL, *, has_warnings: bool = False, **sizes: int) -> Scored:
    with tempfile.TemporaryDirectory() as name:
        return run_in(Path(name), source, model, has_warnings=has_warnings, **sizes)


def run_in(folder: Path, source: bytes, model: Model = MODEL, *, has_warnings: bool = False, **sizes: int) -> Scored:
    path = folder / "loans.csv"
    path.write_bytes(source)
    targets = Targets(folder / "out.csv", folder / "rejects.csv", has_warnings)
    outcome = score_csv.score_csv(path, targets, model, **sizes)
    there = {file.name for file in folder.iterdir()}
    assert there == {"loans.csv", "out.csv"} | ({"rejects.csv"} if outcome.rejected else set())
    rejects = list(csv.DictReader(targets.rejects.read_text().splitlines())) if outcome.rejected else []
    return Scored(targets.scored.read_bytes().decode("utf-8"), rejects, outcome)


def as_csv(rows: list[dict[str, Any]], names: tuple[str, ...] = FIELD_NAMES, **options: Any) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore", **options)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


LOANS: list[dict[str, Any]] = [dict(record) for record in records()[:300]]

NUMBERS = st.one_of(
    st.floats(0, 100).map(repr),
    st.floats(allow_nan=True).map(repr),
    st.integers(-5, 10**7).map(str),
    st.text("0123456789+-.eE", max_size=8),
    st.text("0123456789.-_ \txXnaNifINFT", max_size=6),
    st.sampled_from(["", "nan", "NA", "NaN", "inf", "1e400", "1e-400", "4.9e-324", "0.1", "00012", "1e05", "1.e3"]),
)

TEXTS = st.one_of(
    st.sampled_from([label for labels in LABELS.values() for label in labels]),
    st.sampled_from(["", "NA", "nan", "refinance", "é", "x" * 100, "x" * 101, " B", "a b"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """CSV files, each row right but for a few cells, some lines broken."""
    names = draw(st.permutations([*FIELD_NAMES, "loan_id", "note"]))
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        row = {**draw(st.sampled_from(LOANS)), "loan_id": draw(st.sampled_from(["", "L", "x" * 129])), "note": "n"}
        for name in draw(st.lists(st.sampled_from(names), max_size=2)):
            row[name] = draw(NUMBERS if name in NUMERIC_NAMES else TEXTS)
        rows.append(row)
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    source = as_csv(rows, tuple(names), quoting=quoting)
    if draw(st.booleans()):
        source = source.replace(b"\n", b"\r\n")
    for _ in range(draw(st.integers(0, 2)) if draw(st.booleans()) else 0):
        place = draw(st.integers(source.index(b"\n") + 1, len(source)))
        source = source[:place] + draw(st.sampled_from([b"\n", b",", b'"', b"\r", b"\xff", b"\0"])) + source[place:]
    return source[:-1] if draw(st.booleans()) else source
