"""What of a template has no effect here, and who learns of it: collected while the template is read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from emulator.template.errors import UnsupportedError

_NAMED_TOGETHER = 10


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of a template that the emulator doesn't imitate, or not wholly."""

    logical_id: str
    # The property, with the path in it.
    property: str
    reason: str
    # What follows for somebody who runs the project here.
    consequence: str

    def __str__(self) -> str:
        return f"{self.logical_id}, property {self.property}: {self.reason}; {self.consequence}"


class LeftOutParts:
    """Collects what readers of a template leave out.

    A strict one collects only what has no effect on any answer, and raises `UnsupportedError` for the rest.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.parts: list[LeftOut] = []

    def report(self, logical_id: str, name: str, reason: str, consequence: str) -> LeftOut:
        """Note a property that has no effect; the rest of the resource works."""
        part = LeftOut(logical_id, name, reason, consequence)
        if part not in self.parts:
            self.parts.append(part)
        return part

    def leave_out(self, error: UnsupportedError, consequence: str) -> LeftOut:
        """Note what can't be imitated; a strict collector raises the error."""
        if self.strict:
            raise error
        return self.report(error.resource, error.property, error.reason, consequence)

    @contextlib.contextmanager
    def leaving_out(self, consequence: str) -> Iterator[None]:
        """Turn an `UnsupportedError` inside the block into a note; the rest of the block is skipped."""
        try:
            yield
        except UnsupportedError as error:
            self.leave_out(error, consequence)


def summary(parts: Iterable[LeftOut]) -> list[str]:
    """Return a line for each part; resources that are left out for the same reason share one."""
    resources: dict[tuple[str, str, str], list[str]] = {}
    for part in parts:
        resources.setdefault((part.property, part.reason, part.consequence), []).append(part.logical_id)
    return [str(LeftOut(_joined(logical_ids), *rest)) for rest, logical_ids in resources.items()]


def _joined(names: list[str]) -> str:
    if len(names) > _NAMED_TOGETHER:
        names = [*names[: _NAMED_TOGETHER - 1], f"{len(names) - _NAMED_TOGETHER + 1} others"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
