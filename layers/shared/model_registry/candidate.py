"""The candidate that ``publish`` takes, and the result of inspecting its pickle. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from model_registry.manifest import FieldSchema, HoldoutParity, Reasons, Threshold, TrainingProfile


@dataclass(frozen=True)
class Candidate:
    """A pickled model, and its training's record.

    ``probe_records`` are a few records whose probabilities are written into the manifest, so that whoever loads the
    model later can tell that it still computes the same. ``holdout_parity`` is None where nothing was compared; if
    it isn't proven, the serving form isn't stored. ``profile`` is None where the training loans aren't known.
    """

    pickle: bytes = field(repr=False)
    input_schema: tuple[FieldSchema, ...]
    threshold: Threshold
    metrics: Mapping[str, Any]
    data: Mapping[str, Any]
    probe_records: tuple[Mapping[str, Any], ...]
    git_commit: str | None
    description: str
    reasons: Reasons | None = None
    holdout_parity: HoldoutParity | None = None
    profile: TrainingProfile | None = None


@dataclass(frozen=True)
class Inspection:
    """The result of loading a pickle: library versions, class labels, a probability for each probe record.

    ``serving_form`` is a file that was proven to give the same probabilities as the pickle. If it is None,
    ``why_no_serving_form`` says why. ``categories`` are the labels that the model's encoders know, by column.
    ``threshold`` is the model's own, where it brings one. ``limits`` are those under which the pickle was opened
    (``confinement.LIMITS``); None if it wasn't opened here.
    """

    environment: Mapping[str, str]
    classes: tuple[int, ...]
    probe_probabilities: tuple[float, ...]
    serving_form: bytes | None = field(default=None, repr=False)
    why_no_serving_form: str | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    threshold: float | None = None
    limits: tuple[str, ...] | None = None


class Inspector(Protocol):
    """Loads a pickle where it can do no harm, and raises ``CandidateRefusedError`` if it isn't a model."""

    def __call__(self, pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection: ...
