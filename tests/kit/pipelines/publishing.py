"""Publishes a kind of pipeline as ``peerloan publish`` does, and loads and scores it as the function does."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fitted_pipelines import loans
from memory_store import InMemoryStore
from model_artifact.features import columns_of
from model_artifact.loading import ARRAYS, load_version
from model_artifact.schema import FIELDS
from model_registry.errors import CandidateRefusedError
from model_registry.manifest import Manifest
from model_registry.writer import RegistryWriter
from peerloan.handover import opened
from pipelines.kind import End, Floats, Kind
from registry_kit import TRUST, make_writer
from training.handover import read_handover

RECORDS = 2000
TOLERANCE = 1e-12
_UNSEEN = ("unknown", "Credit Card", "g")


@dataclass(frozen=True)
class Outcome:
    """What became of a kind.

    ``detail`` is the refusal's message or why it has no arrays. ``largest_difference`` is the largest difference
    between what the version and the model itself give to ``RECORDS`` loans, 0 for a refused one.
    """

    end: End
    detail: str = ""
    largest_difference: float = 0.0

    def is_expected_of(self, kind: Kind) -> bool:
        """Return whether this is the kind's end, and the version tells the same as the model."""
        is_same = self.largest_difference <= TOLERANCE
        return self.end == kind.end and is_same and (self.end != End.REFUSED or kind.refusal in self.detail)


def publish(kind: Kind) -> Outcome:
    """Fit a kind, hand its pickle over, and compare the published version with the model itself."""
    model = kind.fitted()
    try:
        writer, manifest = _publish(kind.write(model), is_name_checked=not kind.brings_code)
    except CandidateRefusedError as error:
        return Outcome(End.REFUSED, str(error))
    loaded = load_version(writer.reader, manifest.version, TRUST)
    frame = loans_with_surprises()
    expected = kind.late_probabilities(model, frame)
    try:
        as_records = np.array(loaded.late_probabilities(_records(frame)))
        as_columns = loaded.late_probabilities_of_columns(columns_of(frame))
    finally:
        if loaded.pipeline is not None:
            loaded.pipeline.close()
    difference = max(_largest(as_records - expected), _largest(as_columns - expected))
    end = End.ARRAYS if loaded.form == ARRAYS else End.PICKLE
    return Outcome(end, manifest.why_no_serving_form or "", difference)


def _publish(pickle: bytes, *, is_name_checked: bool) -> tuple[RegistryWriter, Manifest]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "handed-over.pkl")
        file.write_bytes(pickle)
        handover = read_handover(file, "a data scientist")
    with opened(handover, is_name_checked=is_name_checked) as found:
        writer = make_writer(InMemoryStore(), inspect=lambda *_: found.inspection)
        return writer, writer.publish(found.candidate).manifest


@cache
def loans_with_surprises() -> pd.DataFrame:
    """Return loans that the API accepts: others than those of training, with gaps where they may be and new labels."""
    frame = pd.concat([loans(seed)[0] for seed in (8, 9)], ignore_index=True).head(RECORDS)
    random = np.random.default_rng(4)
    for field in FIELDS:
        # Labels that nobody had, or the extremes that a loan may have.
        surprises = _UNSEEN if field.type == "category" else (field.hard_min, field.hard_max)
        for surprise in surprises:
            frame.loc[random.random(RECORDS) < 0.02, field.name] = surprise
        if field.nullable:
            frame.loc[random.random(RECORDS) < 0.1, field.name] = np.nan
    return frame


def _records(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    rows = frame.to_dict("records")
    return [{str(name): None if value != value else value for name, value in row.items()} for row in rows]


def _largest(differences: Floats) -> float:
    return float(np.abs(differences).max())
