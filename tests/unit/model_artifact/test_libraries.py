"""A pickle serves only with the libraries that it was pickled with."""

from __future__ import annotations

import pytest

from model_artifact.errors import LibraryMismatchError
from model_artifact.libraries import check_environment, running_environment


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("library", "version"),
    [("scikit-learn", "1.9.0"), ("scikit-learn", "1.9.2"), ("numpy", "1.26.4"), ("joblib", "0.17.0"), ("numpy", "")],
)
def test_fault_14_other_libraries_are_refused_with_both_sides_named(library: str, version: str) -> None:
    with pytest.raises(LibraryMismatchError) as caught:
        check_environment({**running_environment(), library: version})
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
