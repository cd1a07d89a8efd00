"""Opens Parquet files. Only this module imports pyarrow, an optional dependency."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peerloan.errors import CommandError, UsageError


def open_parquet(pyarrow: Any, parquet: Any, source: Path) -> Any:
    """Open a file; raise ``UsageError`` if it isn't Parquet."""
    try:
        return parquet.ParquetFile(source)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UsageError(f"{source} isn't a Parquet file: {error}") from error


def read_batches(pyarrow: Any, file: Any, source: Path, rows: int) -> Iterator[Any]:
    """Yield the batches of a file; raise ``CommandError`` where it is damaged."""
    try:
        yield from file.iter_batches(batch_size=rows)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise CommandError(f"{source} can't be read: {str(error).rstrip('.')}. Copy the file again.") from error


def import_pyarrow() -> tuple[Any, Any]:
    """Return pyarrow and its module for Parquet; raise ``UsageError`` if it isn't installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow, which isn't installed here: python -m pip install pyarrow. CSV needs nothing more."
        ) from None
    return pyarrow, pyarrow.parquet
