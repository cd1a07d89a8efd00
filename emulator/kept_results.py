"""Keeps results that take long to compute in files, by a hash of what they are computed from.

A result that can't be read, written or trusted costs time and nothing else: it is computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MOST_FILES = 50


class KeptResults:
    """JSON documents in a folder, the newest fifty.

    Parameters
    ----------
    folder : Path, optional
        Made at the first result. Without one, nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, source: object, compute: Callable[[], Any]) -> Any:
        """Return what ``compute`` returned for the same source before, or what it returns now.

        Parameters
        ----------
        source : object
            All that the result depends on, the version of what computes it included: plain values whose ``repr`` says
            all of them.
        compute : callable
            Returns the result. What it raises isn't kept, nor is a result that JSON would change.
        """
        if self._folder is None:
            return compute()
        # Of the source before `compute`, which may change it.
        path = self._folder / f"{hashlib.sha256(repr(source).encode()).hexdigest()}.json"
        with contextlib.suppress(OSError, ValueError, RecursionError):
            digest, _, document = path.read_bytes().partition(b"\n")
            if _digest(document) == digest:
                return json.loads(document)
        result = compute()
        with contextlib.suppress(OSError, TypeError, ValueError, RecursionError):
            document = json.dumps(result).encode()
            if json.loads(document) == result:
                _write(path, _digest(document) + b"\n" + document)
        return result


NOTHING_KEPT = KeptResults(None)


def environment_folder() -> Path | None:
    """Return where this Python's virtual environment keeps results; None without one."""
    return Path(sys.prefix) / "var" / "cache" / "emulator" if sys.prefix != sys.base_prefix else None


def _digest(document: bytes) -> bytes:
    return hashlib.sha256(document).hexdigest().encode()


def _write(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read, whole or not at all; remove the oldest beyond fifty."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    files = sorted(path.parent.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for old in files[:-_MOST_FILES]:
        old.unlink(missing_ok=True)
