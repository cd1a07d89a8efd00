"""A folder of temporary files for each environment, as ``TMPDIR``: Lambda's ``/tmp``.

The folders of one emulator lie in a folder of its own, which is locked while it lives. An emulator that was killed
leaves its folder behind; the next one on this machine finds it unlocked, and removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "lambda-environments-"
_LOCK = ".lock"


class TemporaryFolders:
    """The folders of one emulator, made when first needed; by default in the machine's folder of temporary files."""

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = Path(tempfile.gettempdir()) if parent is None else parent
        self._own: Path | None = None
        self._lock: int | None = None

    def make(self) -> Path:
        """Return a new, empty folder."""
        if self._own is None:
            self._own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
            self._lock = os.open(self._own / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._remove_abandoned()
        return Path(tempfile.mkdtemp(prefix="", dir=self._own))

    def close(self) -> None:
        """Remove them all."""
        if self._own is not None and self._lock is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            os.close(self._lock)
            self._own = self._lock = None

    def _remove_abandoned(self) -> None:
        for folder in self._parent.glob(f"{_PREFIX}*"):
            if folder == self._own:
                continue
            # A folder of another user, or one made this moment and not locked yet, is left alone.
            with contextlib.suppress(OSError):
                lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)
