"""Whether a serving form gives the pipeline's probabilities: computed both ways, on usual records and on its edges.

Used where a version is published. A form that is not proven is not stored, and the pickle serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from model_artifact.features import frame_from_records
from model_artifact.pipeline import late_probabilities
from model_artifact.serving_form.adversarial import adversarial_records
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.reading import form_from_bytes
from model_artifact.serving_form.scorers.record_scorer import Scorer, make_scorer

TOLERANCE = 1e-12

# Records that are scored at once, and how many of them are scored one by one as well.
_ROWS_A_STEP = 4096
_SINGLES = 5_000


@dataclass(frozen=True)
class Parity:
    """How far two ways of computing a model are apart.

    ``largest_difference`` is that of the probabilities of ``rows`` records; ``is_consistent`` says whether records that
    were scored both by themselves and among others got the same probability, bit for bit.
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
    """A serving form's bytes if there is one that is proven, else None and ``why_not``."""

    body: bytes | None
    parity: Parity | None
    why_not: str | None


def compile_verified(pipeline: Any, records: Sequence[Mapping[str, Any]]) -> VerifiedForm:
    """Compile a pipeline, and prove the form as it will be read back.

    Parameters
    ----------
    pipeline : object
        A pipeline that ``model_artifact.pipeline.check_pipeline`` accepted.
    records : sequence of mappings
        Usual records to compare on: the holdout, or a version's probe records; at least one. The form's edges are
        added.

    Returns
    -------
    VerifiedForm
        Never raises because of the pipeline: one that can't be compiled, or gives no probability at an edge, has no
        serving form.
    """
    if not records:
        raise ValueError("There are no records to compare on: give at least one.")
    try:
        body = compile_pipeline(pipeline).to_bytes()
    except NotCompilableError as error:
        return VerifiedForm(None, None, str(error))
    except Exception as error:  # noqa: BLE001 - scikit-learn's own, at a pipeline that is not what it seems
        return VerifiedForm(None, None, f"not compilable: {type(error).__name__}: {error}")
    form = form_from_bytes(body)
    try:
        parity = compare(pipeline, make_scorer(form), chain(records, adversarial_records(form, records)))
    except Exception as error:  # noqa: BLE001 - whatever a pipeline does with a record at its edge
        return VerifiedForm(None, None, f"not comparable: {type(error).__name__}: {error}")
    if parity.is_proven:
        return VerifiedForm(body, parity, None)
    return VerifiedForm(None, parity, f"not equal: probabilities differ by up to {parity.largest_difference:.3g}")


def compare(pipeline: Any, scorer: Scorer, records: Iterable[Mapping[str, Any]]) -> Parity:
    """Score records with a pipeline and with a scorer.

    Parameters
    ----------
    pipeline : object
        As above.
    scorer : Scorer
        Of its form.
    records : iterable of mappings
        Read once, in steps.

    Returns
    -------
    Parity
        What either of them raises, one that is no probability included, is raised.
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
    left = iter(records)
    while step := list(islice(left, _ROWS_A_STEP)):
        yield step
