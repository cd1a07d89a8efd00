"""A process and all that it has started, in whatever session: found, and ended. Linux; elsewhere the group alone.

Lambda ends a sandbox with everything in it. Here each environment's first process is the *subreaper* of what it
starts: a child whose parent ends becomes a child of the environment and not of the system, so that nothing leaves
the tree while the environment lives. When the environment itself ends, what it leaves behind becomes the emulator's.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def descendants(pid: int, spare: Collection[int] = ()) -> list[int]:
    """Return the processes below one, nearest first, but for some and what is below them.

    None where the system does not say.
    """
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for one in level for child in _children(one) if child not in spare]
        found += level
    return found


def kill_group(pid: int) -> None:
    """Send SIGKILL to a process group; one that is gone is fine."""
    if pid <= 1:  # Group 0 would be the emulator's own.
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_tree(pid: int, spare: Collection[int] = ()) -> None:
    """Send SIGKILL to a process, its group and all below it, but for some of these and what is below them."""
    if pid <= 1:
        return
    # Held still, it starts nothing more; and what loses its parent on the way becomes its child, and is found.
    _send(pid, signal.SIGSTOP)
    killed: set[int] = set()
    while more := set(descendants(pid, spare)) - killed:
        for one in more:
            _send(one, signal.SIGKILL)
        killed |= more
    kill_group(pid)
    # One that was just forked leads no group yet, and would be held still for good.
    _send(pid, signal.SIGKILL)


def adopt_orphans() -> None:
    """Make this process the parent of whatever an environment leaves behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_orphans(variable: bytes) -> tuple[list[int], bool]:
    """End the children of this process that have a variable among theirs.

    Returns them, and whether the variables of all others are known: those of one that is about to become another
    program are not, for a moment.

    Parameters
    ----------
    variable : bytes
        ``NAME=value``, the same in nothing but one environment.
    """
    known = {child: _variables(child) for child in _children(os.getpid())}
    found = [child for child, variables in known.items() if variables is not None and variable in variables]
    for child in found:
        kill_tree(child)
    return found, None not in known.values()


def _children(pid: int) -> Iterator[int]:
    # A process is listed with that thread of its parent which started it.
    for thread in Path(f"/proc/{pid}/task").glob("[0-9]*/children"):
        with contextlib.suppress(OSError, ValueError):
            yield from map(int, thread.read_bytes().split())


def _variables(pid: int) -> list[bytes] | None:
    """Return a process's variables; None while it is about to become another program."""
    process = Path(f"/proc/{pid}")
    try:
        variables = (process / "environ").read_bytes()
        # A process that runs has arguments, whatever its variables are; one that has ended has neither.
        if not variables and not (process / "cmdline").read_bytes():
            state = (process / "stat").read_bytes().rpartition(b")")[2].split()[0]
            return [] if state in {b"Z", b"X"} else None
    except (OSError, IndexError):
        return []
    return variables.split(b"\0")


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
