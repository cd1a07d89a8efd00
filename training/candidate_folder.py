"""A trained model on disk: ``model.pkl`` and its training record, ``training.json``.

The record names the pickle's sha256, so that two files of different trainings are noticed. Both files are written and
synced under temporary names before either is renamed: a full disk leaves the folder as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from model_artifact.schema import FIELDS, Field
from model_artifact.serving_form.parity import TOLERANCE
from model_registry.candidate import Candidate
from model_registry.documents import read
from model_registry.manifest import FieldSchema
from training.errors import FolderNotWritableError, RecordRefusedError

RECORD_FORMAT = 1
PICKLE_NAME = "model.pkl"
RECORD_NAME = "training.json"


def input_schema(features: pd.DataFrame) -> tuple[FieldSchema, ...]:
    """Return the ten columns' schema with the ranges and labels of the training data."""
    columns = {field: features[field.name].dropna() for field in FIELDS}
    return tuple(
        _described(field, float(column.min()), float(column.max()))
        if field.type == "number"
        else _described(field, labels=set(column))
        for field, column in columns.items()
    )


def schema_without_ranges(categories: Mapping[str, Collection[str]]) -> tuple[FieldSchema, ...]:
    """Return the ten columns' schema for a model whose training loans aren't known, with the labels that it knows."""
    return tuple(_described(field, labels=categories.get(field.name)) for field in FIELDS)


def in_order(labels: Collection[str], order: Sequence[str]) -> tuple[str, ...]:
    """Return the labels, each once, in their column's own ``order``; those that it doesn't name last and by name."""
    place = {label: number for number, label in enumerate(order)}
    return tuple(sorted(set(labels), key=lambda label: (place.get(label, len(order)), label)))


def check_writable(folder: Path) -> None:
    """Raise ``FolderNotWritableError`` unless files can be made in the folder or, until it exists, in the one above."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise FolderNotWritableError(place, error) from error


def write(folder: Path, candidate: Candidate) -> None:
    """Write a trained model to a folder, which is made if need be. A model that is already there is replaced.

    A full disk, or a folder that can't be made or written, raises ``FolderNotWritableError``. The files in it stay as
    they were.
    """
    document: dict[str, Any] = {
        "format": RECORD_FORMAT,
        "artifact": {"size_bytes": len(candidate.pickle), "sha256": hashlib.sha256(candidate.pickle).hexdigest()},
        **asdict(candidate),
    }
    del document["pickle"]
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    _write_together(folder, {PICKLE_NAME: candidate.pickle, RECORD_NAME: text.encode()})


def read_candidate(path: Path) -> tuple[bytes, Candidate | None]:
    """Read a handed-over model: its pickle, and the candidate that its training record claims, None without a record.

    Parameters
    ----------
    path : Path
        A folder with ``model.pkl`` and perhaps ``training.json``, or a pickle.

    Raises
    ------
    RecordRefusedError
        If the pickle is missing, or the record can't be read or belongs to another pickle.
    """
    pickle_path = path / PICKLE_NAME if path.is_dir() else path
    try:
        pickle = pickle_path.read_bytes()
    except OSError as error:
        raise RecordRefusedError(
            f"The model {pickle_path} can't be read ({error.strerror}). Name a folder that training wrote, a "
            "pickle, or a booster's own file. Train one: python -m training improved, or peerloan train improved."
        ) from error
    record_path = pickle_path.parent / RECORD_NAME
    # A record describes the model.pkl beside it. A pickle of another name may be in the same folder by chance.
    if pickle_path.name != PICKLE_NAME or not record_path.exists():
        return pickle, None
    try:
        return pickle, _parse(pickle, json.loads(record_path.read_bytes()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordRefusedError(f"{record_path} can't be used ({error}). Train the model again.") from error


def _parse(pickle: bytes, document: Mapping[str, Any]) -> Candidate:
    if document["format"] != RECORD_FORMAT:
        raise ValueError(f"its format is {document['format']!r}, not {RECORD_FORMAT}")
    sha256 = hashlib.sha256(pickle).hexdigest()
    if document["artifact"]["sha256"] != sha256:
        raise ValueError(
            f"it describes a pickle with sha256 {document['artifact']['sha256']}, {PICKLE_NAME} has {sha256}"
        )
    candidate = read(Candidate, {**document, "pickle": pickle})
    for name in ("train", "test"):
        if not isinstance(candidate.data.get(name, {}), Mapping):
            raise ValueError(f"{name!r} isn't an object")
    parity = candidate.holdout_parity
    if parity and parity.is_proven and parity.tolerance > TOLERANCE:
        raise ValueError(f"it calls a serving form proven with a tolerance of {parity.tolerance:g}")
    return candidate


def _described(
    field: Field, low: float | None = None, high: float | None = None, labels: Collection[str] | None = None
) -> FieldSchema:
    """Return a column's entry for the registry: its definition, and the range or the labels seen in training."""
    return FieldSchema(
        name=field.name,
        type=field.type,
        unit=field.unit,
        nullable=field.nullable,
        hard_min=field.hard_min,
        hard_max=field.hard_max,
        train_min=low,
        train_max=high,
        categories=None if labels is None else in_order(labels, field.order),
        description=field.description,
    )


def _write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    drafts: dict[Path, Path] = {}
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            path = folder / name
            descriptor, draft = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
            drafts[Path(draft)] = path
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for draft_path, path in drafts.items():
            # mkstemp lets only the owner read; whoever may read the folder may read the model.
            draft_path.chmod(0o644)
            draft_path.replace(path)
    except OSError as error:
        raise FolderNotWritableError(path, error) from error
    finally:
        for draft_path in drafts:
            draft_path.unlink(missing_ok=True)
