"""Loads and checks the loan data: one quarter or several to train on, and the next quarter to test on.

The training file runs newest first, and its order is kept, since the newest loans resemble the next quarter most.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from model_artifact.number_hints import number_hint
from model_artifact.schema import FIELD_NAMES, FIELDS, TARGET, Field
from training.errors import DataRefusedError
from training.loans import sample_data
from training.loans.loan_csv import read_table
from training.loans.loan_files import read_file, read_files

DATA_VARIABLE = "PEERLOAN_DATA"
DEFAULT_PATH = Path("data/peerLoanData.zip")
# Late loans, and loans on time, that a file needs: each of five folds must get some.
MINIMUM_LOANS = 10


@dataclass(frozen=True)
class Fingerprint:
    """Identifies a data file.

    ``sha256`` is that of the CSV file, unzipped. ``gaps`` counts the missing cells of the columns that have any.
    ``files`` has the digests of several files that are one training file here; ``sha256`` is then that of the digests.
    """

    name: str
    rows: int
    late: int
    sha256: str
    gaps: Mapping[str, int]
    files: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Quarter:
    """One checked file: ``frame`` holds the ten columns (numbers as float64, categories as objects) and ``is_late``."""

    frame: pd.DataFrame
    fingerprint: Fingerprint

    @property
    def features(self) -> pd.DataFrame:
        """The ten columns, of shape (n_rows, 10)."""
        return self.frame[list(FIELD_NAMES)]

    @property
    def target(self) -> np.ndarray:
        """1 where the loan is late, else 0, of shape (n_rows,)."""
        return self.frame[TARGET].to_numpy(dtype=np.int64)


@dataclass(frozen=True)
class Quarters:
    """The two quarters; ``source`` says in one line which data they are, ``is_sample`` whether they are generated.

    ``place`` says where the files lie.
    """

    train: Quarter
    test: Quarter
    source: str
    is_sample: bool
    place: str = "generated sample data"

    @property
    def held_out(self) -> str:
        """Name the test quarter's file and its place."""
        return f"{self.test.fingerprint.name} of {self.place}"


def load(
    source: Path | Sequence[Path] | None, environ: Mapping[str, str], *, seed: int = sample_data.DEFAULT_SEED
) -> Quarters:
    """Find and read the loan data.

    Parameters
    ----------
    source : Path, sequence of Paths, or None
        A zip archive or a folder with a training and a test CSV file; or CSV files, oldest first: the last is tested
        on, all others are trained on. None: what ``PEERLOAN_DATA`` names (files are separated as in PATH), else
        ``data/peerLoanData.zip``, else generated sample data.
    environ : mapping
        The environment's variables.
    seed : int
        The seed of the sample data.

    Raises
    ------
    DataNotFoundError
        If a named path doesn't exist, or doesn't hold exactly one training file and one test file.
    DataRefusedError
        If a file can't be read, is too large or isn't a CSV file with the columns; if a column has no value at all, a
        value of the wrong type or one beyond the hard bounds; if fewer than ``MINIMUM_LOANS`` loans are late, or on
        time; or if two files are the same.
    """
    paths, named_by = _find_paths(source, environ)
    if not paths:
        return _sample(seed)
    *trained_on, test = (read_quarter(*file) for file in read_files(paths))
    for train, other in itertools.combinations([*trained_on, test], 2):
        _check_not_the_same(train, other)
    train = _join(trained_on)
    train_name, test_name = train.fingerprint.name, test.fingerprint.name
    places = ", ".join(map(str, paths))
    gaps = _describe_refused_gaps(train) + _describe_refused_gaps(test)
    described = f"{places} ({named_by}): {train_name} and {test_name}{gaps}"
    return Quarters(train, test, described, is_sample=False, place=places)


def read_loans(path: Path) -> Quarter:
    """Read and check one CSV file of loans; raises as ``load`` does."""
    return read_quarter(*read_file(path))


def check_apart(train: Quarter, test: Quarter) -> None:
    """Raise ``DataRefusedError`` if the test loans are the training loans, or half of them are among those."""
    _check_not_the_same(train, test)
    name, count = train.fingerprint.name, len(test.frame)
    seen, rows = (pd.util.hash_pandas_object(quarter.frame, index=False) for quarter in (train, test))
    shared = int(rows.isin(seen).sum())
    if shared > count / 2:
        what = f"{shared:,} of its {count:,} loans are in {name} too: a model is tested on loans that it hasn't seen."
        raise DataRefusedError(test.fingerprint.name, what)


def read_quarter(name: str, content: bytes) -> Quarter:
    """Read and check one CSV file, as ``load`` says. ``name`` is the file's, for messages and for the record."""
    table = read_table(name, content)
    columns = {field.name: _check_column(name, table[field.name], field) for field in FIELDS}
    columns[TARGET] = _check_target(name, table[TARGET])
    late = int(columns[TARGET].sum())
    gaps = {column: int(values.isna().sum()) for column, values in columns.items() if values.isna().any()}
    fingerprint = Fingerprint(name, len(table), late, hashlib.sha256(content).hexdigest(), gaps)
    return Quarter(pd.DataFrame(columns), fingerprint)


def _join(quarters: Sequence[Quarter]) -> Quarter:
    """Make one quarter of several that are oldest first: its newest loans come first, as in each of them."""
    if len(quarters) == 1:
        return quarters[0]
    fingerprints = [quarter.fingerprint for quarter in quarters]
    files = [fingerprint.sha256 for fingerprint in fingerprints]
    joined = Fingerprint(
        name=" and ".join(fingerprint.name for fingerprint in fingerprints),
        rows=sum(fingerprint.rows for fingerprint in fingerprints),
        late=sum(fingerprint.late for fingerprint in fingerprints),
        sha256=hashlib.sha256("".join(files).encode()).hexdigest(),
        gaps=dict(sum((Counter(fingerprint.gaps) for fingerprint in fingerprints), Counter())),
        files=files,
    )
    frame = pd.concat([quarter.frame for quarter in reversed(quarters)], ignore_index=True)
    return Quarter(frame, joined)


def _check_not_the_same(quarter: Quarter, other: Quarter) -> None:
    if quarter.fingerprint.sha256 == other.fingerprint.sha256:
        name = quarter.fingerprint.name
        what = f"It is the same file as {name}: each file must hold loans of its own, and the last is tested on."
        raise DataRefusedError(other.fingerprint.name, what)


def _find_paths(source: Path | Sequence[Path] | None, environ: Mapping[str, str]) -> tuple[list[Path], str]:
    """Return the paths of the data and the option or variable that named them; no path without data."""
    if source:
        return [source] if isinstance(source, Path) else list(source), "--data"
    if environ.get(DATA_VARIABLE):
        return [Path(part) for part in environ[DATA_VARIABLE].split(os.pathsep) if part], DATA_VARIABLE
    return ([DEFAULT_PATH] if DEFAULT_PATH.is_file() else []), "found here"


def _sample(seed: int) -> Quarters:
    train, test = sample_data.generate(seed)
    return Quarters(
        train=read_quarter("sample training data", train.to_csv(index=False).encode()),
        test=read_quarter("sample test data", test.to_csv(index=False).encode()),
        source=f"generated sample data, seed {seed} (name the real file with --data or {DATA_VARIABLE})",
        is_sample=True,
    )


def _describe_refused_gaps(quarter: Quarter) -> str:
    """Name the gaps that training fills although the API refuses a record that has them."""
    name, gaps = quarter.fingerprint.name, quarter.fingerprint.gaps
    counts = [f"{field.name} {gaps[field.name]:,}" for field in FIELDS if not field.nullable and field.name in gaps]
    return f"; {name} has gaps that the API would refuse, filled in training: {', '.join(counts)}" if counts else ""


def _check_column(file: str, column: pd.Series, field: Field) -> pd.Series:
    if len(column) and column.isna().all():
        raise DataRefusedError(file, "The column has no value in any row.", field.name)
    if field.type == "category":
        numbers = pd.to_numeric(column, errors="coerce").notna()
        if numbers.any():
            what = "The value is a number; the column must hold labels."
            raise DataRefusedError(file, what, field.name, _first_row(numbers))
        return column.astype(object).where(column.notna(), np.nan)
    numbers = _as_numbers(file, column, field)
    low, high = field.hard_min, field.hard_max
    assert low is not None and high is not None  # noqa: PT018
    # Both comparisons are false where a number is missing.
    if (outside := (numbers < low) | (numbers > high)).any():
        row = _first_row(outside)
        hint = number_hint(field, float(numbers.iloc[row - 1])) or "Is it in another unit?"
        what = f"The number isn't between {low:,g} and {high:,g} ({field.unit}). {hint}"
        raise DataRefusedError(file, what, field.name, row)
    if field.whole and (broken := numbers.notna() & (numbers % 1 != 0)).any():
        raise DataRefusedError(file, "The number isn't a whole number.", field.name, _first_row(broken))
    return numbers


def _check_target(file: str, column: pd.Series) -> pd.Series:
    numbers = _as_numbers(file, column, None)
    wrong = ~numbers.isin([0, 1])
    if wrong.any():
        raise DataRefusedError(file, "The value is neither 0 (on time) nor 1 (late).", TARGET, _first_row(wrong))
    for label, meaning in ((1, "late"), (0, "on time")):
        if (count := int((numbers == label).sum())) < MINIMUM_LOANS:
            what = (
                f"{count or 'No'} loan{'s are' if count > 1 else ' is'} {meaning}; at least {MINIMUM_LOANS} are needed."
            )
            raise DataRefusedError(file, what, TARGET)
    return numbers.astype(np.int64)


def _as_numbers(file: str, column: pd.Series, field: Field | None) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.astype(np.float64)
    name = str(column.name)
    numbers = pd.to_numeric(column.astype("str"), errors="coerce")
    wrong = numbers.isna() & column.notna()
    if not wrong.any():
        raise DataRefusedError(file, "The column holds no numbers.", name)
    row = _first_row(wrong)
    what = f"The value isn't a number. {number_hint(field, column.iloc[row - 1])}".rstrip()
    raise DataRefusedError(file, what, name, row)


def _first_row(mask: pd.Series) -> int:
    return int(np.flatnonzero(mask.to_numpy())[0]) + 1
