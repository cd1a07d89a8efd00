"""How a long step says how far it is, without knowing who is listening."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Takes how many parts of a step are done and how many there are."""

    def __call__(self, done: int, total: int, /) -> None: ...


def silent(_done: int, _total: int) -> None:
    """Listen to nothing."""
