"""A scan lists every name of a pickle, in each form that it may be written in, and runs nothing."""

from __future__ import annotations

import contextlib
import os
import pickle
import textwrap
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from fitted_pipelines import fitted
from model_artifact.errors import DisallowedNamesError, UnreadablePickleError
from model_artifact.opening.load import check_names
from model_artifact.opening.scan import find_names, is_allowed, unpack
from model_kit import Calls, dumped, harmful_pickles, scoring_pickles, small_boosted, small_forest


class _Recorder(pickle.Unpickler):
    """Notes the names that the real unpickler resolves."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.names: set[tuple[str, str]] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.names.add((module, name))
        return super().find_class(module, name)


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_a_model_is_accepted_in_every_form_that_joblib_writes(model, compress) -> None:
    check_names(dumped(model(), compress))


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_the_scan_finds_the_names_that_the_unpickler_resolves(model, protocol: int, tmp_path: Path) -> None:
    data = pickle.dumps(model(), protocol=protocol)
    (tmp_path / "model.pkl").write_bytes(data)
    with (tmp_path / "model.pkl").open("rb") as file:
        recorder = _Recorder(file)
        recorder.load()
    assert set(find_names(data)) == recorder.names
    check_names(data)


def test_arrays_of_every_kind_are_skipped() -> None:
    arrays = [
        np.arange(6.0).reshape(2, 3),
        np.zeros((0, 4), dtype=np.int8),
        np.array(5),
        np.array([True, False]),
        np.array(["a", "bcd"]),
        np.array([b"a", b"bcd"]),
        np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]),
        np.array([{"nested": np.arange(3)}, None], dtype=object),
        np.asfortranarray(np.arange(1_000).reshape(10, 100)),
    ]
    names = find_names(dumped([*arrays, FunctionTransformer(np.log1p)], 0))
    assert ("sklearn.preprocessing._function_transformer", "FunctionTransformer") in names


def test_boosted_trees_with_native_categories_are_accepted() -> None:
    check_names(dumped(fitted("boosting-small-native-categories")))


def test_all_names_are_listed_at_once_with_the_way_out() -> None:
    model = Pipeline([("a", FunctionTransformer(os.path.exists)), ("b", FunctionTransformer(textwrap.dedent))])
    with pytest.raises(DisallowedNamesError, match="--trust-pickle") as caught:
        check_names(dumped(model))
    assert caught.value.names == ("genericpath.exists", "textwrap.dedent")


def test_the_names_of_a_class_that_travels_in_its_pickle_are_listed() -> None:
    class Ratios(BaseEstimator):
        share: float

        def __init__(self, share: float = 0.5) -> None:
            self.share = share

    Ratios.__module__ = "__main__"
    for protocol in range(2, 6):
        with pytest.raises(DisallowedNamesError, match="--trust-pickle") as caught:
            check_names(cloudpickle.dumps(Pipeline([("ratios", Ratios())]), protocol=protocol))
        assert "cloudpickle.cloudpickle._make_skeleton_class" in caught.value.names


@pytest.mark.fault(13)
def test_fault_13_a_scan_runs_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    joblib.load(_file(tmp_path, harmful_pickles(canary)["os.system"]))
    assert canary.exists(), "the pickle must be harmful, or its silence proves nothing"
    canary.unlink()
    for data in (*harmful_pickles(canary).values(), *scoring_pickles(canary).values()):
        with contextlib.suppress(Exception):
            find_names(unpack(data))
        assert not canary.exists()


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("sklearn.ensemble._forest", "np.os.system"),
        ("sklearn.tests.test_base", "os"),
        ("numpy.testing", "os"),
        ("numpy.ctypeslib", "load_library"),
        ("builtins", "getattr"),
        ("builtins", "eval"),
        ("sklearnish.base", "BaseEstimator"),
        ("__builtin__", "eval"),
    ],
)
def test_fault_13_a_name_outside_the_packages_of_models_is_not_allowed(module: str, name: str) -> None:
    assert not is_allowed(module, name)


@pytest.mark.fault(11)
@pytest.mark.parametrize("compress", [0, 3, ("xz", 3), ("bz2", 3)])
def test_fault_11_a_truncated_pickle_is_refused_wherever_it_is_cut(compress) -> None:
    data = dumped(small_boosted(), compress)
    for cut in {1, 2, 10, *range(100, len(data), len(data) // 20), len(data) - 1}:
        with pytest.raises(UnreadablePickleError):
            check_names(data[:cut])


@pytest.mark.fault(11)
def test_fault_11_a_small_file_that_unpacks_to_a_large_one_is_refused() -> None:
    for compress in (("zlib", 9), ("gzip", 9), ("bz2", 9), ("xz", 1)):
        with pytest.raises(UnreadablePickleError, match="more than a model may have"):
            unpack(dumped(bytes(5_000_000), compress), 1_000_000)


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"\n\n<html>", "web page"),
        (b"PK\x03\x04" + bytes(40), "zip archive"),
        (b"is_late\n0\n1\n", "isn't a complete pickle"),
        (bytes(100), "isn't a complete pickle"),
        (b"\x78\x9c" + bytes(100), "damaged"),
        (b"\x04\x22\x4d\x18" + bytes(100), "isn't a complete pickle"),
        (b"\x80\x04\x8c\x01xQ.", "isn't a complete pickle"),
    ],
)
def test_fault_11_another_file_saved_as_pkl_is_refused_by_its_kind(content: bytes, hint: str) -> None:
    with pytest.raises(UnreadablePickleError, match=hint):
        check_names(content)


def test_a_pickle_that_carries_code_says_how_to_publish_it() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    with pytest.raises(DisallowedNamesError, match=r"cloudpickle\)\. If you made it, publish it with --trust-pickle"):
        check_names(cloudpickle.dumps(FunctionTransformer(lambda features: features)))
    with pytest.raises(DisallowedNamesError, match=r"by cloudpickle\.dump"):
        check_names(pickle.dumps(Calls(Calls, 1), 2).replace(b"cmodel_kit\n", b"c__main__\n"))


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "file.pkl"
    path.write_bytes(content)
    return path
