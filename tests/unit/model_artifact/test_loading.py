"""One loader for everybody who scores with a published version."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fitted_pipelines import fitted, form, records
from memory_store import InMemoryStore
from model_artifact import loading
from model_artifact.errors import NoReasonsError, ProbeMismatchError, UnsuitableModelError
from model_artifact.features import frame_from_records
from model_artifact.libraries import running_environment
from model_artifact.loading import LoadedModel, begin_version, load_pickle
from model_artifact.pipeline import late_probabilities
from model_artifact.reasons import CODES_VERSION, WORDED_CODES_VERSION
from model_artifact.schema import FIELDS
from model_kit import OpenedHere, dumped
from model_registry.candidate import Inspection
from model_registry.errors import ArtifactMismatchError, InvalidManifestError, VersionDamagedError
from model_registry.manifest import Manifest, Reasons
from model_registry.reader import RegistryReader
from registry_kit import TRUST, make_candidate, make_writer, signed

KIND = "boosting-small"
BATCH = [dict(record) for record in records()[:50]]


@pytest.fixture(scope="module")
def store() -> InMemoryStore:
    """Version 1 is served from its pickle, version 2 from its arrays; both are the same model."""
    store = InMemoryStore()
    pipeline = fitted(KIND)
    expected = tuple(late_probabilities(pipeline, frame_from_records(BATCH[:3])).tolist())
    candidate = replace(
        make_candidate(dumped(pipeline)),
        probe_records=tuple(BATCH[:3]),
        reasons=Reasons(CODES_VERSION, BATCH[0]),
    )
    for body in (None, form(KIND).to_bytes()):
        inspection = Inspection(running_environment(), (0, 1), expected, serving_form=body)
        make_writer(store, inspect=lambda *_, inspection=inspection: inspection).publish(candidate)
    return store


@pytest.fixture
def reader(store: InMemoryStore) -> RegistryReader:
    """A reader of a copy, so that a test may damage what it reads."""
    copy = InMemoryStore()
    for key in store.list_keys(""):
        copy.put(key, store.get(key).body)
    return RegistryReader(copy)


def _load(reader: RegistryReader, version: int) -> LoadedModel:
    return begin_version(reader, version, TRUST, OpenedHere).wait()


def test_both_forms_score_records_and_tables_alike(reader: RegistryReader) -> None:
    pickled, compiled = _load(reader, 1), _load(reader, 2)
    assert (pickled.form, compiled.form) == ("pickle", "arrays")
    assert pickled.file == pickled.manifest.artifact
    assert compiled.file == compiled.manifest.serving_form
    expected = pickled.late_probabilities(BATCH)
    assert compiled.late_probabilities(BATCH) == pytest.approx(expected, abs=1e-12)
    columns = {
        field.name: np.array([record[field.name] for record in BATCH], dtype=np.float64)
        if field.type == "number"
        else [record[field.name] for record in BATCH]
        for field in FIELDS
    }
    assert pickled.late_probabilities_of_columns(columns).tolist() == expected
    assert compiled.late_probabilities_of_columns(columns).tolist() == compiled.late_probabilities(BATCH)


def test_the_pickle_of_a_version_with_arrays_can_be_loaded_too(reader: RegistryReader) -> None:
    model = load_pickle(reader, 2, TRUST)
    assert model.form == "pickle"
    assert model.late_probabilities(BATCH) == _load(reader, 1).late_probabilities(BATCH)


def test_only_arrays_give_reasons(reader: RegistryReader) -> None:
    assert _load(reader, 2).explain(BATCH[0]) == ()
    with pytest.raises(NoReasonsError):
        _load(reader, 1).explain(BATCH[0])


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_scores_its_probes_otherwise_is_refused(reader: RegistryReader, version: int) -> None:
    change(reader, version, lambda document: document["probes"][1].update(late_probability=0.987))
    with pytest.raises(ProbeMismatchError):
        _load(reader, version)


@pytest.mark.parametrize("version", [1, 2])
def test_a_manifest_of_another_version_is_refused(reader: RegistryReader, version: int) -> None:
    change(reader, version, lambda document: document.update(version=7))
    with pytest.raises(InvalidManifestError, match="version 7"):
        _load(reader, version)


@pytest.mark.parametrize(("version", "file"), [(1, "model.pkl"), (2, "serving-form.npz")])
def test_a_damaged_or_lost_file_is_refused(reader: RegistryReader, version: int, file: str) -> None:
    key = f"late-payer/versions/{version}/{file}"
    reader._store.put(key, b"x" * len(reader._store.get(key).body))
    with pytest.raises(ArtifactMismatchError, match="sha256"):
        _load(reader, version)
    reader._store.delete(key)
    with pytest.raises(VersionDamagedError):
        _load(reader, version)


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda document: document["input_schema"][0].update(name="zip_code"), "zip_code"),
        (lambda document: document["input_schema"][1].update(type="number"), "grade"),
        (
            lambda document: document["reasons"].update(codes_version=WORDED_CODES_VERSION + 1),
            "gives reasons by table 3, and this server knows tables up to 2",
        ),
        (lambda document: document.update(probes=[]), "has 0 probe records, not 1 to 1000"),
        (
            lambda document: document.update(profile={"columns": []}),
            "has a training profile of other columns than its input_schema",
        ),
    ],
    ids=["unknown column", "category as a number", "newer reasons", "no probes", "another profile"],
)
@pytest.mark.parametrize("version", [1, 2])
def test_fault_14_a_manifest_that_this_server_can_not_follow_is_refused(
    reader: RegistryReader, version: int, edit: Callable[[Any], None], message: str
) -> None:
    change(reader, version, edit)
    with pytest.raises(UnsuitableModelError, match=message):
        _load(reader, version)


class _SlowReader(RegistryReader):
    """A reader whose files don't come before ``comes`` is set."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.comes = threading.Event()

    def get_artifact(self, manifest: Manifest) -> bytes:
        self.comes.wait()
        return super().get_artifact(manifest)

    def get_serving_form(self, manifest: Manifest) -> bytes:
        self.comes.wait()
        return super().get_serving_form(manifest)


@pytest.mark.parametrize("version", [1, 2])
def test_what_takes_long_is_read_beside_a_caller_who_need_not_wait(
    reader: RegistryReader, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "QUICK_FORM_BYTES", 0)
    slow = _SlowReader(reader._store)
    on_its_way = begin_version(slow, version, TRUST, OpenedHere, is_urgent=False)
    assert not on_its_way.is_ready()
    slow.comes.set()
    assert on_its_way.is_ready(60)
    assert on_its_way.wait().late_probabilities(BATCH) == _load(reader, version).late_probabilities(BATCH)


class _SlowToProve(OpenedHere):
    """A pickle whose process reports once ``comes`` is set."""

    comes = threading.Event()
    opened_by = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        type(self).opened_by = threading.get_ident()

    def wait(self) -> dict[str, Any]:
        self.comes.wait()
        return super().wait()


def test_the_caller_starts_the_process_and_does_not_wait_for_its_report(reader: RegistryReader) -> None:
    on_its_way = begin_version(reader, 1, TRUST, _SlowToProve, is_urgent=False)
    for _ in range(1200):
        assert not on_its_way.is_ready()
        if _SlowToProve.opened_by:
            break
        time.sleep(0.05)
    assert _SlowToProve.opened_by == threading.get_ident()
    _SlowToProve.comes.set()
    assert on_its_way.is_ready(60)
    assert on_its_way.wait().form == "pickle"


@pytest.mark.parametrize(("version", "file"), [(1, "model.pkl"), (2, "serving-form.npz")])
def test_what_fails_beside_the_caller_is_raised_where_he_asks(
    reader: RegistryReader, version: int, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "QUICK_FORM_BYTES", 0)
    reader._store.delete(f"late-payer/versions/{version}/{file}")
    on_its_way = begin_version(reader, version, TRUST, OpenedHere, is_urgent=False)
    assert on_its_way.is_ready(60)
    with pytest.raises(VersionDamagedError):
        on_its_way.wait()


def test_small_arrays_are_read_at_once(reader: RegistryReader) -> None:
    assert begin_version(reader, 2, TRUST, is_urgent=False).is_ready()


def change(reader: RegistryReader, version: int, edit) -> None:
    """Change a stored manifest behind the registry's back."""
    key = f"late-payer/versions/{version}/manifest.json"
    document = json.loads(reader._store.get(key).body)
    edit(document)
    reader._store.put(key, signed(document))
