"""What an allowed difference is: in which cases, in which parts, and what AWS does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.differential.exchange import ABSENT, Difference

# What SAM says and what the emulator says of one part → whether that is the difference that is allowed.
Check = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Allowed:
    """One difference that is allowed, because the emulator does what AWS does.

    Parameters
    ----------
    what : str
        What it is about.
    sam, here, aws : str
        What SAM CLI does, what the emulator does, and how we know what AWS does; Markdown, for the page.
    parts : mapping
        Part of the exchange → what both have to say for the difference to be this one.
    cases : tuple of str
        The cases in which every one of the parts has to differ. Empty: any case, and each part in at least one.
    """

    what: str
    sam: str
    here: str
    aws: str
    parts: Mapping[str, Check]
    cases: tuple[str, ...] = ()

    def explains(self, case: str, difference: Difference) -> bool:
        """Return whether a difference in a case is this one."""
        if self.cases and case not in self.cases:
            return False
        check = self.parts.get(difference.part)
        return check is not None and check(difference.sam, difference.emulator)

    def missing(self, differences_by_case: Mapping[str, list[Difference]]) -> list[str]:
        """Return where it should occur and no longer does."""
        occurs = {
            (case, difference.part)
            for case, differences in differences_by_case.items()
            for difference in differences
            if self.explains(case, difference)
        }
        if self.cases:
            return [f"{case}: {part}" for case in self.cases for part in self.parts if (case, part) not in occurs]
        return [part for part in self.parts if part not in {seen for _, seen in occurs}]


def are(sam: Any, here: Any) -> Check:
    """Both say exactly this."""
    return lambda by_sam, by_emulator: (by_sam, by_emulator) == (sam, here)


def like(sam: str | None, here: str | None) -> Check:
    """Both match a regular expression as a whole; None: the part is absent."""
    return lambda by_sam, by_emulator: _is_like(sam, by_sam) and _is_like(here, by_emulator)


def _is_like(pattern: str | None, value: Any) -> bool:
    if pattern is None:
        return value is ABSENT
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return isinstance(text, str) and re.fullmatch(pattern, text, re.DOTALL) is not None
