"""A trained model on disk: ``model.pkl`` and, beside it, ``training.json`` with all that its training knows of it.

The record names the pickle's sha256, so that a folder in which one of the two is of another training is noticed. Both
are written to a temporary name, synced and renamed: a folder holds the old files or the new ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from model_artifact.opening.inspection import find_categories_in_child
from model_artifact.schema import FIELDS, Field
from model_artifact.serving_form.parity import TOLERANCE
from model_registry.candidate import Candidate
from model_registry.manifest import (
    FieldSchema,
    HoldoutParity,
    Threshold,
    parse_field,
    parse_holdout_parity,
    parse_reasons,
    parse_threshold,
)
from training.errors import RecordRefusedError

RECORD_FORMAT = 1
PICKLE_NAME = "model.pkl"
RECORD_NAME = "training.json"

# Nothing is known of a bare pickle's costs, so it is cut where late is likelier than not.
_BARE_THRESHOLD = Threshold(0.5, "The pickle came without a training record: late is what is likelier than not.")


def input_schema(features: pd.DataFrame) -> tuple[FieldSchema, ...]:
    """Describe the ten columns as the training data show them.

    Parameters
    ----------
    features : pandas.DataFrame of shape (n_rows, 10)
        The training data's columns.
    """
    fields = []
    for field in FIELDS:
        column = features[field.name].dropna()
        if field.type == "number":
            fields.append(_described(field, float(column.min()), float(column.max())))
        else:
            fields.append(_described(field, labels=set(column)))
    return tuple(fields)


def write(folder: Path, candidate: Candidate) -> None:
    """Write a trained model; the record last, which makes it whole.

    Parameters
    ----------
    folder : Path
        Where to; made if it is not there.
    candidate : Candidate
        The model.
    """
    document = {
        "format": RECORD_FORMAT,
        "artifact": {"size_bytes": len(candidate.pickle), "sha256": hashlib.sha256(candidate.pickle).hexdigest()},
        "input_schema": [asdict(field) for field in candidate.input_schema],
        "threshold": asdict(candidate.threshold),
        "metrics": candidate.metrics,
        "data": candidate.data,
        "probe_records": candidate.probe_records,
        "git_commit": candidate.git_commit,
        "description": candidate.description,
        "reasons": asdict(candidate.reasons) if candidate.reasons else None,
        "holdout_parity": asdict(candidate.holdout_parity) if candidate.holdout_parity else None,
    }
    folder.mkdir(parents=True, exist_ok=True)
    _write_atomically(folder / PICKLE_NAME, candidate.pickle)
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    _write_atomically(folder / RECORD_NAME, text.encode())


def read_candidate(path: Path) -> Candidate:
    """Read what is to be published.

    Parameters
    ----------
    path : Path
        A folder with ``model.pkl``, or a pickle. Beside it, ``training.json`` if there is one; a bare pickle gets the
        threshold one half, the columns' bounds, and the categories that its encoders know.

    Raises
    ------
    RecordRefusedError
        If there is no pickle, or the record can't be read or is of another pickle.
    CandidateRefusedError
        If a bare pickle is no model: its encoders are looked at in a child process.
    """
    pickle_path = path / PICKLE_NAME if path.is_dir() else path
    try:
        pickle = pickle_path.read_bytes()
    except OSError as error:
        raise RecordRefusedError(
            f"There is no model at {pickle_path} ({error.strerror}). Name a folder that training wrote, or a pickle. "
            "Train one: python -m training improved, or peerloan train improved."
        ) from error
    record_path = pickle_path.parent / RECORD_NAME
    # A record speaks for the model.pkl beside it; any other name may lie in the same folder by chance.
    if pickle_path.name != PICKLE_NAME or not record_path.exists():
        return _bare(pickle)
    try:
        return _parse(pickle, json.loads(record_path.read_bytes()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordRefusedError(f"{record_path} can't be used ({error}). Train the model again.") from error


def _parse(pickle: bytes, document: Mapping[str, Any]) -> Candidate:
    if document["format"] != RECORD_FORMAT:
        raise ValueError(f"its format is {document['format']!r}, not {RECORD_FORMAT}")
    sha256 = hashlib.sha256(pickle).hexdigest()
    if document["artifact"]["sha256"] != sha256:
        raise ValueError(f"it is of a pickle with sha256 {document['artifact']['sha256']}, {PICKLE_NAME} has {sha256}")
    return Candidate(
        pickle=pickle,
        input_schema=tuple(parse_field(field) for field in document["input_schema"]),
        threshold=parse_threshold(document["threshold"]),
        metrics=document["metrics"],
        data=document["data"],
        probe_records=tuple(document["probe_records"]),
        git_commit=document["git_commit"],
        description=document["description"],
        reasons=parse_reasons(document["reasons"]) if document.get("reasons") else None,
        holdout_parity=_parse_parity(document["holdout_parity"]) if document.get("holdout_parity") else None,
    )


def _parse_parity(document: Mapping[str, Any]) -> HoldoutParity:
    parity = parse_holdout_parity(document)
    if parity.is_proven and parity.tolerance > TOLERANCE:
        raise ValueError(f"it calls a serving form proven with a tolerance of {parity.tolerance:g}")
    return parity


def _bare(pickle: bytes) -> Candidate:
    # Imported here: the probe records are a part of a training, which a bare pickle has none of.
    from training.probe_records import PROBE_RECORDS

    known = find_categories_in_child(pickle)
    schema = tuple(_described(field, labels=known.get(field.name)) for field in FIELDS)
    return Candidate(
        pickle=pickle,
        input_schema=schema,
        threshold=_BARE_THRESHOLD,
        metrics={},
        data={},
        probe_records=PROBE_RECORDS,
        git_commit=None,
        description="A pickle without a training record.",
    )


def _described(
    field: Field, low: float | None = None, high: float | None = None, labels: Collection[str] | None = None
) -> FieldSchema:
    """Return what the registry keeps of a column: what it is at all, and what a training has seen of it."""
    return FieldSchema(
        name=field.name,
        type=field.type,
        unit=field.unit,
        nullable=field.nullable,
        hard_min=field.hard_min,
        hard_max=field.hard_max,
        train_min=low,
        train_max=high,
        categories=None if labels is None else _in_order(set(labels), field.order),
        description=field.description,
    )


def _in_order(labels: set[str], order: Sequence[str]) -> tuple[str, ...]:
    """Return the labels in the column's own order if it has one, others after them by name."""
    place = {label: number for number, label in enumerate(order)}
    return tuple(sorted(labels, key=lambda label: (place.get(label, len(order)), label)))


def _write_atomically(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes the file for its owner alone; a model may be read by whoever may read the folder.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
