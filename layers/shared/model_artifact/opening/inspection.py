"""Opens a candidate's pickle in a limited process, which inspects it and then lets the publisher measure it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from model_artifact.errors import ModelProcessError, UnsuitableModelError
from model_artifact.loading import STUDY_LIMIT_S
from model_artifact.opening.confinement import LIMITS
from model_artifact.opening.model_process import TIME_LIMIT_S, ModelProcess
from model_registry import documents
from model_registry.candidate import Inspection
from model_registry.errors import CandidateRefusedError

# The function has 1,769 MiB, and holds the model in charge while it loads the next one.
PEAK_LIMIT_MIB = 1000


@contextmanager
def open_candidate(
    pickle: bytes,
    probe_records: Sequence[Mapping[str, Any]],
    *,
    is_name_checked: bool = True,
    time_limit_s: float = TIME_LIMIT_S,
    peak_limit_mib: int = PEAK_LIMIT_MIB,
) -> Iterator[tuple[ModelProcess, Inspection]]:
    """Open a candidate's pickle in a limited process, check that it can serve, and score the probe records.

    Parameters
    ----------
    pickle : bytes
        The candidate.
    probe_records : sequence of mappings
        Records to score; they should hold gaps and an unseen label, as requests will.
    is_name_checked, time_limit_s, peak_limit_mib
        See ``ModelProcess``.

    Yields
    ------
    tuple of ModelProcess and Inspection
        The model, a fitted classifier until the block ends, and what was found.

    Raises
    ------
    CandidateRefusedError
        If it can't serve; the message says why, and what to do.
    """
    with ModelProcess(
        pickle,
        is_name_checked=is_name_checked,
        probe_records=probe_records,
        time_limit_s=time_limit_s,
        score_limit_s=STUDY_LIMIT_S,
        peak_limit_mib=peak_limit_mib,
    ) as model:
        try:
            report = model.wait()
        except (UnsuitableModelError, ModelProcessError) as error:
            raise CandidateRefusedError(str(error)) from error
        yield model, _inspection(report)


def inspect_candidate(pickle: bytes, probe_records: Sequence[Mapping[str, Any]], **limits: Any) -> Inspection:
    """Return what ``open_candidate`` finds, with the same parameters and errors."""
    with open_candidate(pickle, probe_records, **limits) as (_, inspection):
        return inspection


def _inspection(report: Mapping[str, Any]) -> Inspection:
    """Return what a report says. Code in the pickle may have written it: each member's type is checked."""
    try:
        form, limits = report["serving_form"], report["limits"]
        members = {
            **report,
            "serving_form": base64.b64decode(form, validate=True) if form else None,
            "threshold": _probability(report.get("threshold")),
            "limits": [limit for limit in LIMITS if limit in limits],
        }
        return documents.read(Inspection, members)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CandidateRefusedError(
            f"The process that opened the pickle gave a report that can't be read ({error}). "
            "The pickle may hold code that wrote it: don't open it elsewhere before you know who made it."
        ) from error


def _probability(threshold: object) -> float | None:
    """Return a model's own threshold, or None if it isn't one of probabilities."""
    is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    return float(threshold) if is_number and 0 <= threshold <= 1 else None  # type: ignore[arg-type, operator]
