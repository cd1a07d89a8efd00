"""What a version is: the document beside each pickle that says everything one needs before unpickling it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from model_registry import documents
from model_registry.errors import InvalidManifestError

MANIFEST_FORMAT = 1

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Artifact:
    """A stored file's size in bytes and its sha256 in lower-case hex."""

    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, body: bytes) -> Artifact:
        """Describe a file's bytes."""
        return cls(len(body), hashlib.sha256(body).hexdigest())


@dataclass(frozen=True)
class FieldSchema:
    """One input column.

    ``hard_min`` and ``hard_max`` bound what is accepted at all (inclusive); ``train_min`` and ``train_max`` are what
    the model has seen; both are None for a category. ``categories`` are the values seen in training, None for a number.
    """

    name: str
    type: str
    unit: str | None
    nullable: bool
    hard_min: float | None
    hard_max: float | None
    train_min: float | None
    train_max: float | None
    categories: tuple[str, ...] | None
    description: str


@dataclass(frozen=True)
class Threshold:
    """A loan is called late from this probability on; ``how`` says how it was chosen."""

    value: float
    how: str


@dataclass(frozen=True)
class Probe:
    """A record, and the probability of being late that the model gave it when it was published."""

    record: Mapping[str, Any]
    late_probability: float


@dataclass(frozen=True)
class Reasons:
    """What reasons are given with: the version of the table of codes, and the typical on-time loan compared with."""

    codes_version: int
    reference: Mapping[str, Any]


@dataclass(frozen=True)
class HoldoutParity:
    """How far a serving form's probabilities are from the pickle's on the loans that its training held out.

    ``form_sha256`` names the form that was compared; ``is_proven`` says whether the difference was within the tolerance
    and single records got the same probability as among others.
    """

    data_name: str
    data_sha256: str
    rows: int
    largest_difference: float
    tolerance: float
    is_proven: bool
    form_sha256: str


@dataclass(frozen=True)
class Manifest:
    """A version's description.

    ``environment`` maps a library's name to the version that the model was pickled with. ``serving_form`` describes the
    file that serves in the pickle's place, None where there is none, and ``holdout_parity`` how it did on the held-out
    loans, None where that is not known; ``reasons`` is None where none can be given.
    """

    model: str
    version: int
    artifact: Artifact
    environment: Mapping[str, str]
    input_schema: tuple[FieldSchema, ...]
    classes: tuple[int, ...]
    threshold: Threshold
    metrics: Mapping[str, Any]
    data: Mapping[str, Any]
    probes: tuple[Probe, ...]
    git_commit: str | None
    description: str
    created_at: str
    created_by: str
    serving_form: Artifact | None = None
    reasons: Reasons | None = None
    holdout_parity: HoldoutParity | None = None
    format: int = MANIFEST_FORMAT

    def to_json(self) -> bytes:
        """Return the document as it is stored."""
        document = asdict(self)
        return documents.dump_object({"format": document.pop("format"), **document})

    @classmethod
    def from_json(cls, body: bytes) -> Manifest:
        """Read a stored document.

        Raises
        ------
        InvalidManifestError
            If it is no JSON object, a field is missing or of the wrong type, or its format is newer than this code.
        """
        try:
            return _parse(documents.parse_object(body))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise InvalidManifestError(f"This manifest can't be used: {error}.") from error


def parse_field(document: Mapping[str, Any]) -> FieldSchema:
    """Read one column of an input schema; raises ``ValueError`` that names what is wrong."""
    kind = documents.text(document, "type")
    if kind not in ("number", "category"):
        raise ValueError(f"a column's type is {kind!r}, not 'number' or 'category'")
    categories = None if document.get("categories") is None else documents.array(document, "categories")
    return FieldSchema(
        name=documents.text(document, "name"),
        type=kind,
        unit=documents.optional_text(document, "unit"),
        nullable=document.get("nullable") is True,
        hard_min=documents.optional_number(document, "hard_min"),
        hard_max=documents.optional_number(document, "hard_max"),
        train_min=documents.optional_number(document, "train_min"),
        train_max=documents.optional_number(document, "train_max"),
        categories=None if categories is None else tuple(map(str, categories)),
        description=documents.text(document, "description"),
    )


def parse_threshold(document: Mapping[str, Any]) -> Threshold:
    """Read a threshold, a probability; raises ``ValueError`` where it is none."""
    value = documents.number(document, "value")
    if not 0 <= value <= 1:
        raise ValueError(f"the threshold {value} is no probability")
    return Threshold(value=value, how=documents.text(document, "how"))


def parse_reasons(document: Mapping[str, Any]) -> Reasons:
    """Read what reasons are given with; raises ``ValueError`` where it is incomplete."""
    return Reasons(
        codes_version=documents.integer(document, "codes_version", minimum=1),
        reference=documents.mapping(document, "reference"),
    )


def parse_holdout_parity(document: Mapping[str, Any]) -> HoldoutParity:
    """Read a comparison; raises ``ValueError`` where it is incomplete or contradicts itself."""
    parity = HoldoutParity(
        data_name=documents.text(document, "data_name"),
        data_sha256=documents.text(document, "data_sha256"),
        rows=documents.integer(document, "rows", minimum=1),
        largest_difference=documents.number(document, "largest_difference"),
        tolerance=documents.number(document, "tolerance"),
        is_proven=document.get("is_proven") is True,
        form_sha256=documents.text(document, "form_sha256"),
    )
    if parity.largest_difference < 0 or parity.tolerance < 0:
        raise ValueError("a difference is below zero")
    if parity.is_proven and parity.largest_difference > parity.tolerance:
        raise ValueError("it says that it is proven, with a difference beyond its tolerance")
    return parity


def _parse_artifact(document: Mapping[str, Any]) -> Artifact:
    sha256 = documents.text(document, "sha256")
    if not _SHA256.fullmatch(sha256):
        raise ValueError("'sha256' is not 64 hex digits")
    return Artifact(size_bytes=documents.integer(document, "size_bytes", minimum=1), sha256=sha256)


def _parse(document: Mapping[str, Any]) -> Manifest:
    serving_form = documents.optional_mapping(document, "serving_form")
    reasons = documents.optional_mapping(document, "reasons")
    holdout_parity = documents.optional_mapping(document, "holdout_parity")
    return Manifest(
        format=documents.check_format(document, MANIFEST_FORMAT),
        model=documents.text(document, "model"),
        version=documents.integer(document, "version", minimum=1),
        artifact=_parse_artifact(documents.mapping(document, "artifact")),
        environment={
            name: documents.text(documents.mapping(document, "environment"), name)
            for name in documents.mapping(document, "environment")
        },
        input_schema=tuple(parse_field(field) for field in documents.array(document, "input_schema")),
        classes=tuple(int(label) for label in documents.array(document, "classes")),
        threshold=parse_threshold(documents.mapping(document, "threshold")),
        metrics=documents.mapping(document, "metrics"),
        data=documents.mapping(document, "data"),
        probes=tuple(
            Probe(
                record=documents.mapping(probe, "record"),
                late_probability=documents.number(probe, "late_probability"),
            )
            for probe in documents.array(document, "probes")
        ),
        git_commit=documents.optional_text(document, "git_commit"),
        description=documents.text(document, "description"),
        created_at=documents.text(document, "created_at"),
        created_by=documents.text(document, "created_by"),
        serving_form=None if serving_form is None else _parse_artifact(serving_form),
        reasons=None if reasons is None else parse_reasons(reasons),
        holdout_parity=None if holdout_parity is None else parse_holdout_parity(holdout_parity),
    )
