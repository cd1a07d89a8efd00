"""A candidate is looked at in a child process, which tells a model from everything else and survives all of it."""

from __future__ import annotations

import copy
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from model_artifact.features import frame_from_records
from model_artifact.libraries import running_environment
from model_artifact.opening.allow_list import DEFAULT
from model_artifact.opening.inspection import find_categories_in_child, inspect_in_child
from model_artifact.pipeline import late_probabilities
from model_artifact.schema import FIELD_NAMES, GRADES
from model_kit import Calls, dumped, harmful_pickles, scoring_pickles, small_boosted, small_forest, small_quarter
from model_registry.errors import CandidateRefusedError
from processes import children
from training.probe_records import PROBE_RECORDS


def _refusal(data: bytes, **options: object) -> str:
    with pytest.raises(CandidateRefusedError) as caught:
        inspect_in_child(data, PROBE_RECORDS, **options)
    return str(caught.value)


def test_a_model_is_described_as_it_is() -> None:
    inspection = inspect_in_child(dumped(small_forest()), PROBE_RECORDS)
    expected = late_probabilities(small_forest(), frame_from_records(PROBE_RECORDS))
    assert inspection.environment == running_environment()
    assert inspection.classes == (0, 1)
    assert inspection.probe_probabilities == tuple(expected.tolist())


@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_the_labels_that_the_encoders_know_are_found(model) -> None:
    categories = find_categories_in_child(dumped(model()))
    assert set(categories) == {"purpose", "grade", "emp_length", "home_ownership"}
    assert set(categories["grade"]) <= set(GRADES)
    assert "10+ years" in categories["emp_length"]


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (dumped({"model": 1}), "dict"),
        (dumped(small_boosted())[:-20], "cut off"),
    ],
    ids=["zero bytes", "web page", "wrong object", "truncated"],
)
def test_fault_11_what_is_no_model_is_refused_at_publish(content: bytes, said: str) -> None:
    assert said in _refusal(content)


@pytest.mark.fault(13)
@pytest.mark.parametrize("name", ["os.system", "nested in a model", "in an array of objects", "numpy's ctypes"])
def test_fault_13_malicious_pickle_is_refused_at_publish_before_any_side_effect(name: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    assert "isn't among the names" in _refusal(harmful_pickles(canary)[name])
    assert not canary.exists()


@pytest.mark.fault(13)
def test_fault_13_even_what_the_operator_allowed_can_do_nothing_in_the_child(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    allowed = DEFAULT.with_names(["posix.system", "nt.system", "io.open", "_io.open"])
    for call in (Calls(os.system, f"touch '{canary}'"), Calls(open, str(canary), "w")):
        assert "may not do this" in _refusal(dumped(call), allow_list=allowed)
        assert not canary.exists()


@pytest.mark.fault(13)
@pytest.mark.parametrize("name", ["expression by stacking", "class in a method's place"])
def test_fault_13_a_pickle_of_estimators_that_run_a_command_when_they_score_is_refused_at_publish(
    name: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("MODEL_BUCKET", "models")
    canary = tmp_path / "canary"
    assert "isn't among the names" in _refusal(scoring_pickles(canary)[name])
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
    ("make", "said"),
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
def test_fault_14_what_can_not_serve_is_refused_at_publish_with_both_sides_named(make, said: str) -> None:
    assert said in _refusal(make())


@pytest.mark.fault(14)
def test_fault_14_a_model_that_fails_on_a_gap_is_refused_at_publish() -> None:
    quarter = small_quarter()
    # No imputer and an encoder that raises on what it does not know.
    strict = copy.deepcopy(small_boosted())
    strict[0].transformers[2][1].set_params(handle_unknown="error", unknown_value=None)
    strict.fit(quarter.features, quarter.target)
    assert "can't score the probe records" in _refusal(dumped(strict))


@pytest.mark.fault(13)
def test_fault_13_a_pickle_that_never_ends_is_given_up_and_its_process_ended() -> None:
    sleeper = Calls(time.sleep, 600)
    before = children(os.getpid())
    refusal = _refusal(dumped(sleeper), timeout_s=6, allow_list=DEFAULT.with_names(["time.sleep"]))
    assert "within 6 s" in refusal
    assert children(os.getpid()) == before


@pytest.mark.fault(13)
def test_fault_13_a_pickle_that_crashes_the_child_is_refused_with_how_it_ended() -> None:
    refusal = _refusal(dumped(Calls(os.abort)), allow_list=DEFAULT.with_names(["posix.abort"]))
    assert "SIGABRT" in refusal


@pytest.mark.fault(13)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="address space limits are POSIX")
def test_fault_13_a_pickle_that_eats_the_memory_is_refused() -> None:
    assert "MemoryError" in _refusal(
        dumped(Calls(bytearray, 64 << 30)), allow_list=DEFAULT.with_names(["builtins.bytearray"])
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process's peak is not told elsewhere")
def test_a_model_that_takes_more_memory_than_the_function_has_is_refused_with_both_figures() -> None:
    refusal = _refusal(dumped(small_boosted()), peak_limit_mib=20)
    assert re.search(r"took \d+ MiB of memory at its peak, more than the 20 MiB", refusal)


@pytest.mark.fault(11)
def test_fault_11_a_pickle_that_unpacks_to_more_than_the_function_holds_is_refused_with_the_limit() -> None:
    ballast = pickle.loads(pickle.dumps(small_boosted()))
    ballast[-1].train_score_ = np.zeros((257 << 20) // 8)
    assert "more than 268,435,456" in _refusal(dumped(ballast))


def test_the_child_gets_no_credentials(monkeypatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    allowed = DEFAULT.with_names(["os.getenv"])
    # What the pickle holds is the variable's value; the refusal names its type: None in the child.
    assert "NoneType" in _refusal(pickle.dumps(Calls(os.getenv, "AWS_SECRET_ACCESS_KEY")), allow_list=allowed)


PARENT = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from model_artifact.opening.allow_list import DEFAULT
from model_artifact.opening.inspection import inspect_in_child
inspect_in_child(Path(sys.argv[1]).read_bytes(), (), timeout_s=600, allow_list=DEFAULT.with_names(["time.sleep"]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the child by PR_SET_PDEATHSIG")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_the_child_ends_with_its_parent_and_leaves_no_file(tmp_path: Path, ending: signal.Signals) -> None:
    slow = tmp_path / "slow.pkl"
    slow.write_bytes(pickle.dumps(Calls(time.sleep, 600)))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(slow), *sys.path], env=environment)
    try:
        child = wait_for(lambda: Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split())[0]
        wait_for(lambda: b"model_artifact.opening.child" in Path(f"/proc/{child}/cmdline").read_bytes())
    finally:
        parent.send_signal(ending)
        parent.wait(timeout=60)
    wait_for(lambda: has_ended(child))
    assert list(temporary.iterdir()) == []


def has_ended(pid: str) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def wait_for(find: Callable[[], Any]) -> Any:
    """Return what ``find`` returns once it is true."""
    for _ in range(1200):
        if found := find():
            return found
        time.sleep(0.05)
    pytest.fail("waited in vain")
