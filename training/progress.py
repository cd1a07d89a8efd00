"""How a long step says how far it is, without knowing who is listening."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Takes how many parts of a step are done and how many there are."""

    def __call__(self, done: int, total: int, /) -> None: ...


class StageProgress(Protocol):
    """Takes a stage's name, how many parts of it are done and how many there are."""

    def __call__(self, stage: str, done: int, total: int, /) -> None: ...


def silent(*_report: object) -> None:
    """Listen to nothing."""
