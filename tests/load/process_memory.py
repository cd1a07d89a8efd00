"""What processes take, as Linux's /proc tells: whose child is whose, and proportional set sizes."""

from __future__ import annotations

import contextlib
from pathlib import Path


def children_of(pid: int) -> set[int]:
    """Return the processes that a process has started and that still run."""
    return _parents_to_children().get(pid, set())


def descendants_of(pid: int) -> set[int]:
    """Return the processes that a process, and those that it started, have started."""
    children = _parents_to_children()
    descendants: set[int] = set()
    generation = {pid}
    while generation := {child for parent in generation for child in children.get(parent, set())} - descendants:
        descendants |= generation
    return descendants


def pss_mb(pid: int) -> float | None:
    """Return a process's memory in MB, pages that it shares counted by share; None where Linux does not say."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return None


def _parents_to_children() -> dict[int, set[int]]:
    children: dict[int, set[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # Behind the name, which may hold anything: state, parent.
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), set()).add(int(stat.parent.name))
    return children
