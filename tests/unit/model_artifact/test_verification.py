"""A version serves only with the libraries that it was pickled with, and only if it still computes the same."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from model_artifact.errors import DisallowedNameError, LibraryMismatchError, ProbeMismatchError, UnsuitableModelError
from model_artifact.features import frame_from_records
from model_artifact.libraries import check_environment, running_environment
from model_artifact.loading import load_verified
from model_artifact.pipeline import late_probabilities
from model_kit import dumped, harmful_pickles, small_boosted
from model_registry.manifest import Artifact, Manifest, Probe, Threshold
from training.probe_records import PROBE_RECORDS


def _manifest() -> Manifest:
    expected = late_probabilities(small_boosted(), frame_from_records(PROBE_RECORDS)).tolist()
    return Manifest(
        model="late-payer",
        version=1,
        artifact=Artifact(1, "0" * 64),
        environment=running_environment(),
        input_schema=(),
        classes=(0, 1),
        threshold=Threshold(0.5, "for a test"),
        metrics={},
        data={},
        probes=tuple(map(Probe, PROBE_RECORDS, expected)),
        git_commit=None,
        description="",
        created_at="2030-01-01T00:00:00Z",
        created_by="a test",
    )


def test_a_version_that_is_as_its_manifest_says_is_loaded() -> None:
    model = load_verified(dumped(small_boosted()), _manifest())
    assert model.late_probabilities(PROBE_RECORDS) == [probe.late_probability for probe in _manifest().probes]


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("library", "version"),
    [("scikit-learn", "1.9.0"), ("scikit-learn", "1.9.2"), ("numpy", "1.26.4"), ("joblib", "0.17.0"), ("numpy", "")],
)
def test_fault_14_other_libraries_are_refused_with_both_sides_named(library: str, version: str) -> None:
    manifest = replace(_manifest(), environment={**running_environment(), library: version})
    # Not even a harmful pickle is touched before the libraries agree.
    with pytest.raises(LibraryMismatchError) as caught:
        load_verified(b"not a pickle", manifest)
    assert caught.value.library == library
    assert caught.value.pickled_with == version
    assert caught.value.running == running_environment()[library]


def test_python_and_patch_versions_of_numpy_and_joblib_may_differ() -> None:
    running = running_environment()
    patched = {name: ".".join([*running[name].split(".")[:2], "99"]) for name in ("numpy", "joblib")}
    check_environment({**running, **patched, "python": "3.99.0"})


@pytest.mark.fault(14)
def test_fault_14_an_environment_that_lacks_a_library_is_refused() -> None:
    with pytest.raises(LibraryMismatchError, match="unknown"):
        check_environment({"python": "3.11.0"})


@pytest.mark.fault(12)
def test_fault_12_another_model_in_the_same_place_fails_its_probes() -> None:
    probes = _manifest().probes
    other = replace(_manifest(), probes=(*probes[:-1], replace(probes[-1], late_probability=0.4)))
    with pytest.raises(ProbeMismatchError) as caught:
        load_verified(dumped(small_boosted()), other)
    assert caught.value.probe == len(probes) - 1
    assert caught.value.expected == 0.4


@pytest.mark.fault(11)
def test_fault_11_wrong_object_is_refused_at_load() -> None:
    with pytest.raises(UnsuitableModelError):
        load_verified(dumped({"model": None}), _manifest())


@pytest.mark.fault(13)
def test_fault_13_malicious_pickle_is_refused_at_load(tmp_path) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(DisallowedNameError):
        load_verified(harmful_pickles(canary)["nested in a model"], _manifest())
    assert not canary.exists()


@pytest.mark.fault(12)
def test_fault_12_a_damaged_model_that_fails_on_a_record_is_an_artifact_error() -> None:
    damaged = copy.deepcopy(small_boosted())
    del damaged[-1].__dict__["_loss"]
    with pytest.raises(UnsuitableModelError, match="can't score"):
        load_verified(dumped(damaged), _manifest())
