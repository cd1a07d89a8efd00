"""A model is loaded from every form that it is pickled in; whatever else a pickle says is refused before it is done."""

from __future__ import annotations

import io
import pickle
import random
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree._tree import Tree

from model_artifact.errors import ArtifactError, DisallowedNameError, LibraryMismatchError, UnreadablePickleError
from model_artifact.features import frame_from_records
from model_artifact.opening.allow_list import DEFAULT
from model_artifact.opening.load import load_pipeline
from model_artifact.pipeline import late_probabilities
from model_kit import dumped, harmful_pickles, scoring_pickles, small_boosted, small_forest, small_quarter
from training.probe_records import PROBE_RECORDS


def _fitted_kinds() -> dict[str, object]:
    quarter = small_quarter()
    features, target = quarter.features, quarter.target
    columns = small_forest()[:-1]

    def with_columns(model: object) -> Pipeline:
        encoded = columns.transform(features)
        return Pipeline(
            [*columns.steps, ("scale", StandardScaler().fit(encoded)), ("model", model.fit(encoded, target))]  # type: ignore[attr-defined]
        )

    return {
        "forest": small_forest(),
        "boosted": small_boosted(),
        "logistic": with_columns(LogisticRegression(max_iter=2000, C=0.01, solver="liblinear")),
        "gradient boosting": with_columns(GradientBoostingClassifier(n_estimators=3)),
        "isotonic": CalibratedClassifierCV(small_boosted(), method="isotonic", cv=2).fit(features, target),
        "sigmoid": CalibratedClassifierCV(small_boosted(), method="sigmoid", cv=2).fit(features, target),
    }


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_every_form_that_joblib_writes_gives_the_same_probabilities(model, compress) -> None:
    features = small_quarter().features
    loaded = load_pipeline(dumped(model(), compress))
    assert np.array_equal(loaded.predict_proba(features), model().predict_proba(features))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_a_plain_pickle_of_every_protocol_gives_the_same_probabilities(model, protocol: int) -> None:
    features = small_quarter().features
    loaded = load_pipeline(pickle.dumps(model(), protocol=protocol))
    assert np.array_equal(loaded.predict_proba(features), model().predict_proba(features))


def test_the_usual_kinds_of_classifiers_can_be_loaded() -> None:
    features = small_quarter().features
    for name, model in _fitted_kinds().items():
        loaded = load_pipeline(dumped(model))
        assert np.array_equal(loaded.predict_proba(features), model.predict_proba(features)), name  # type: ignore[attr-defined]


def test_what_is_loaded_runs_in_one_thread_and_says_nothing() -> None:
    quarter = small_quarter()
    forest = RandomForestClassifier(2, n_jobs=2, verbose=1)
    forest.fit(small_forest()[:-1].transform(quarter.features), quarter.target)
    loaded = load_pipeline(dumped(Pipeline([*small_forest().steps[:-1], ("forest", forest)])))
    assert loaded[-1].n_jobs == 1
    assert loaded[-1].verbose == 0
    assert loaded[0].n_jobs == 1


@pytest.mark.fault(11)
@pytest.mark.parametrize("compress", [0, 3, ("xz", 3)])
def test_fault_11_truncated_pickle_is_refused_wherever_it_is_cut(compress) -> None:
    data = dumped(small_boosted(), compress)
    for cut in {0, 1, 2, 10, *range(100, len(data), len(data) // 40), len(data) - 9, len(data) - 1}:
        with pytest.raises(UnreadablePickleError):
            load_pipeline(data[:cut])


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"\n\n<html>", "web page"),
        (b"PK\x03\x04" + bytes(40), "zip archive"),
        (b"is_late\n0\n1\n", "no complete pickle"),
        (bytes(100), "no complete pickle"),
        (b"\x78\x9c" + bytes(100), "no complete pickle"),
        (b"\x04\x22\x4d\x18" + bytes(100), "no complete pickle"),
    ],
)
def test_fault_11_another_file_saved_as_pkl_is_refused_by_its_kind(content: bytes, hint: str) -> None:
    with pytest.raises(UnreadablePickleError, match=hint):
        load_pipeline(content)


@pytest.mark.fault(11)
@pytest.mark.parametrize("compress", [0, 3])
def test_fault_11_bytes_after_the_pickle_are_refused(compress: int) -> None:
    with pytest.raises(UnreadablePickleError, match="follow"):
        load_pipeline(dumped(small_boosted(), compress) + b"more")


@pytest.mark.fault(11)
def test_fault_11_a_small_file_that_unpacks_to_a_large_one_is_refused() -> None:
    with pytest.raises(UnreadablePickleError, match="more bytes"):
        load_pipeline(dumped(bytes(50_000_000), ("zlib", 9)), max_unpacked_bytes=10_000_000)


@pytest.mark.fault(12)
@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_fault_12_one_flipped_bit_is_an_artifact_error_or_still_a_model(model) -> None:
    data = dumped(model(), 0)
    draws = random.Random(12)
    refused = 0
    for _ in range(150):
        flipped = bytearray(data)
        flipped[draws.randrange(len(data))] ^= 1 << draws.randrange(8)
        try:
            load_pipeline(bytes(flipped))
        except ArtifactError:
            refused += 1
    assert refused > 0


@pytest.mark.fault(13)
def test_fault_13_malicious_pickles_are_refused_before_any_side_effect(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    predict_proba = RandomForestClassifier.predict_proba
    for name, data in harmful_pickles(canary).items():
        with pytest.raises(ArtifactError):
            load_pipeline(data)
        assert not canary.exists(), name
    assert RandomForestClassifier.predict_proba is predict_proba


@pytest.mark.fault(13)
def test_fault_13_a_pickle_of_estimators_that_run_a_command_when_they_score_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MODEL_BUCKET", "models")
    canary = tmp_path / "canary"
    for name, data in scoring_pickles(canary).items():
        with pytest.raises(DisallowedNameError):
            late_probabilities(load_pipeline(data), frame_from_records(PROBE_RECORDS))
        assert not canary.exists(), name


@pytest.mark.fault(13)
def test_fault_13_the_command_would_run_if_the_pickle_were_loaded_and_scored_as_usual(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MODEL_BUCKET", "models")
    canary = tmp_path / "canary"
    pipeline = joblib.load(io.BytesIO(scoring_pickles(canary)["expression by stacking"]))
    pipeline.predict_proba(frame_from_records(PROBE_RECORDS))
    assert canary.exists()


@pytest.mark.fault(13)
@pytest.mark.parametrize("name", ["predict_proba", "n_jobs_", "_in_fit", "__class__", "__dict__", "named_steps"])
def test_fault_13_an_attribute_that_the_class_does_not_have_is_refused(name: str) -> None:
    estimator = _string("sklearn.pipeline") + _string("Pipeline") + pickle.STACK_GLOBAL
    state = pickle.EMPTY_DICT + _string(name) + pickle.NONE + pickle.SETITEM
    with pytest.raises(DisallowedNameError, match=name):
        load_pipeline(b"\x80\x04" + estimator + pickle.EMPTY_TUPLE + pickle.NEWOBJ + state + pickle.BUILD + pickle.STOP)


@pytest.mark.fault(13)
@pytest.mark.parametrize("ending", [pickle.EMPTY_TUPLE + pickle.REDUCE, pickle.NONE + pickle.TUPLE1 + pickle.NEWOBJ])
def test_fault_13_an_estimator_is_neither_called_nor_given_arguments(ending: bytes) -> None:
    estimator = _string("sklearn.pipeline") + _string("Pipeline") + pickle.STACK_GLOBAL
    with pytest.raises(DisallowedNameError, match="Pipeline"):
        load_pipeline(b"\x80\x04" + estimator + ending + pickle.STOP)


@pytest.mark.fault(13)
def test_fault_13_the_canary_would_appear_if_the_pickle_were_loaded_as_usual(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    joblib.load(io.BytesIO(harmful_pickles(canary)["os.system"]))
    assert canary.exists()


@pytest.mark.fault(13)
def test_fault_13_a_module_that_is_not_allowed_is_not_even_imported(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "foreign.py").write_text("import pathlib; pathlib.Path(__file__).with_name('canary').touch()")
    with pytest.raises(DisallowedNameError) as caught:
        load_pipeline(b"\x80\x04\x8c\x07foreign\x8c\x05Model\x93.")
    assert caught.value.name == "foreign.Model"
    assert not (tmp_path / "canary").exists()


def test_the_operator_may_allow_further_names() -> None:
    data = b"\x80\x04\x8c\x09fractions\x8c\x08Fraction\x93."
    with pytest.raises(DisallowedNameError):
        load_pipeline(data)
    assert load_pipeline(data, DEFAULT.with_names(["fractions.Fraction"])).__name__ == "Fraction"


@pytest.mark.parametrize("name", ["os", "os.", "a b.c", "os.path:join"])
def test_an_allowed_name_must_be_a_full_one(name: str) -> None:
    with pytest.raises(ValueError, match="no full name"):
        DEFAULT.with_names([name])


@pytest.mark.fault(14)
@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_fault_14_pickled_with_another_scikit_learn_names_both_sides(model) -> None:
    import sklearn

    data = dumped(model(), 0).replace(b"\x8c\x051.9.1", b"\x8c\x050.8.7")
    assert data != dumped(model(), 0), "the pinned scikit-learn changed: change the version in this test"
    with pytest.raises(LibraryMismatchError) as caught:
        load_pipeline(data)
    assert (caught.value.pickled_with, caught.value.running) == ("0.8.7", sklearn.__version__)
    assert "0.8.7" in str(caught.value)


@pytest.mark.fault(14)
def test_fault_14_a_name_of_another_scikit_learn_is_reported_as_its_version() -> None:
    data = (
        dumped(small_boosted(), 0)
        .replace(b"\x8c\x051.9.1", b"\x8c\x050.8.7")
        .replace(b"TreePredictor", b"TreePredicter")
    )
    with pytest.raises(LibraryMismatchError, match=r"0\.8\.7"):
        load_pipeline(data)


def _string(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def _wider_tree(forest: Any, feature: int) -> Tree:
    """A forest's first tree with a forged deep node: it splits by a column that only the tree itself says there is."""
    state = forest.estimators_[0].tree_.__getstate__()
    nodes = state["nodes"].copy()
    nodes["feature"][np.flatnonzero(nodes["left_child"] != -1)[-1]] = feature
    tree = Tree(1 << 18, np.array([2], dtype=np.intp), 1)
    tree.__setstate__({**state, "nodes": nodes})
    return tree


@pytest.mark.fault(13)
@pytest.mark.parametrize("says_so_too", ["nothing", "the tree's estimator", "the forest"])
def test_fault_13_a_rare_branch_by_a_column_that_no_row_has_is_refused(says_so_too: str) -> None:
    model = pickle.loads(pickle.dumps(small_forest()))
    forest = model[-1]
    forest.estimators_[0].tree_ = _wider_tree(forest, 200_000)
    if says_so_too != "nothing":
        forest.estimators_[0].n_features_in_ = 1 << 18
    if says_so_too == "the forest":
        for tree in forest.estimators_[1:]:
            tree.tree_, tree.n_features_in_ = forest.estimators_[0].tree_, 1 << 18
        forest.n_features_in_ = 1 << 18
        # Then scikit-learn itself refuses each row, of which it compares the width with the forest's.
        with pytest.raises(ValueError, match="expecting 262144 features"):
            load_pipeline(dumped(model)).predict_proba(small_quarter().features)
    else:
        with pytest.raises(UnreadablePickleError, match="damaged"):
            load_pipeline(dumped(model))


@pytest.mark.fault(13)
@pytest.mark.parametrize("where", ["categories", "bins", "columns", "no columns"])
def test_fault_13_boosted_model_that_would_read_outside_its_rows_or_bitsets_is_refused(where: str) -> None:
    model = pickle.loads(pickle.dumps(small_boosted()))
    trees = model[-1]
    if where == "categories":
        trees._predictors[0][0].nodes["is_categorical"][0] = 1
    elif where == "bins":
        trees._bin_mapper.is_categorical_ = np.ones(10, dtype=bool)
    elif where == "columns":
        trees._bin_mapper.is_categorical_ = np.zeros(3, dtype=bool)
    else:
        del trees.n_features_in_
    with pytest.raises(UnreadablePickleError, match="damaged"):
        load_pipeline(dumped(model))


@pytest.mark.fault(13)
@pytest.mark.parametrize("attribute", ["_n_features_outs", "categories_", "_drop_idx_after_grouping"])
def test_fault_13_one_hot_columns_that_are_not_those_of_the_labels_are_refused(attribute: str) -> None:
    model = pickle.loads(pickle.dumps(small_forest()))
    encoder = model[0].transformers_[1][1][-1]
    forged = {
        "_n_features_outs": [1, *encoder._n_features_outs[1:]],
        "categories_": [encoder.categories_[0][:-1], *encoder.categories_[1:]],
        "_drop_idx_after_grouping": np.array([99, None, None, None], dtype=object),
    }
    setattr(encoder, attribute, forged[attribute])
    with pytest.raises(UnreadablePickleError, match="encoder"):
        load_pipeline(dumped(model))


def _with_nodes(field: str, value: int) -> bytes:
    """A boosted model whose first tree's root was tampered with."""
    model = pickle.loads(pickle.dumps(small_boosted()))
    model[-1]._predictors[0][0].nodes[field][0] = value
    return dumped(model)


@pytest.mark.fault(13)
@pytest.mark.parametrize(("field", "value"), [("left", 0), ("right", 4_000_000), ("feature_idx", 10)])
def test_fault_13_boosted_tree_that_leads_outside_itself_is_refused(field: str, value: int) -> None:
    with pytest.raises(UnreadablePickleError, match="damaged"):
        load_pipeline(_with_nodes(field, value))


@pytest.mark.fault(13)
@pytest.mark.parametrize(("field", "value"), [("left_child", 0), ("right_child", 4_000_000), ("feature", 10_000)])
def test_fault_13_forest_tree_that_leads_outside_itself_is_refused(field: str, value: int) -> None:
    model = pickle.loads(pickle.dumps(small_forest()))
    tree = model[-1].estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"][field][0] = value
    tree.__setstate__(state)
    with pytest.raises(UnreadablePickleError, match="damaged"):
        load_pipeline(dumped(model))
