"""The reasons that changed most among the loans whose decision flips, where both versions can give reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batch_scoring.row_rules import Columns
from model_artifact.errors import NoReasonsError
from model_artifact.reasons.explain import Reason
from peerloan.scoring.api_scorer import records_of

# A large forest takes 45 ms a loan.
EXPLAINED_LOANS = 100

Explain = Callable[[Mapping[str, Any]], Sequence[Reason]]


@dataclass(frozen=True)
class ReasonChange:
    """How one reason differs between two versions on the same loans.

    ``main`` and ``candidate`` count the loans to which each version gives the reason. ``effect`` is by how much more it
    raises the probability in the candidate, the mean over the loans; a version that doesn't give it counts as 0.
    """

    code: str
    main: int
    candidate: int
    effect: float


@dataclass(frozen=True)
class ReasonChanges:
    """The changed reasons of some ``loans`` that flip one way, the largest change first."""

    loans: int
    changes: tuple[ReasonChange, ...]

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


@dataclass
class LoanSample:
    """A random sample of the loans that it is shown, at most ``limit`` of them, always the same for the same loans.

    Algorithm R of Vitter, "Random sampling with a reservoir" (1985).
    """

    limit: int = EXPLAINED_LOANS
    records: list[dict[str, Any]] = field(default_factory=list)
    seen: int = 0
    _random: Random = field(default_factory=lambda: Random(0))  # noqa: S311

    def add(self, columns: Columns, chosen: NDArray[np.bool_]) -> None:
        """Show it the chosen rows of a table."""
        places = np.flatnonzero(chosen).tolist()
        rows = {name: [values[place] for place in places] for name, values in columns.items()}
        for record in records_of(rows) if places else ():
            self.seen += 1
            if len(self.records) < self.limit:
                self.records.append(record)
            elif (place := self._random.randrange(self.seen)) < self.limit:
                self.records[place] = record


def reason_changes(records: Sequence[Mapping[str, Any]], main: Explain, candidate: Explain) -> ReasonChanges | None:
    """Explain the records by both versions and return how the reasons differ, or None if a version gives no reasons."""
    counts: dict[str, list[float]] = {}
    try:
        for record, (side, explain) in product(records, enumerate((main, candidate))):
            for reason in explain(record):
                entry = counts.setdefault(reason.code, [0, 0, 0.0])
                entry[side] += 1
                entry[2] += reason.effect if side else -reason.effect
    except NoReasonsError:
        return None
    changes = [
        ReasonChange(code, int(in_main), int(in_candidate), effect / len(records))
        for code, (in_main, in_candidate, effect) in counts.items()
    ]
    return ReasonChanges(len(records), tuple(sorted(changes, key=lambda change: (-abs(change.effect), change.code))))
