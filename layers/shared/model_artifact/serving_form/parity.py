"""Proves that a serving form gives the pipeline's probabilities: both score usual records and the form's edge cases.

Used when a version is published. A form that isn't proven isn't stored, and the version is served from its pickle.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from model_artifact.features import frame_from_records
from model_artifact.pipeline import late_probabilities
from model_artifact.serving_form.adversarial import adversarial_records
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.errors import InvalidServingFormError, NotCompilableError
from model_artifact.serving_form.form import Labels
from model_artifact.serving_form.reading import form_from_bytes
from model_artifact.serving_form.scorers.record_scorer import Scorer, make_scorer

TOLERANCE = 1e-12

# The number of records scored at once, and the number of records scored alone as well.
_ROWS_A_STEP = 4096
_SINGLES = 5_000


@dataclass(frozen=True)
class Parity:
    """How far a pipeline's and a scorer's probabilities are apart.

    ``largest_difference`` is the largest difference over ``rows`` records. ``is_consistent`` says whether records that
    were scored both alone and in a batch got the same probability, bit for bit.
    """

    rows: int
    largest_difference: float
    is_consistent: bool

    @property
    def is_proven(self) -> bool:
        """Whether the form may serve in the pipeline's place."""
        return self.rows > 0 and self.is_consistent and self.largest_difference <= TOLERANCE


@dataclass(frozen=True)
class VerifiedForm:
    """The bytes of a proven serving form and the labels that it knows, or None and the reason ``why_not``."""

    body: bytes | None
    parity: Parity | None
    why_not: str | None
    labels: Labels | None = None


def compile_verified(pipeline: Any, records: Sequence[Mapping[str, Any]]) -> VerifiedForm:
    """Compile a pipeline that ``check_pipeline`` accepted, and prove the form as it will be read back.

    It is compared on ``records``, at least one usual record, such as the holdout or a version's probe records, and on
    the form's edges. A pipeline that can't be compiled, or fails on an edge case, raises nothing; it has no serving
    form.
    """
    if not records:
        raise ValueError("The comparison needs records: give at least one.")
    with warnings.catch_warnings():
        # An encoder may warn of each label that it doesn't know, and the edges have many.
        warnings.simplefilter("ignore")
        return _compile_verified(pipeline, records)


def _compile_verified(pipeline: Any, records: Sequence[Mapping[str, Any]]) -> VerifiedForm:
    try:
        body = compile_pipeline(pipeline).to_bytes()
    except NotCompilableError as error:
        return VerifiedForm(None, None, str(error))
    except Exception as error:  # noqa: BLE001 - scikit-learn may raise anything at a damaged pipeline
        return VerifiedForm(None, None, f"not compilable: {type(error).__name__}: {error}")
    try:
        form = form_from_bytes(body)
    except InvalidServingFormError as error:
        return VerifiedForm(None, None, f"not usable as arrays: {error}")
    try:
        parity = compare(pipeline, make_scorer(form), chain(records, adversarial_records(form, records)))
    except Exception as error:  # noqa: BLE001 - a pipeline may raise anything at an edge case
        return VerifiedForm(None, None, f"not comparable: {type(error).__name__}: {error}")
    if parity.is_proven:
        return VerifiedForm(body, parity, None, form.labels)
    return VerifiedForm(None, parity, f"not equal: probabilities differ by up to {parity.largest_difference:.3g}")


def compare(pipeline: Any, scorer: Scorer, records: Iterable[Mapping[str, Any]]) -> Parity:
    """Score records with a pipeline that ``check_pipeline`` accepted, and with the scorer of its form.

    The records are read once, in steps. Errors of the pipeline or the scorer, such as ``NonFiniteOutputError``, aren't
    caught.
    """
    rows, largest, is_consistent = 0, 0.0, True
    for step in _steps(records):
        expected = late_probabilities(pipeline, frame_from_records(step)).tolist()
        actual = scorer.late_probabilities(step)
        singles = step[: max(0, _SINGLES - rows)]
        is_consistent &= list(map(scorer.late_probability, singles)) == actual[: len(singles)]
        largest = max(largest, *(abs(a - b) for a, b in zip(expected, actual, strict=True)))
        rows += len(step)
    return Parity(rows, largest, is_consistent)


def _steps(records: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    remaining = iter(records)
    while step := list(islice(remaining, _ROWS_A_STEP)):
        yield step
