"""A process and all that it has started, in whatever session: found, ended and collected. Linux; elsewhere the group.

Lambda ends a sandbox with everything in it. Here each environment's first process is the *subreaper* of what it
starts: a child whose parent ends becomes a child of the environment, so that nothing leaves the tree while the
environment lives. When the environment itself ends, what it leaves behind becomes a child of the emulator:

    emulator ── environment ── handler's child ── grandchild      the environment lives
    emulator ── grandchild                                        its parents have ended: an orphan

An orphan may be in a session of its own and have cleared its variables. What tells it from other children of the
emulator is its limit on data: `bootstrap` lowers it, and it can't be raised again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import math
import os
import resource
import signal
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_LOOK_AGAIN_S = 0.05
# The environments' own processes, which are no orphans. Of the whole process, as its children are.
_environments: set[int] = set()


def descendants(pid: int, spare: Collection[int] = ()) -> list[int]:
    """Return the processes below a process, nearest first, without those in `spare` and what is below them.

    The list is empty where the system has no /proc.
    """
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for parent in level for child in _children(parent) if child not in spare]
        found += level
    return found


def kill_group(pid: int) -> None:
    """Send SIGKILL to a process group, if it is still there."""
    if pid <= 1:  # Group 0 would be the emulator's own.
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_tree(pid: int, spare: Collection[int] = ()) -> None:
    """Send SIGKILL to a process, its group and all below it, without those in `spare` and what is below them."""
    if pid <= 1:
        return
    # A stopped process starts nothing more, and what loses its parent meanwhile becomes its child.
    _send(pid, signal.SIGSTOP)
    killed: set[int] = set()
    while more := set(descendants(pid, spare)) - killed:
        for descendant in more:
            _send(descendant, signal.SIGKILL)
        killed |= more
    kill_group(pid)
    # A process that was just forked leads no group yet, and would stay stopped.
    _send(pid, signal.SIGKILL)


def collect(pid: int) -> int | None:
    """Take note of the end of a child of this process, so that it leaves no zombie; return its status."""
    with contextlib.suppress(ChildProcessError):
        ended, status = os.waitpid(pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if ended else None
    return None


def adopt_orphans() -> None:
    """Make this process the parent of whatever an environment leaves behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def spare_environment(pid: int) -> None:
    """Note that a process is an environment's own, until `end_orphans_of` is called."""
    _environments.add(pid)


def end_orphans_of(pid: int) -> None:
    """End what an environment has left behind, once its own process has ended."""
    _environments.discard(pid)
    _end_orphans()


def _end_orphans() -> None:
    orphans = [
        child for child in _children(os.getpid()) if child not in _environments and _is_from_an_environment(child)
    ]
    for orphan in orphans:
        kill_tree(orphan)
        collect(orphan)
    if orphans:
        # They end a moment after the signal, and what they had started becomes a child of this process then.
        asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, _end_orphans)


def _is_from_an_environment(pid: int) -> bool:
    with contextlib.suppress(OSError):
        _, limit = resource.prlimit(pid, resource.RLIMIT_DATA)
        _, own_limit = resource.getrlimit(resource.RLIMIT_DATA)
        return 0 <= limit < (own_limit if own_limit >= 0 else math.inf)
    return False


def _children(pid: int) -> Iterator[int]:
    # A process is listed with that thread of its parent which started it.
    for thread in Path(f"/proc/{pid}/task").glob("[0-9]*/children"):
        with contextlib.suppress(OSError, ValueError):
            yield from map(int, thread.read_bytes().split())


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
