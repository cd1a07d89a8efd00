"""Finds past decisions of one loan in the prediction log by the keyed hash of its id, and scores its record again.

A line of a batch has other loans, too; nothing of theirs leaves this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from model_artifact.loading import LoadedModel
from model_watch.prediction_log import LogLine


@dataclass(frozen=True)
class Decision:
    """What a version once said of a loan. ``warnings`` are the codes of its record; ``rollout`` names the split."""

    time: datetime
    request_id: str
    version: int
    form: str | None
    late_probability: float
    threshold: float
    is_late: bool
    warnings: tuple[str, ...]
    alias: str | None
    alias_revision: int | None
    rollout: str | None

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**asdict(self), "time": self.time.isoformat(), "warnings": list(self.warnings)}


@dataclass(frozen=True)
class Agreement:
    """The probability that the recorded version gives the record now, and whether the decision is the same one.

    ``agrees`` is whether the probability is the same to the last bit, and so is the decision.
    """

    late_probability: float
    is_late: bool
    agrees: bool


def find_decisions(lines: Iterable[LogLine], loan_hash: str) -> Iterator[Decision]:
    """Yield the decisions of the loan with this hash."""
    for line in lines:
        if line.version is None or line.threshold is None or line.status != 200:
            continue
        for place, loan in enumerate(line.loans):
            if loan == loan_hash:
                yield Decision(
                    time=line.time,
                    request_id=line.request_id,
                    version=line.version,
                    form=line.form,
                    late_probability=line.late_probabilities[place],
                    threshold=line.threshold,
                    is_late=line.is_late[place],
                    warnings=line.warnings.get(place, ()),
                    alias=line.alias,
                    alias_revision=line.alias_revision,
                    rollout=line.rollout,
                )


def score_again(decision: Decision, model: LoadedModel, record: Mapping[str, Any]) -> Agreement:
    """Score a checked record by the version that made the decision, and compare."""
    (probability,) = model.late_probabilities([record])
    is_late = probability >= model.manifest.threshold.value
    agrees = probability == decision.late_probability and is_late == decision.is_late
    return Agreement(probability, is_late, agrees)
