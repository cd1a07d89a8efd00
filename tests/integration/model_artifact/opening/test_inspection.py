"""A candidate is looked at in a child process, which tells a model from everything else."""

from __future__ import annotations

import contextlib
import copy
import os
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from model_artifact.features import frame_from_records
from model_artifact.libraries import running_environment
from model_artifact.opening.inspection import inspect_candidate
from model_artifact.pipeline import late_probabilities
from model_artifact.schema import FIELD_NAMES, GRADES
from model_kit import Calls, dumped, harmful_pickles, scoring_pickles, small_boosted, small_forest, small_quarter
from model_registry.errors import CandidateRefusedError
from training.probe_records import PROBE_RECORDS


def _refusal(data: bytes, **options: object) -> str:
    with pytest.raises(CandidateRefusedError) as caught:
        inspect_candidate(data, PROBE_RECORDS, **options)
    return str(caught.value)


def test_a_model_is_described_as_it_is() -> None:
    inspection = inspect_candidate(dumped(small_forest()), PROBE_RECORDS)
    expected = late_probabilities(small_forest(), frame_from_records(PROBE_RECORDS))
    assert inspection.environment == running_environment()
    assert inspection.classes == (0, 1)
    assert inspection.probe_probabilities == tuple(expected.tolist())


@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_the_labels_that_the_encoders_know_are_found(model) -> None:
    categories = inspect_candidate(dumped(model()), PROBE_RECORDS).categories
    assert set(categories) == {"purpose", "grade", "emp_length", "home_ownership"}
    assert set(categories["grade"]) <= set(GRADES)
    assert "10+ years" in categories["emp_length"]


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (dumped({"model": 1}), "dict"),
        (dumped(small_boosted())[:-20], "cut off"),
    ],
    ids=["zero bytes", "web page", "wrong object", "truncated"],
)
def test_fault_11_what_is_no_model_is_refused_at_publish(content: bytes, message: str) -> None:
    assert message in _refusal(content)


@pytest.mark.fault(13)
@pytest.mark.parametrize("name", ["os.system", "nested in a model", "in an array of objects", "numpy's ctypes"])
def test_fault_13_malicious_pickle_is_refused_at_publish_before_any_side_effect(name: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    assert "names outside the packages that models are made of" in _refusal(harmful_pickles(canary)[name])
    assert not canary.exists()


@pytest.mark.fault(13)
def test_fault_13_even_what_the_operator_allowed_can_do_nothing_in_the_child(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for call in (Calls(os.system, f"touch '{canary}'"), Calls(open, str(canary), "w")):
        assert "may not do this" in _refusal(dumped(call), is_name_checked=False)
        assert not canary.exists()


@pytest.mark.fault(13)
def test_fault_13_no_harmful_pickle_reaches_out_of_its_process(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MODEL_BUCKET", "models")
    canary = tmp_path / "canary"
    allowed_names = ("a module that scikit-learn imported", "a function of scikit-learn", "raw bytes as an object")
    for data in (
        *(harmful_pickles(canary)[name] for name in allowed_names),
        scoring_pickles(canary)["expression by stacking"],
        scoring_pickles(canary)["folder to cache in"],
    ):
        # Some are refused, some crash their process, and some score as models do: nothing comes of it out here.
        with contextlib.suppress(CandidateRefusedError):
            inspect_candidate(data, PROBE_RECORDS)
        assert not canary.exists()


def _with_model(model: object, target: object = None) -> bytes:
    quarter = small_quarter()
    target = quarter.target if target is None else target
    return dumped(Pipeline([*small_boosted().steps[:-1], ("model", model)]).fit(quarter.features, target))


def _with_columns(columns: list[str]) -> bytes:
    quarter = small_quarter()
    frame = quarter.frame.reindex(columns=columns)
    return dumped(Pipeline([("model", DummyClassifier())]).fit(frame, quarter.target))


def _with_leaf(value: float) -> bytes:
    """A decision tree, one of whose leaves was tampered with to give this for both classes."""
    quarter = small_quarter()
    model = DecisionTreeClassifier(max_depth=1, random_state=0)
    pipeline = Pipeline([*small_boosted().steps[:-1], ("model", model)]).fit(quarter.features, quarter.target)
    pipeline = copy.deepcopy(pipeline)
    pipeline[-1].tree_.value[:] = value
    return dumped(pipeline)


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dumped(small_boosted(), 0).replace(b"\x8c\x051.9.1", b"\x8c\x050.8.7"), "0.8.7"),
        (lambda: _with_columns([name for name in FIELD_NAMES if name != "dti"]), "takes 9 columns, the schema has 10"),
        (lambda: _with_columns([*FIELD_NAMES, "zip_code"]), "takes 11 columns, the schema has 10"),
        (lambda: _with_model(HistGradientBoostingRegressor(max_iter=2)), "predict_proba"),
        (
            lambda: _with_model(DummyClassifier(), np.where(small_quarter().target == 1, "late", "on time")),
            "['late', 'on time']",
        ),
        (lambda: _with_leaf(np.nan), "isn't a probability"),
        (lambda: _with_leaf(1.5), "isn't a probability"),
    ],
    ids=["another scikit-learn", "nine columns", "eleven columns", "regressor", "string labels", "NaN", "above 1"],
)
def test_fault_14_what_can_not_serve_is_refused_at_publish_with_both_sides_named(make, message: str) -> None:
    assert message in _refusal(make())


@pytest.mark.fault(14)
def test_fault_14_a_model_that_fails_on_a_gap_is_refused_at_publish() -> None:
    quarter = small_quarter()
    # No imputer and an encoder that raises on what it does not know.
    strict = copy.deepcopy(small_boosted())
    strict[0].transformers[2][1].set_params(handle_unknown="error", unknown_value=None)
    strict.fit(quarter.features, quarter.target)
    assert "can't score the probe records" in _refusal(dumped(strict))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process's peak is not told elsewhere")
def test_a_model_that_takes_more_memory_than_the_function_has_is_refused_with_both_figures() -> None:
    refusal = _refusal(dumped(small_boosted()), peak_limit_mib=20)
    assert re.search(r"took \d+ MiB of memory at its peak, more than the 20 MiB", refusal)
