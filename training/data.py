"""Finding, reading and checking the loan data: two quarters, one to train on and the next one to test on.

The training file runs newest first, and its order is kept: the newest loans tell best what the next quarter will be.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, FIELDS, TARGET, Field
from training import sample_data
from training.errors import DataNotFoundError, DataRefusedError

DATA_VARIABLE = "PEERLOAN_DATA"
DEFAULT_PATH = Path("data/peerLoanData.zip")
# Of each kind in each file. Fewer do not reach into each of five folds, and say nothing of a next quarter.
MINIMUM_LOANS = 10


@dataclass(frozen=True)
class Fingerprint:
    """What tells one data file from another.

    ``sha256`` is that of the CSV file, unzipped. ``gaps`` counts the empty cells of the columns that have any.
    """

    name: str
    rows: int
    late: int
    sha256: str
    gaps: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return it as it is kept in a training record."""
        return asdict(self)


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
    """The two quarters, and one line that says which data they are."""

    train: Quarter
    test: Quarter
    source: str
    is_sample: bool


def load(
    source: Path | Sequence[Path] | None, environ: Mapping[str, str], *, seed: int = sample_data.DEFAULT_SEED
) -> Quarters:
    """Find and read the loan data.

    Parameters
    ----------
    source : Path, sequence of two Paths, or None
        A zip archive or a folder with a training and a test CSV file, or these two files. None: what ``PEERLOAN_DATA``
        names (two files are separated as in PATH), else ``data/peerLoanData.zip``, else generated sample data.
    environ : mapping
        The environment's variables.
    seed : int
        Of the sample data.

    Raises
    ------
    DataNotFoundError
        If there is nothing where the data were said to be, or not exactly one training and one test file.
    DataRefusedError
        If a file lacks a column or any value of it, has a value of the wrong type or beyond the hard bounds, or fewer
        than ``MINIMUM_LOANS`` loans that are late or on time; or if both files are the same.
    """
    paths = [source] if isinstance(source, Path) else list(source or ())
    said_by = "--data"
    if not paths and environ.get(DATA_VARIABLE):
        paths = [Path(part) for part in environ[DATA_VARIABLE].split(os.pathsep) if part]
        said_by = DATA_VARIABLE
    if not paths and DEFAULT_PATH.is_file():
        paths = [DEFAULT_PATH]
        said_by = "found here"
    if not paths:
        return _sample(seed)
    train, test = (read_quarter(*file) for file in _find_files(paths))
    if train.fingerprint.sha256 == test.fingerprint.sha256:
        what = (
            f"It is the same file as {train.fingerprint.name}: a model is tested on loans that it was not trained on."
        )
        raise DataRefusedError(test.fingerprint.name, what)
    names = f"{train.fingerprint.name} and {test.fingerprint.name}"
    said = f"{', '.join(map(str, paths))} ({said_by}): {names}{_odd_gaps(train)}{_odd_gaps(test)}"
    return Quarters(train, test, said, is_sample=False)


def read_quarter(name: str, content: bytes) -> Quarter:
    """Read and check one CSV file.

    Parameters
    ----------
    name : str
        The file's name, for messages and for the record.
    content : bytes
        The CSV text, UTF-8, with a header.

    Raises
    ------
    DataRefusedError
        As ``load`` says.
    """
    try:
        # Strings as strings also where a column is empty: read_csv alone would make it a column of floats.
        frame = pd.read_csv(io.BytesIO(content), dtype=dict.fromkeys(CATEGORY_NAMES, "str"))
    except (ValueError, UnicodeDecodeError) as error:
        raise DataRefusedError(name, f"This is no CSV file ({error}).") from error
    missing = [column for column in (*FIELD_NAMES, TARGET) if column not in frame.columns]
    if missing:
        raise DataRefusedError(name, f"The column is missing; there are {', '.join(frame.columns)}.", missing[0])
    columns = {field.name: _checked_column(name, frame[field.name], field) for field in FIELDS}
    columns[TARGET] = _checked_target(name, frame[TARGET])
    late = int(columns[TARGET].sum())
    gaps = {column: int(values.isna().sum()) for column, values in columns.items() if values.isna().any()}
    fingerprint = Fingerprint(name, len(frame), late, hashlib.sha256(content).hexdigest(), gaps)
    return Quarter(pd.DataFrame(columns), fingerprint)


def _sample(seed: int) -> Quarters:
    train, test = sample_data.generate(seed)
    return Quarters(
        train=read_quarter("sample training data", train.to_csv(index=False).encode()),
        test=read_quarter("sample test data", test.to_csv(index=False).encode()),
        source=f"generated sample data, seed {seed} (name the real file with --data or {DATA_VARIABLE})",
        is_sample=True,
    )


def _odd_gaps(quarter: Quarter) -> str:
    """Say which gaps the pipeline fills in training although the API refuses a record that has them."""
    name, gaps = quarter.fingerprint.name, quarter.fingerprint.gaps
    counts = [f"{field.name} {gaps[field.name]:,}" for field in FIELDS if not field.nullable and field.name in gaps]
    return f"; {name} has gaps that the API would refuse, filled in training: {', '.join(counts)}" if counts else ""


def _checked_column(file: str, column: pd.Series, field: Field) -> pd.Series:
    if len(column) and column.isna().all():
        raise DataRefusedError(file, "The column has no value in any row.", field.name)
    if field.type == "category":
        numbers = pd.to_numeric(column, errors="coerce").notna()
        if numbers.any():
            raise DataRefusedError(file, "There is a number where a label belongs.", field.name, _first(numbers))
        return column.astype(object).where(column.notna(), np.nan)
    numbers = _as_numbers(file, column)
    low, high = field.hard_min, field.hard_max
    outside = (numbers < low) | (numbers > high) if low is not None and high is not None else numbers.isin([])
    if outside.any():
        what = f"The number is not between {low:,g} and {high:,g} ({field.unit}): is it in another unit?"
        raise DataRefusedError(file, what, field.name, _first(outside))
    if field.whole and (broken := numbers.notna() & (numbers % 1 != 0)).any():
        raise DataRefusedError(file, "The number is not a whole one.", field.name, _first(broken))
    return numbers


def _checked_target(file: str, column: pd.Series) -> pd.Series:
    numbers = _as_numbers(file, column)
    wrong = ~numbers.isin([0, 1])
    if wrong.any():
        raise DataRefusedError(file, "The value is neither 0 (on time) nor 1 (late).", TARGET, _first(wrong))
    for label, meaning in ((1, "late"), (0, "on time")):
        if (count := int((numbers == label).sum())) < MINIMUM_LOANS:
            what = (
                f"{count or 'No'} loan{'s are' if count > 1 else ' is'} {meaning}; at least {MINIMUM_LOANS} are needed."
            )
            raise DataRefusedError(file, what, TARGET)
    return numbers.astype(np.int64)


def _as_numbers(file: str, column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.astype(np.float64)
    name = str(column.name)
    numbers = pd.to_numeric(column.astype("str"), errors="coerce")
    wrong = numbers.isna() & column.notna()
    raise DataRefusedError(file, "The value is not a number.", name, _first(wrong) if wrong.any() else None)


def _first(mask: pd.Series) -> int:
    return int(np.flatnonzero(mask.to_numpy())[0]) + 1


def _find_files(paths: Sequence[Path]) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    for path in paths:
        if not path.exists():
            raise DataNotFoundError(f"There is no {path}. Name a zip archive, a folder, or two CSV files.")
    if len(paths) == 2 and all(path.is_file() for path in paths):
        train, test = ((path.name, path.read_bytes()) for path in paths)
        return train, test
    if len(paths) != 1:
        raise DataNotFoundError("Name one zip archive, one folder, or two CSV files: training data, then test data.")
    files = _csv_files(paths[0])
    return _only(paths[0], files, "train"), _only(paths[0], files, "test")


def _csv_files(path: Path) -> dict[str, bytes]:
    if path.is_dir():
        return {file.name: file.read_bytes() for file in sorted(path.glob("*.csv"))}
    if not zipfile.is_zipfile(path):
        raise DataNotFoundError(f"{path} is no zip archive and no folder. For CSV files name two: training, then test.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.namelist() if member.lower().endswith(".csv")]
            return {PurePosixPath(m).name: archive.read(m) for m in members if not m.startswith("__MACOSX/")}
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
        # RuntimeError: a password is wanted, or a compression that is not known here.
        raise DataRefusedError(path.name, f"The archive can't be unpacked ({error}). Fetch it again.") from error


def _only(path: Path, files: Mapping[str, bytes], role: str) -> tuple[str, bytes]:
    found = [name for name in files if role in name.lower()]
    if len(found) != 1:
        there = ", ".join(files) or "no CSV file at all"
        raise DataNotFoundError(f"{path} should hold one CSV file with {role!r} in its name; there is {there}.")
    return found[0], files[found[0]]
