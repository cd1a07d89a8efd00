"""How many environments this machine can keep initialised, by its processors and its memory."""

from __future__ import annotations

import os

PER_PROCESSOR = 32
_ENVIRONMENT_BYTES = 128 * 1024 * 1024


def most_provisioned() -> int:
    """Return how many environments may be provisioned at once, of all functions together; at least one."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return capacity(os.cpu_count() or 1, memory_bytes)


def capacity(processors: int, memory_bytes: int) -> int:
    """Return that number for a machine: half of its memory is for provisioned environments of ordinary size."""
    return max(1, min(processors * PER_PROCESSOR, memory_bytes // 2 // _ENVIRONMENT_BYTES))
