"""Pickles that do harm: nothing of them runs before hash and signature are right, and a crash costs no request."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_artifact.errors import ModelProcessError
from model_artifact.loading import begin_version
from model_artifact.opening.signature import Signer
from model_kit import OpenedHere, dumped
from model_registry.alias import RoutingConfig
from model_registry.manifest import Manifest
from model_registry.reader import RegistryReader
from registry_kit import TRUST
from tests.contract.predict_api.api_kit import RECORD, TTL_S, Function, Registry, believe, logs
from tests.contract.predict_api.loans_kit import pickled
from tests.contract.predict_api.model_faults import assert_refused_and_first_version_serves


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

    def load(reader: RegistryReader, version: int, **_options: bool) -> Any:
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


@pytest.mark.fault(13)
def test_fault_13_several_versions_that_crash_while_scoring_are_all_refused() -> None:
    registry = Registry()
    first, second, third = (registry.publish(pickled(seed=seed)) for seed in (1, 2, 3))

    def load(reader: RegistryReader, version: int, **_options: bool) -> Any:
        return begin_version(reader, version, TRUST, OpenedHere if version == first else _Crashing)

    registry.writer.assign("live", first)
    function = Function(registry, load)
    for version in (second, third):
        registry.writer.assign("live", version)
        function.clock.advance(TTL_S)
        function.get("/readyz")
    answer = function.post({**RECORD, "loan_id": "loan"})
    assert (answer.status, answer.version) == (200, first)


@pytest.mark.fault(13)
def test_fault_13_where_every_version_crashes_the_answer_is_that_none_is_loaded() -> None:
    registry = Registry()
    registry.writer.assign("live", registry.publish(pickled(seed=1)))
    registry.writer.assign("live", registry.publish(pickled(seed=2)))

    def load(reader: RegistryReader, version: int, **_options: bool) -> Any:
        return begin_version(reader, version, TRUST, _Crashing)

    function = Function(registry, load)
    answer = function.post({**RECORD, "loan_id": "loan"})
    assert answer.status == 503
