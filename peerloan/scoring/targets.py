"""The outputs of scoring a file: their names during the run and after it, and the run's outcome."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from batch_scoring.results import result_columns
from peerloan.errors import CommandError, UsageError
from peerloan.files import sync_folder

_CSV = ".csv"
_PARQUET = (".parquet", ".pq")


def is_csv(source: Path) -> bool:
    """Return whether a file of loans is CSV, by its name; Parquet otherwise. Another name raises ``UsageError``."""
    suffix = source.suffix.lower()
    if suffix not in (_CSV, *_PARQUET):
        raise UsageError(f"{source} must end in .csv or .parquet.")
    return suffix == _CSV


@dataclass(frozen=True)
class Targets:
    """The two outputs: the scored rows, and the reasons why the others aren't scored.

    ``has_warnings`` says whether the scored rows get a column with their warnings.
    """

    scored: Path
    rejects: Path
    has_warnings: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that scoring adds."""
        return result_columns(has_warnings=self.has_warnings)

    @property
    def journal(self) -> Path:
        """The file that keeps a run's progress."""
        return self.scored.with_name(self.scored.name + ".journal")

    def part(self, path: Path) -> Path:
        """Return the name that an output has until it is complete."""
        return path.with_name(path.name + ".part")


@contextmanager
def locked(targets: Targets) -> Iterator[None]:
    """Keep the outputs for this run; raise ``CommandError`` while another run writes them."""
    path = targets.scored.with_name(targets.scored.name + ".lock")
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The run before removes this file when it ends: the lock may be on a file that isn't there any more.
            is_free = path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno()))
        except BlockingIOError:
            is_free = False
        if not is_free:
            raise CommandError(f"Another run writes {targets.scored}. Wait for its end, or give another --out.")
        try:
            yield
        finally:
            path.unlink()


def check_unchanged(source: Path, before: os.stat_result) -> None:
    """Raise ``CommandError`` if a file isn't what it was ``before``: the rows that were read may be of two contents."""
    try:
        after = source.stat()
        is_same = all(getattr(before, name) == getattr(after, name) for name in ("st_ino", "st_size", "st_mtime_ns"))
    except FileNotFoundError:
        is_same = False
    if not is_same:
        raise CommandError(f"{source} was changed or removed while it was scored. Run the command again.")


@dataclass(frozen=True)
class Outcome:
    """The result of a run: the whole file's scored and rejected rows, and the byte of the input at which it resumed.

    ``warned`` rows have a value that the version wasn't trained on; ``warnings`` counts them by warning, such as
    ``purpose:unseen_category``.
    """

    rows: int
    rejected: int
    resumed_at: int
    warned: int = 0
    warnings: Mapping[str, int] = field(default_factory=dict)


def put_in_place(targets: Targets, *, rejected: int) -> None:
    """Give the complete outputs their names. After an interruption, calling it again does the rest.

    A rejects file exists only if a row was rejected; one of an earlier run is removed.
    """
    part = targets.part(targets.rejects)
    if rejected and part.exists():
        part.replace(targets.rejects)
    elif not rejected:
        part.unlink(missing_ok=True)
        targets.rejects.unlink(missing_ok=True)
    if targets.part(targets.scored).exists():
        targets.part(targets.scored).replace(targets.scored)
    sync_folder(targets.scored.parent)
    targets.journal.unlink(missing_ok=True)
