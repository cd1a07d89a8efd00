"""Finds, ends and collects a process and all that it has started, in whatever session. Without /proc, its group.

Lambda ends a sandbox with everything in it. Here each environment's first process is the *subreaper* of what it
starts: a child whose parent ends becomes a child of the environment, so that nothing leaves the tree while the
environment lives. When the environment itself ends, what it leaves behind becomes a child of the emulator, which is a
subreaper, too:

    emulator ── environment ── handler's child ── grandchild      the environment lives
    emulator ── grandchild                                        its parents have ended: an orphan

An orphan may be in a session of its own and have cleared its variables. The emulator knows it by its limit on data:
`bootstrap` lowers the limit, and a process can't raise it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import resource
import signal
from collections.abc import Collection, Iterator
from pathlib import Path

_LOOK_AGAIN_S = 0.05
# The environments' own processes, which aren't orphans. Global, because children belong to the whole emulator process.
_environments: set[int] = set()


def descendants(pid: int, spare: Collection[int] = ()) -> list[int]:
    """Return the processes below a process, nearest first, without those in `spare` and what is below them.

    The list is empty where the system has no /proc.
    """
    pids: list[int] = []
    level = [pid]
    while level:
        level = [child for parent in level for child in _children(parent) if child not in spare]
        pids += level
    return pids


def kill_group(pid: int) -> None:
    """Send SIGKILL to a process group, if it still exists."""
    if pid <= 1:  # Group 0 would be the emulator's own.
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_tree(pid: int, spare: Collection[int] = ()) -> None:
    """Send SIGKILL to a process, its group and all below it, without those in `spare` and what is below them."""
    if pid <= 1:
        return
    # A stopped process starts no more processes. A descendant that loses its parent meanwhile becomes its child.
    _send(pid, signal.SIGSTOP)
    killed: set[int] = set()
    while more := set(descendants(pid, spare)) - killed:
        for descendant in more:
            _send(descendant, signal.SIGKILL)
        killed |= more
    kill_group(pid)
    # A process that was just forked doesn't lead a group yet: the call above wouldn't end it.
    _send(pid, signal.SIGKILL)


def collect(pid: int) -> int | None:
    """Collect a child of this process if it has ended, so that no zombie is left; return its status or None."""
    with contextlib.suppress(ChildProcessError):
        ended, status = os.waitpid(pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if ended else None
    return None


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
        # They end a moment after the signal. Only then does this process become the parent of their children.
        asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, _end_orphans)


def _is_from_an_environment(pid: int) -> bool:
    with contextlib.suppress(OSError):
        _, limit = resource.prlimit(pid, resource.RLIMIT_DATA)
        _, own_limit = resource.getrlimit(resource.RLIMIT_DATA)
        return 0 <= limit < (own_limit if own_limit >= 0 else math.inf)
    return False


def _children(pid: int) -> Iterator[int]:
    # /proc lists a process under the thread of its parent that started it.
    for thread in Path(f"/proc/{pid}/task").glob("[0-9]*/children"):
        with contextlib.suppress(OSError, ValueError):
            yield from map(int, thread.read_bytes().split())


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
