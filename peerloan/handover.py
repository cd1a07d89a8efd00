"""Opens a handed-over model once, in one limited process, to inspect, measure, judge and publish it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry.candidate import Candidate, Inspection
from model_registry.writer import Publication
from peerloan.errors import UsageError
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from peerloan.gating import Gates
    from training.handover import Handover
    from training.thresholds import ThresholdRule

ARRAYS_LEFT_OUT = "it was published with --no-arrays"


@dataclass(frozen=True)
class Opened:
    """A handed-over model while its process runs: the fitted classifier, what was found, and the candidate."""

    model: Any
    inspection: Inspection
    candidate: Candidate


def threshold_rule(
    flag_share: float | None, cost_missed_late: float | None, cost_call: float | None, threshold: float | None
) -> ThresholdRule | None:
    """Return the rule that the options state, or None; options that make no sense raise ``UsageError``."""
    # Imported here: NumPy takes longer than most commands.
    from training.thresholds import rule_of

    try:
        return rule_of(flag_share, cost_missed_late, cost_call, threshold)
    except ValueError as error:
        raise UsageError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error


def check_options(handover: Handover) -> None:
    """Raise ``UsageError`` where an option needs loans, but none are named: a share to flag, or reasons to word."""
    from training.thresholds import FlagShare

    if isinstance(handover.rule, FlagShare) and handover.train is None and handover.test is None:
        raise UsageError("--flag-share takes loans to order: add --trained-on TRAIN.csv or --tested-on TEST.csv.")
    if handover.wording is not None and not handover.gives_reasons:
        raise UsageError("--reasons words the reasons of a model that gives some: add --trained-on TRAIN.csv.")


@contextmanager
def opened(handover: Handover, *, is_name_checked: bool = True, has_arrays: bool = True) -> Iterator[Opened]:
    """Open a model in a limited process of its own, and measure it; the process ends with the block.

    Without ``has_arrays`` the model's arrays are left out, so that its pickle serves. Raises ``CandidateRefusedError``
    if it can't serve.
    """
    from model_artifact.opening.inspection import open_candidate
    from training.handover import candidate_of
    from training.probe_records import PROBE_RECORDS

    check_options(handover)
    with open_candidate(handover.pickle, PROBE_RECORDS, is_name_checked=is_name_checked) as (model, inspected):
        leaves_arrays_out = bool(inspected.serving_form) and not has_arrays
        without = replace(inspected, serving_form=None, why_no_serving_form=ARRAYS_LEFT_OUT)
        inspection = without if leaves_arrays_out else inspected
        yield Opened(model, inspection, candidate_of(handover, model, inspection))


def publish_handover(
    workplace: Workplace, handover: Handover, gates: Gates | None = None, **options: bool
) -> tuple[Publication, Opened]:
    """Measure a model, judge it where gates are required, and publish it. ``options`` are those of ``opened``."""
    with opened(handover, **options) as measured:
        candidate = gates.judge(measured.candidate, measured.model) if gates else measured.candidate
        inspected = replace(workplace, inspect=lambda *_: measured.inspection)
        return inspected.writer().publish(candidate), replace(measured, candidate=candidate)


def publish_folder(workplace: Workplace, source: Path) -> Publication:
    """Publish a folder that ``train`` wrote, or a bare pickle, as it is."""
    from training.handover import read_handover

    return publish_handover(workplace, read_handover(source, workplace.who))[0]
