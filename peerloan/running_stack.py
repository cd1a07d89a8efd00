"""What a running local stack says of itself: the lock of its folder, and running.json with its addresses."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import IO, Any

from emulator.durable_files import lock_folder

_LOCK_NAME = "running.lock"


def running_file(state_dir: Path) -> Path:
    """Return the file that says where a running local stack listens."""
    return state_dir / "running.json"


def read_running(state_dir: Path) -> dict[str, Any]:
    """Return the addresses of the running local stack; empty if no stack runs or running.json can't be read.

    A stack that was killed leaves running.json behind, but not its lock: the system releases that when a process ends.
    """
    try:
        document = json.loads(running_file(state_dir).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) and is_locked(state_dir) else {}


def try_lock(state_dir: Path) -> IO[bytes] | None:
    """Lock a stack's folder until the returned file is closed or the process ends. None if another stack runs."""
    return lock_folder(state_dir, _LOCK_NAME)


def is_locked(state_dir: Path) -> bool:
    """Return whether a stack of this folder runs."""
    try:
        with (state_dir / _LOCK_NAME).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
