"""A model that somebody hands over: a pickle, what is claimed of it, and what can be measured here.

A claim is never believed where it can be measured. What can't be measured is kept, and marked with who claims it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from model_artifact.opening.booster_files import with_columns
from model_registry.candidate import Candidate, Inspection
from model_registry.manifest import Threshold, Wording
from training import candidate_folder
from training.data import Quarter, check_apart, read_loans
from training.measuring import Measurements, measure
from training.probe_records import PROBE_RECORDS
from training.reason_wording import read_wording, worded
from training.thresholds import FlagShare, Stated, ThresholdRule

# Nobody stated costs or shares: a loan is called late if that is likelier than not.
BARE_THRESHOLD = Threshold(0.5, "The model came without a training record: late is what is likelier than not.")


@dataclass(frozen=True)
class Handover:
    """A pickle and what is known of it before it is opened.

    Attributes
    ----------
    source : Path
        The pickle, or its folder.
    pickle : bytes
        The model.
    who : str
        Whoever hands it over, and says what it was trained on.
    record : Candidate or None
        What the training record beside it claims.
    train, test : Quarter or None
        The loans that it is said to have been trained on, and loans that it hasn't seen.
    rule : ThresholdRule or None
        How the threshold is to be chosen.
    wording : Wording or None
        The publisher's own reasons; by default those of the record.
    """

    source: Path
    pickle: bytes = field(repr=False)
    who: str
    record: Candidate | None = None
    train: Quarter | None = None
    test: Quarter | None = None
    rule: ThresholdRule | None = None
    wording: Wording | None = None

    @property
    def gives_reasons(self) -> bool:
        """Whether anything tells the typical loan that reasons compare with."""
        return self.train is not None or (self.record is not None and self.record.reasons is not None)

    @property
    def is_sample(self) -> bool | None:
        """Whether it was trained on generated loans, as far as anybody says; None if nobody says."""
        if self.train is not None:
            return False
        return None if self.record is None else self.record.data.get("is_sample")

    def tested_on(self, test: Quarter) -> Handover:
        """Return it with loans to test on, unless it has some, or is said to have been trained on these."""
        claimed = self.record.data.get("train", {}) if self.record else {}
        if self.test is not None or claimed.get("sha256") == test.fingerprint.sha256:
            return self
        return replace(self, test=test)


def read_handover(
    source: Path,
    who: str,
    *,
    trained_on: Path | None = None,
    tested_on: Path | None = None,
    rule: ThresholdRule | None = None,
    reasons: Path | None = None,
    columns: Sequence[str] | None = None,
) -> Handover:
    """Read a model that is handed over, and the loans that are named with it; the pickle isn't opened.

    ``columns`` names the columns of a booster's own file, in its order.

    Raises
    ------
    RecordRefusedError
        If the pickle is missing, or the record beside it can't be read or belongs to another pickle.
    UnsuitableModelError, UnreadablePickleError
        If the columns can't be named; see ``booster_files.with_columns``.
    DataNotFoundError, DataRefusedError
        If a file of loans can't be used, or both hold the same loans; see ``data.load``.
    WordingRefusedError
        If the file of reasons can't be used.
    """
    wording = read_wording(reasons) if reasons else None
    pickle, record = candidate_folder.read_candidate(source)
    if columns is not None:
        pickle = with_columns(pickle, columns)
    if record is not None:
        # Verdicts and marks are made here, never taken from a file.
        metrics = {name: value for name, value in record.metrics.items() if name not in ("gates", "claimed")}
        record = replace(record, metrics=metrics)
    train, test = (read_loans(path) if path else None for path in (trained_on, tested_on))
    if train is not None and test is not None:
        check_apart(train, test)
    if wording is None and record is not None and record.reasons is not None:
        wording = record.reasons.wording
    return Handover(source, pickle, who, record, train, test, rule, wording)


def candidate_of(handover: Handover, model: Any, inspection: Inspection) -> Candidate:
    """Return the candidate that a handed-over model is, with what was measured and what is claimed.

    ``model`` is the open pickle, a fitted classifier. The threshold is that of the options, else the model's own, else
    the recorded one, else that of a share of the loans; without any loans it is one half.
    """
    claimed = handover.record or _bare(handover, inspection)
    own = None if inspection.threshold is None else Stated(inspection.threshold, "The model brings this threshold.")
    rule = handover.rule or own
    if handover.train is None and handover.test is None:
        return _as_claimed(handover, claimed, rule)
    recorded = handover.record and Stated(claimed.threshold.value, claimed.threshold.how)
    measured = measure(
        model,
        handover.train,
        handover.test,
        rule or recorded or FlagShare(),
        serving_form=inspection.serving_form,
    )
    metrics = {**claimed.metrics, **measured.metrics}
    if rule is None and "threshold" in claimed.metrics:
        metrics["threshold"] = claimed.metrics["threshold"]
    return replace(
        claimed,
        input_schema=measured.input_schema or claimed.input_schema,
        threshold=measured.threshold,
        metrics={**metrics, **_claims(handover, measured)},
        data=_data(handover, measured.data),
        probe_records=PROBE_RECORDS,
        description=claimed.description if handover.record else _description(handover),
        reasons=worded(measured.reasons or claimed.reasons, handover.wording),
        holdout_parity=measured.holdout_parity or claimed.holdout_parity,
        profile=measured.profile or claimed.profile,
    )


def shortcomings(candidate: Candidate) -> list[str]:
    """Return what a candidate lacks, each with what follows from it; empty for a complete one."""
    numbers = [column for column in candidate.input_schema if column.type == "number"]
    lacking = {
        f"no threshold of its own: a loan is called late from {candidate.threshold.value:g} on, perhaps never": (
            candidate.threshold == BARE_THRESHOLD
        ),
        "no typical loan of its training to compare with: it gives no reasons": candidate.reasons is None,
        "no ranges of its training loans: it gives no warnings about unusual numbers, and its log no profiles": all(
            column.train_min is None for column in numbers
        ),
        "nobody says which loans it was trained on: it can't pass a gate (--require)": (
            "sha256" not in candidate.data.get("train", {})
        ),
        "no figures of loans that it hasn't seen: nobody knows how good it is": "test" not in candidate.metrics,
    }
    return [what for what, is_lacking in lacking.items() if is_lacking]


def _bare(handover: Handover, inspection: Inspection) -> Candidate:
    return Candidate(
        pickle=handover.pickle,
        input_schema=candidate_folder.schema_without_ranges(inspection.categories),
        threshold=BARE_THRESHOLD,
        metrics={},
        data={},
        probe_records=PROBE_RECORDS,
        git_commit=None,
        description="A model without a training record.",
    )


def _as_claimed(handover: Handover, claimed: Candidate, rule: ThresholdRule | None) -> Candidate:
    """Return the candidate without measurements; a rule's threshold takes the place of the recorded one."""
    metrics = {**claimed.metrics, **_claims(handover, None)}
    if rule is not None:
        metrics["threshold"] = rule.to_dict()
        claimed = replace(claimed, threshold=rule.threshold(np.empty(0), ""))
    return replace(
        claimed,
        metrics=metrics,
        data=_data(handover, {}),
        probe_records=PROBE_RECORDS,
        reasons=worded(claimed.reasons, handover.wording),
    )


def _claims(handover: Handover, measured: Measurements | None) -> dict[str, Any]:
    """Return the mark of everything that the record beside the pickle claims and that was not measured."""
    if handover.record is None:
        return {}
    seen = ("threshold", *(measured.metrics if measured else ()))
    names = [name for name in handover.record.metrics if name not in seen]
    for name in ("input_schema", "reasons", "holdout_parity", "profile"):
        if getattr(handover.record, name) and not (measured and getattr(measured, name)):
            names.append(name)
    return {"claimed": {"by": candidate_folder.RECORD_NAME, "what": names}} if names else {}


def _data(handover: Handover, measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity of the loans; what the model was trained on is always somebody's claim."""
    data = {**(handover.record.data if handover.record else {}), **measured}
    if "train" in data:
        by = candidate_folder.RECORD_NAME if handover.train is None else handover.who
        data["train"] = {**data["train"], "claimed_by": by}
    return data if handover.is_sample is None else {**data, "is_sample": handover.is_sample}


def _description(handover: Handover) -> str:
    train = handover.train
    claim = f"; {handover.who} says that it was trained on {train.fingerprint.name}" if train else ""
    return f"A model handed over as {handover.source.name}{claim}."
