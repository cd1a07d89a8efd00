"""A version's manifest: the document beside each pickle that describes it before anybody unpickles it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from model_registry import documents
from model_registry.documents import Positive
from model_registry.errors import InvalidManifestError

MANIFEST_FORMAT = 1

MAX_WORDED_CODES = 100
MAX_REASON_LENGTH = 300
# One character stands for a bin: 0-9, a-z, A-Z.
MAX_PROFILE_BINS = 62

_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[0-9a-f]{16}")
_ED25519 = re.compile(r"[0-9a-f]{128}")
# Sums of a hundred trees differ in the last bits between processors; another model differs by more.
_PROBE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Artifact:
    """A stored file's size in bytes and its sha256 in lower-case hex."""

    size_bytes: Positive
    sha256: str

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError("'sha256' isn't 64 hex digits")

    @classmethod
    def of(cls, body: bytes) -> Artifact:
        """Describe a file's bytes."""
        return cls(len(body), hashlib.sha256(body).hexdigest())


@dataclass(frozen=True)
class FieldSchema:
    """One input column.

    ``hard_min`` and ``hard_max`` bound what is accepted at all (inclusive); ``train_min`` and ``train_max`` are the
    range of the training data; all four are None for a category. ``categories`` are the training data's values, None
    for a number.
    """

    name: str
    type: Literal["number", "category"]
    unit: str | None
    nullable: bool
    hard_min: float | None
    hard_max: float | None
    train_min: float | None
    train_max: float | None
    categories: tuple[str, ...] | None
    description: str


@dataclass(frozen=True)
class ColumnProfile:
    """How one column's values are spread in the training data.

    A number has ``edges`` in rising order, and ``counts`` by bin. Bin ``i`` holds the values from ``edges[i]`` on that
    are below ``edges[i + 1]``; the last bin holds its upper edge too. A category has ``labels``, the most frequent
    ones, and ``counts`` by label. ``missing`` counts the missing values.
    """

    name: str
    edges: tuple[float, ...] | None
    labels: tuple[str, ...] | None
    counts: tuple[int, ...]
    missing: int

    def __post_init__(self) -> None:
        if (self.edges is None) == (self.labels is None):
            raise ValueError(f"the profile of {self.name!r} must have either edges or labels")
        bins = max(len(self.edges) - 1, 0) if self.edges is not None else len(self.labels or ())
        if len(self.counts) != bins or bins > MAX_PROFILE_BINS:
            raise ValueError(
                f"the profile of {self.name!r} has {len(self.counts)} counts for {bins} bins, of which "
                f"{MAX_PROFILE_BINS} are allowed"
            )
        if self.edges is not None and any(low > high for low, high in pairwise(self.edges)):
            raise ValueError(f"the edges of {self.name!r} aren't in rising order")


@dataclass(frozen=True)
class TrainingProfile:
    """How the training data are spread over a few bins, one entry a column, in the order of ``input_schema``.

    ``score`` is how the probabilities of loans that the model didn't see in training are spread; None where there are
    none, and in manifests of earlier releases.
    """

    columns: tuple[ColumnProfile, ...]
    score: ColumnProfile | None = None


@dataclass(frozen=True)
class Threshold:
    """A loan is called late from this probability on; ``how`` says how it was chosen."""

    value: float
    how: str

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise ValueError(f"the threshold {self.value} isn't a probability")


@dataclass(frozen=True)
class Probe:
    """A record, and the probability of being late that the model gave it when it was published."""

    record: Mapping[str, Any]
    late_probability: float

    def accepts(self, probability: float) -> bool:
        """Return whether a probability is the model's: NaN and any other model's aren't."""
        return abs(probability - self.late_probability) <= _PROBE_TOLERANCE


@dataclass(frozen=True)
class Wording:
    """A publisher's own reasons: texts by code, instead of the table's, and the codes that are never given."""

    texts: Mapping[str, str]
    excluded: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.texts) + len(self.excluded) > MAX_WORDED_CODES:
            raise ValueError(f"more than {MAX_WORDED_CODES} codes of reasons are worded or left out")
        for code, text in self.texts.items():
            if not 0 < len(text) <= MAX_REASON_LENGTH or not text.isprintable():
                raise ValueError(f"the text of {code} isn't one line of 1 to {MAX_REASON_LENGTH} characters")


@dataclass(frozen=True)
class Reasons:
    """The basis of reasons: the version of the table of codes, and the typical on-time loan to compare with.

    ``wording`` is None where the table's texts are given, and all its codes.
    """

    codes_version: Positive
    reference: Mapping[str, Any]
    wording: Wording | None = None


@dataclass(frozen=True)
class HoldoutParity:
    """How far a serving form's probabilities are from the pickle's on the loans that its training held out.

    ``form_sha256`` names the form that was compared; ``is_proven`` says whether the difference was within the tolerance
    and single records got the same probability as among others.
    """

    data_name: str
    data_sha256: str
    rows: Positive
    largest_difference: float
    tolerance: float
    is_proven: bool
    form_sha256: str

    def __post_init__(self) -> None:
        if self.largest_difference < 0 or self.tolerance < 0:
            raise ValueError("a difference is below zero")
        if self.is_proven and self.largest_difference > self.tolerance:
            raise ValueError("it says that it is proven, with a difference beyond its tolerance")


@dataclass(frozen=True)
class Signature:
    """A publisher's signature of a manifest: the key's id, and the Ed25519 signature, both in lower-case hex."""

    key_id: str
    value: str

    def __post_init__(self) -> None:
        # One spelling for each signature: a signature can't be rewritten into another valid text.
        if not _KEY_ID.fullmatch(self.key_id) or not _ED25519.fullmatch(self.value):
            raise ValueError("'signature' isn't a key's id of 16 and a signature of 128 lower-case hex digits")


@dataclass(frozen=True)
class Manifest:
    """A version's description.

    ``environment`` maps a library's name to the version that the model was pickled with. ``serving_form`` describes the
    file that serves instead of the pickle, and ``holdout_parity`` its comparison on the held-out loans; either may be
    missing. ``why_no_serving_form`` says why the pickle serves. ``reasons`` is None for a model that gives no reasons.
    ``profile`` is None where the training data aren't known. ``signature`` is None where nobody signed.
    """

    model: str
    version: Positive
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
    why_no_serving_form: str | None = None
    profile: TrainingProfile | None = None
    signature: Signature | None = None
    format: Positive = MANIFEST_FORMAT

    def signed_bytes(self) -> bytes:
        """Return what a publisher signs: every member but the signature, as JSON without spaces, keys sorted.

        Members that are missing are left out, so that a member which a later format adds doesn't break a signature.
        """
        unsigned = asdict(
            replace(self, signature=None),
            dict_factory=lambda members: {name: value for name, value in members if value is not None},
        )
        text = json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8")

    def to_json(self) -> bytes:
        """Return the document as it is stored."""
        document = asdict(self)
        return documents.dump_object({"format": document.pop("format"), **document})

    @classmethod
    def from_json(cls, body: bytes) -> Manifest:
        """Read a stored document.

        Raises ``InvalidManifestError`` if it isn't a JSON object, a field is missing or of the wrong type, or its
        format is newer than this code.
        """
        try:
            manifest = documents.read_formatted(cls, body, MANIFEST_FORMAT)
            # What can't be signed can't be answered with either: 1e400, half a surrogate pair, too deep a nesting.
            manifest.signed_bytes()
        except (ValueError, OverflowError, RecursionError) as error:
            raise InvalidManifestError(f"This manifest can't be used: {error}.") from error
        return manifest
