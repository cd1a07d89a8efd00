"""What may be wrong with a model version: faults 11 to 14. Whatever it is, the version in charge keeps serving."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from model_artifact.errors import ModelProcessError
from model_artifact.loading import begin_version
from model_artifact.opening.signature import Signer
from model_artifact.schema import NUMERIC_NAMES, TARGET
from model_kit import OpenedHere
from model_registry.alias import RoutingConfig
from model_registry.manifest import Manifest
from model_registry.reader import RegistryReader
from registry_kit import TRUST, signed
from tests.contract.predict_api.api_kit import RECORD, TTL_S, Function, Registry, believe, logs, metrics
from tests.contract.predict_api.loans_kit import as_features, loans, pickled

WEB_PAGE = b"<!DOCTYPE html><html><body>404: not here</body></html>"


def dumped(model: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def with_flipped_bit(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


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


def assert_refused_and_first_version_serves(
    registry: Registry, version: int, capsys: pytest.CaptureFixture[str], says: str
) -> None:
    """Point the alias at a bad version under a running function, and start another one."""
    function = Function(registry)
    capsys.readouterr()
    registry.writer.assign("live", version)
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == 1
    output = capsys.readouterr().out
    [refusal] = logs(output, "model version not loaded; the versions in charge stay")
    assert refusal["model_version"] == version
    assert says in f"{refusal['error']}: {refusal['reason']}"
    assert [line["model_version"] for line in metrics(output, "ModelLoadFailures")] == [str(version)]
    # One that starts now answers by the revision before.
    cold = Function(registry)
    assert cold.post(RECORD).version == 1
    assert cold.get("/readyz").status == 200
    registry.writer.assign("live", 1)
    cold.clock.advance(TTL_S)
    assert cold.post(RECORD).version == 1


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


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.target}",)


class NestedBomb(Bomb):
    """The same, inside something harmless."""

    def __reduce__(self) -> Any:
        return dict, ([("steps", [Bomb(self.target)])],)


@pytest.mark.fault(12)
@pytest.mark.fault(13)
def test_fault_12_13_nothing_is_unpickled_before_its_hash_matches(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "control"))
    pickle.loads(bomb)
    assert (tmp_path / "control").exists(), "the bomb must work, or its silence proves nothing"
    # A trusted signature and the right size do not help: the hash comes first.
    version = registry.publish(pickled(seed=2))
    size = len(registry.get(f"versions/{version}/model.pkl"))
    registry.put(f"versions/{version}/model.pkl", pickle.dumps(Bomb(tmp_path / "effect")).ljust(size, b"\0"))
    function = Function(registry)
    registry.writer.assign("live", version)
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == 1
    assert not (tmp_path / "effect").exists()
    assert "sha256" in capsys.readouterr().out


@pytest.mark.fault(13)
@pytest.mark.parametrize("kind", [Bomb, NestedBomb])
@pytest.mark.parametrize("dump", [pickle.dumps, dumped], ids=["pickle", "joblib"])
@pytest.mark.parametrize("forge", ["strip", "stranger", "tamper"])
def test_fault_13_a_pickle_that_no_trusted_publisher_signed_is_refused_before_any_effect(
    registry: Registry,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: type[Bomb],
    dump: Callable[[object], bytes],
    forge: str,
) -> None:
    version = registry.publish(dump(kind(tmp_path / "effect")), inspect=believe)
    key = f"versions/{version}/manifest.json"
    manifest = Manifest.from_json(registry.get(key))
    forged = {
        "strip": replace(manifest, signature=None),
        "stranger": Signer.generate().sign(manifest),
        "tamper": replace(manifest, threshold=replace(manifest.threshold, value=0.123)),
    }
    registry.put(key, forged[forge].to_json())
    assert_refused_and_first_version_serves(registry, version, capsys, "UntrustedVersionError")
    assert not (tmp_path / "effect").exists()


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
    ("model", "says"),
    [
        (lambda: fitted(columns=9), "9 columns"),
        (lambda: fitted(columns=11), "11 columns"),
        (regressor, "no predict_proba"),
        (lambda: fitted(labels=("late", "on time")), "classes"),
    ],
    ids=["nine columns", "eleven columns", "regressor", "text labels"],
)
def test_fault_14_model_that_can_not_serve_is_refused(
    registry: Registry, capsys: pytest.CaptureFixture[str], model: Callable[[], bytes], says: str
) -> None:
    assert_refused_and_first_version_serves(registry, registry.publish(model()), capsys, says)


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


class _Crashing(OpenedHere):
    """A pickle whose process ends as soon as it scores anything but probe records."""

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        if any("loan_id" in record for record in records):
            raise ModelProcessError("The model's process ended while it scored 1 records.")
        return super().late_probabilities(records)


@pytest.mark.fault(13)
@pytest.mark.parametrize("weights", [None, {2: 0.5}], ids=["main version", "canary"])
def test_fault_13_a_version_that_crashes_while_scoring_costs_no_request(
    capsys: pytest.CaptureFixture[str], weights: dict[int, float] | None
) -> None:
    registry = Registry()
    first, second = registry.publish(pickled(seed=1)), registry.publish(pickled(seed=2))

    def load(reader: RegistryReader, version: int) -> Any:
        return begin_version(reader, version, TRUST, _Crashing if version == second else OpenedHere)

    registry.writer.assign("live", first)
    function = Function(registry, load)
    if weights is None:
        registry.writer.assign("live", second)
    else:
        registry.writer.assign("live", first, routing_config=RoutingConfig(weights))
    function.clock.advance(TTL_S)
    answers = [function.post({**RECORD, "loan_id": f"loan {number}"}) for number in range(20)]
    assert {(answer.status, answer.version) for answer in answers} == {(200, first)}
    [refusal] = logs(capsys.readouterr().out, "model version not loaded; the versions in charge stay")
    assert (refusal["model_version"], refusal["error"]) == (second, "ModelProcessError")
