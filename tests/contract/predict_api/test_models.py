"""Broken, foreign and unsuitable model versions (faults 11, 12 and 14): the version in charge keeps serving."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from model_artifact.schema import NUMERIC_NAMES, TARGET
from model_kit import dumped
from model_registry.alias import RoutingConfig
from registry_kit import signed
from tests.contract.predict_api.api_kit import RECORD, TTL_S, Function, Registry, logs, metrics
from tests.contract.predict_api.loans_kit import as_features, loans, pickled
from tests.contract.predict_api.model_faults import (
    WEB_PAGE,
    assert_refused_and_first_version_serves,
    with_flipped_bit,
)


def fitted(columns: int = 10, labels: tuple[object, object] = (0, 1)) -> bytes:
    """Return a model on too few or too many columns, or with other labels."""
    frame = as_features(loans().head(200))
    frame = frame.assign(extra=1.0) if columns > 10 else frame[list(frame.columns)[:columns]]
    target = np.array(labels)[np.arange(200) % 2]
    return dumped(Pipeline([("model", DummyClassifier(strategy="prior"))]).fit(frame, target))


def regressor() -> bytes:
    frame = loans().head(200).dropna()
    numbers = ColumnTransformer([("numbers", "passthrough", list(NUMERIC_NAMES))])
    model = Pipeline([("columns", numbers), ("model", RandomForestRegressor(2))])
    return dumped(model.fit(as_features(frame), frame[TARGET]))


def nan_for_zero_utilisation() -> bytes:
    """Return a model that is well until a loan uses nothing of its credit: infinity times zero isn't a number."""
    frame = as_features(loans().head(500)).dropna()
    numbers = ColumnTransformer([("numbers", "passthrough", ["revol_util"])])
    model = Pipeline([("columns", numbers), ("model", LogisticRegression())])
    model.fit(frame, np.arange(len(frame)) % 2)
    model[-1].coef_[:] = np.inf
    return dumped(model)


def edit_manifest(registry: Registry, version: int, edit: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(registry.get(f"versions/{version}/manifest.json"))
    edit(document)
    registry.put(f"versions/{version}/manifest.json", signed(document))


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    "broken",
    [lambda body: body[: len(body) // 2], lambda body: b"", lambda body: WEB_PAGE],
    ids=["truncated", "zero bytes", "a web page"],
)
def test_fault_11_pickle_that_was_broken_in_the_bucket_is_refused(
    registry: Registry, broken: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    version = registry.publish(pickled(seed=2))
    registry.put(f"versions/{version}/model.pkl", broken(registry.get(f"versions/{version}/model.pkl")))
    assert_refused_and_first_version_serves(registry, version, capsys, "ArtifactMismatchError")


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    "content",
    [lambda: pickled()[:1000], lambda: WEB_PAGE, lambda: dumped({"a": 1}), lambda: dumped("a model"), lambda: b"\x80"],
    ids=["truncated", "a web page", "a dict", "a text", "one byte"],
)
def test_fault_11_what_was_never_a_model_is_refused_though_its_hash_is_right(
    registry: Registry, content: Callable[[], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    version = registry.publish(content())
    assert_refused_and_first_version_serves(registry, version, capsys, "Error: ")


@pytest.mark.fault(11)
def test_fault_11_missing_pickle_or_manifest_is_refused(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("model.pkl", "manifest.json"):
        version = registry.publish(pickled(seed=2 if name == "model.pkl" else 3))
        function = Function(registry)
        registry.writer.assign("live", version)
        registry.store.delete(f"late-payer/versions/{version}/{name}")
        function.clock.advance(TTL_S)
        assert function.post(RECORD).version == 1
        assert metrics(capsys.readouterr().out, "ModelLoadFailures")
        registry.writer.assign("live", 1)


@pytest.mark.fault(12)
def test_fault_12_flipped_bit_is_refused(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    version = registry.publish(pickled(seed=2))
    registry.put(f"versions/{version}/model.pkl", with_flipped_bit(registry.get(f"versions/{version}/model.pkl")))
    assert_refused_and_first_version_serves(registry, version, capsys, "sha256")


@pytest.mark.fault(12)
def test_fault_12_pickles_swapped_between_versions_are_refused(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    version = registry.publish(pickled(seed=2))
    registry.put(f"versions/{version}/model.pkl", pickled())
    assert_refused_and_first_version_serves(registry, version, capsys, "ArtifactMismatchError")


@pytest.mark.fault(12)
def test_fault_12_manifest_of_another_version_is_refused(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    version = registry.publish(pickled(seed=2))
    registry.put(f"versions/{version}/manifest.json", registry.get("versions/1/manifest.json"))
    registry.put(f"versions/{version}/model.pkl", registry.get("versions/1/model.pkl"))
    assert_refused_and_first_version_serves(registry, version, capsys, "InvalidManifestError")


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("library", "version"), [("scikit-learn", "1.0.2"), ("numpy", "1.26.4"), ("joblib", "0.9"), ("scikit-learn", None)]
)
def test_fault_14_other_library_versions_are_refused(
    registry: Registry, capsys: pytest.CaptureFixture[str], library: str, version: str | None
) -> None:
    published = registry.publish(pickled(seed=2))

    def edit(document: dict[str, Any]) -> None:
        document["environment"].pop(library)
        if version is not None:
            document["environment"][library] = version

    edit_manifest(registry, published, edit)
    assert_refused_and_first_version_serves(
        registry, published, capsys, f"LibraryMismatchError: The model was pickled with {library}"
    )


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: fitted(columns=9), "9 columns"),
        (lambda: fitted(columns=11), "11 columns"),
        (regressor, "no predict_proba"),
        (lambda: fitted(labels=("late", "on time")), "classes"),
    ],
    ids=["nine columns", "eleven columns", "regressor", "text labels"],
)
def test_fault_14_model_that_can_not_serve_is_refused(
    registry: Registry, capsys: pytest.CaptureFixture[str], model: Callable[[], bytes], message: str
) -> None:
    assert_refused_and_first_version_serves(registry, registry.publish(model()), capsys, message)


@pytest.mark.fault(14)
def test_fault_14_probe_records_that_score_otherwise_are_refused(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    version = registry.publish(pickled(seed=2))

    def edit(document: dict[str, Any]) -> None:
        document["probes"][1]["late_probability"] += 1e-6

    edit_manifest(registry, version, edit)
    assert_refused_and_first_version_serves(registry, version, capsys, "ProbeMismatchError")


@pytest.mark.fault(14)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_fault_14_model_that_gives_no_probability_is_a_500_without_a_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry = Registry()
    registry.writer.assign("live", registry.publish(nan_for_zero_utilisation()))
    document = json.loads(registry.get("versions/1/manifest.json"))
    # This model gives NaN for a null, too: only the probe without gaps can be kept.
    document["probes"] = [{"record": dict(RECORD), "late_probability": 1.0}]
    registry.put("versions/1/manifest.json", signed(document))
    function = Function(registry)
    assert function.post(RECORD).status == 200
    answer = function.post({"instances": [dict(RECORD), {**RECORD, "revol_util": 0}]})
    assert answer.status == 500
    assert "NaN" not in answer.body
    output = capsys.readouterr().out
    assert logs(output, "unexpected error")[0]["error"] == "NonFiniteOutputError"
    assert metrics(output, "ServerErrors")
    assert function.post(RECORD).status == 200


def test_refused_version_is_not_downloaded_again_and_again(registry: Registry) -> None:
    version = registry.publish(pickled(seed=2))
    good = registry.get(f"versions/{version}/model.pkl")
    registry.put(f"versions/{version}/model.pkl", with_flipped_bit(good))
    function = Function(registry)
    registry.writer.assign("live", version)
    for _ in range(120):
        function.clock.advance(TTL_S)
        assert function.post(RECORD).version == 1
    # 5, 10, 20, 40, 80, 160, 300 seconds between the tries.
    assert registry.store.reads_of(f"versions/{version}/model.pkl") - 1 <= 8
    registry.put(f"versions/{version}/model.pkl", good)
    function.clock.advance(300)
    assert function.post(RECORD).version == version


def test_bad_candidate_of_a_canary_leaves_the_version_beside_it_in_charge(registry: Registry) -> None:
    warm = Function(registry)
    version = registry.publish(pickled(seed=2))
    registry.put(f"versions/{version}/model.pkl", WEB_PAGE)
    registry.writer.assign("live", 1, routing_config=RoutingConfig({version: 0.9}))
    warm.clock.advance(TTL_S)
    cold = Function(registry)
    for number in range(30):
        loan = {"loan_id": f"A-{number}", **RECORD}
        assert warm.post(loan).version == 1
        assert cold.post(loan).version == 1
