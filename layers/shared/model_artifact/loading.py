"""Load a published version, and verify that it may serve.

The function, ``peerloan score`` and ``peerloan report`` load versions here and nowhere else. A pickle is opened in a
process of its own, and by the function only if a trusted publisher has signed its manifest. pandas and scikit-learn are
never imported here: a version that is served from its arrays doesn't need them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from model_artifact.errors import NoReasonsError, ProbeMismatchError, UnsuitableModelError
from model_artifact.opening.signature import Trust
from model_artifact.reasons import WORDED_CODES_VERSION
from model_artifact.schema import FIELDS
from model_artifact.serving_form.archive import MAX_PACKED_BYTES
from model_artifact.training_range import TrainingRange
from model_artifact.version_loading import Loading
from model_registry.errors import InvalidManifestError
from model_registry.manifest import Artifact, FieldSchema, Manifest, TrainingProfile
from model_registry.reader import RegistryReader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model_artifact.opening.model_process import ModelProcess
    from model_artifact.reasons.explain import Explainer, Reason

PICKLE = "pickle"
ARRAYS = "arrays"

# For a model that a person waits for, and that scores whole files at once.
STUDY_LIMIT_S = 1800
# Lambda ends the function after 29 s; another version may have to answer then.
SCORE_LIMIT_S = 15
# They are all scored when a version is loaded.
MAX_PROBES = 1000
# Arrays of this size are read and checked in a few milliseconds.
QUICK_FORM_BYTES = 128 << 10
# More than any scorer scores one by one.
_MANY_RECORDS = 100

Record = Mapping[str, Any]
Columns = Mapping[str, Sequence[Any]]


class BatchScorer(Protocol):
    """Scores records and tables that were checked before (``record_rules``)."""

    def late_probabilities(self, records: Sequence[Record]) -> list[float]:
        """Return P(is_late = 1) of each record; raise ``NonFiniteOutputError`` if one isn't a probability."""
        ...

    def late_probabilities_of_columns(self, columns: Columns) -> NDArray[np.float64]:
        """Return P(is_late = 1) of each row of a table: numbers as float64 with NaN for missing, texts with None."""
        ...


class LoadedModel:
    """One published version, verified and ready to score.

    ``form`` is the form that scores: ``PICKLE``, with the process ``pipeline`` that holds it, or ``ARRAYS``, which
    publishing proved equal to the pickle. ``file`` is that form's size and sha256. The version takes over its scorer's
    two methods. ``training_range`` warns about values that the training data didn't have.
    """

    def __init__(
        self, manifest: Manifest, file: Artifact, scorer: BatchScorer, pipeline: ModelProcess | None = None
    ) -> None:
        self.manifest = manifest
        self.file = file
        self.form = ARRAYS if pipeline is None else PICKLE
        self.pipeline = pipeline
        self.training_range = TrainingRange(manifest.input_schema)
        self.late_probabilities = scorer.late_probabilities
        self.late_probabilities_of_columns = scorer.late_probabilities_of_columns
        self._scorer: Any = scorer
        self._explainer: Explainer | None = None

    def explain(self, record: Record) -> tuple[Reason, ...]:
        """Return the reasons of one record; raise ``NoReasonsError`` if this version can't give any."""
        if self.form == PICKLE:
            # A pipeline takes too long for the 512 records that an explanation scores.
            raise NoReasonsError("A version that is served from its pickle gives no reasons.")
        reasons = self.manifest.reasons
        if reasons is None:
            raise NoReasonsError("The manifest has no typical loan to compare with.")
        if self._explainer is None:
            from model_artifact.reasons.explain import Explainer

            self._explainer = Explainer(
                self._scorer, reasons.reference, codes_version=reasons.codes_version, wording=reasons.wording
            )
        return self._explainer.explain(record).reasons

    def check_probes(self, probabilities: Sequence[float] | None = None) -> None:
        """Compare the probe records' probabilities, scored now unless they are given, with the manifest's.

        Raises ``ProbeMismatchError`` if a probability is NaN, or differs by more than ``Probe.accepts`` allows.
        """
        probes = self.manifest.probes
        if probabilities is None:
            probabilities = self.late_probabilities([probe.record for probe in probes]) if probes else ()
        for number, (probe, probability) in enumerate(zip(probes, probabilities, strict=True)):
            if not probe.accepts(probability):
                raise ProbeMismatchError(number, probe.late_probability, probability)


def begin_version(
    reader: RegistryReader,
    version: int,
    trust: Trust,
    open_pickle: Callable[..., ModelProcess] | None = None,
    *,
    is_urgent: bool = True,
    memory_limit_mib: int = 0,
) -> Loading:
    """Begin to load a version in the form that serves: its arrays where it has them, else its pickle.

    Parameters
    ----------
    reader : RegistryReader
        The registry.
    version : int
        The version's number.
    trust : Trust
        The publishers whose pickles may be opened. It comes from the server's settings, never from the artifact.
    open_pickle : callable, optional
        Opens a pickle; ``ModelProcess`` by default.
    is_urgent : bool
        Whether the caller needs the version at once. Otherwise a pickle, or large arrays, are read beside the caller.
    memory_limit_mib : int
        See ``ModelProcess``.

    Raises
    ------
    RegistryError
        If the version or a file is missing, or a file isn't the one that the manifest describes.
    ArtifactError
        If the model may not serve here; see ``Trust.check``, ``check_environment`` and ``reading.form_from_bytes``.

    What is found out after the manifest was read, ``Loading.wait`` raises.
    """
    manifest = _get_manifest(reader, version)
    form = manifest.serving_form
    if form is None:
        options = {"is_trusted": True, "score_limit_s": SCORE_LIMIT_S, "memory_limit_mib": memory_limit_mib}
        return _begin_pickle(reader, manifest, open_pickle, trust, is_beside=not is_urgent, **options)
    if trust.require_signature:
        trust.check(manifest)
    is_beside = form.size_bytes > QUICK_FORM_BYTES and not is_urgent
    return Loading(partial(_load_form, reader, manifest, form, is_warmed=is_beside), is_beside=is_beside)


def load_version(reader: RegistryReader, version: int, trust: Trust) -> LoadedModel:
    """Load a version and wait for it; see ``begin_version``."""
    return begin_version(reader, version, trust).wait()


def load_pickle(reader: RegistryReader, version: int, trust: Trust) -> LoadedModel:
    """Load a version from its pickle, whether or not it has arrays, to study it.

    Where no trusted publisher has signed it, its process is as limited as that which inspects a candidate. Raises as
    ``begin_version`` does.
    """
    manifest = _get_manifest(reader, version)
    return _begin_pickle(reader, manifest, None, is_trusted=trust.covers(manifest), time_limit_s=STUDY_LIMIT_S).wait()


def _get_manifest(reader: RegistryReader, version: int) -> Manifest:
    manifest = reader.get_manifest(version)
    if (manifest.model, manifest.version) != (reader.model, version):
        raise InvalidManifestError(
            f"The manifest of {reader.model!r} version {version} belongs to {manifest.model!r} version "
            f"{manifest.version}. Publish the model again."
        )
    _check_suitable(manifest)
    return manifest


def _check_suitable(manifest: Manifest) -> None:
    """Raise ``UnsuitableModelError`` for a manifest that would fail at each request, or that proves nothing."""
    types = {field.name: field.type for field in FIELDS}
    strange = [field.name for field in manifest.input_schema if types.get(field.name) != field.type]
    if strange:
        fault = f"has columns that this server doesn't know, or knows with another type: {', '.join(strange)}"
    elif manifest.profile is not None and not _is_profile_of(manifest.profile, manifest.input_schema):
        fault = "has a training profile of other columns than its input_schema"
    elif manifest.reasons is not None and manifest.reasons.codes_version > WORDED_CODES_VERSION:
        newer = manifest.reasons.codes_version
        fault = f"gives reasons by table {newer}, and this server knows tables up to {WORDED_CODES_VERSION}"
    elif not 0 < len(manifest.probes) <= MAX_PROBES:
        fault = f"has {len(manifest.probes)} probe records, not 1 to {MAX_PROBES}"
    elif manifest.serving_form is not None and manifest.serving_form.size_bytes > MAX_PACKED_BYTES:
        fault = f"has arrays of {manifest.serving_form.size_bytes:,} bytes, more than {MAX_PACKED_BYTES:,}"
    else:
        return
    raise UnsuitableModelError(f"Version {manifest.version} {fault}. Publish it again with this server's release.")


def _is_profile_of(profile: TrainingProfile, schema: Sequence[FieldSchema]) -> bool:
    columns = [(column.name, "category" if column.edges is None else "number") for column in profile.columns]
    return columns == [(field.name, field.type) for field in schema]


def _load_form(reader: RegistryReader, manifest: Manifest, form: Artifact, *, is_warmed: bool) -> LoadedModel:
    from model_artifact.serving_form.scorers.record_scorer import load_scorer

    model = LoadedModel(manifest, form, load_scorer(reader.get_serving_form(manifest)))
    model.check_probes()
    if is_warmed:
        # The scorers make their tables for many records when these first come.
        model.late_probabilities([manifest.probes[0].record] * _MANY_RECORDS)
    return model


def _begin_pickle(
    reader: RegistryReader,
    manifest: Manifest,
    open_pickle: Callable[..., ModelProcess] | None,
    trust: Trust | None = None,
    *,
    is_beside: bool = False,
    **options: Any,
) -> Loading:
    def read() -> bytes:
        # Imported here, where no request waits for it: it brings subprocess and multiprocessing.
        import model_artifact.opening.model_process  # noqa: F401
        from model_artifact.libraries import check_environment

        # Invariant: signature, libraries, size and sha256 are checked, in this order, before anything is unpickled.
        if trust is not None:
            trust.check(manifest)
        check_environment(manifest.environment)
        return reader.get_artifact(manifest)

    def start(pickle: bytes) -> LoadedModel:
        from model_artifact.opening.model_process import ModelProcess

        probe_records = [probe.record for probe in manifest.probes]
        process = (open_pickle or ModelProcess)(pickle, probe_records=probe_records, **options)
        return LoadedModel(manifest, manifest.artifact, process, process)

    return Loading(read, start, is_beside=is_beside)
