"""From a pickle with code of its own to an answered POST: signed, served, revoked, refused."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import joblib
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from command_line import run_peerloan
from model_kit import small_boosted, small_quarter
from peerloan.api_client import ApiClient
from peerloan.stack import Stack

# Botocore's connections are left to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

BUCKET = "peerloan-models"
RECORD = json.loads(Path("events/late-payer.json").read_text())["body"]


class Commands:
    """The command line on one local stack."""

    def __init__(self, state_dir: Path, bucket_url: str) -> None:
        self.state_dir = state_dir
        self._words = ["--state-dir", str(state_dir), "--endpoint-url", bucket_url]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", "200")
            return run_peerloan(*self._words, *words)

    def done(self, *words: str) -> str:
        ended = self.run(*words)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has no arrays."""
    return _fitted(KNeighborsClassifier(50), tmp_path_factory.mktemp("model") / "neighbours.pkl", joblib.dump)


@pytest.fixture(scope="module")
def own_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a function of the data scientist's own."""
    own = make_pipeline(FunctionTransformer(lambda features: features * 2.0), LogisticRegression(solver="liblinear"))
    return _fitted(own, tmp_path_factory.mktemp("model") / "own.pkl", _dump_by_value)


def _fitted(classifier: object, path: Path, dump: object) -> Path:
    quarter = small_quarter(1500)
    model = make_pipeline(*[step for _, step in small_boosted()[:-1].steps], _without_gaps(), classifier)
    dump(model.fit(quarter.features, quarter.target), path)  # type: ignore[operator]
    return path


def _without_gaps() -> FunctionTransformer:
    import numpy as np

    return FunctionTransformer(np.nan_to_num)


def _dump_by_value(model: object, path: Path) -> None:
    path.write_bytes(cloudpickle.dumps(model))


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[tuple[Commands, Stack, str]]:
    environ = {name: value for name, value in os.environ.items() if name != "PEERLOAN_DATA"}
    with Stack(tmp_path, BUCKET, environ) as stack:
        url = stack.start_bucket(0)
        yield Commands(tmp_path, url), stack, url


def test_ones_own_pickle_just_works_on_ones_own_stack(
    commands: tuple[Commands, Stack, str], neighbours: Path, own_code: Path
) -> None:
    peerloan, stack, bucket_url = commands
    unknown = peerloan.run("publish", str(neighbours), "--key", "alice")
    assert (unknown.returncode, "peerloan keys new alice" in unknown.stderr) == (2, True), unknown.stderr
    assert "signed by" in peerloan.done("publish", str(neighbours))
    refused = peerloan.run("publish", str(own_code))
    assert (refused.returncode, "--trust-pickle" in refused.stderr) == (1, True), refused.stderr
    assert "signed by" in peerloan.done("publish", str(own_code), "--trust-pickle")
    assert "unsigned" in peerloan.done("publish", str(neighbours), "--unsigned")
    assert json.loads(peerloan.done("versions", "--json"))

    peerloan.done("alias", "set", "live", "--version", "1")
    client = ApiClient(stack.start_api(0, bucket_url, alias_ttl_s=0.2))
    assert _versions_until(client, 1)[-1] == 1
    peerloan.done("alias", "set", "live", "--version", "2")
    assert _versions_until(client, 2)[-1] == 2
    # Nobody signed version 3: the version before goes on.
    peerloan.done("alias", "set", "live", "--version", "3")
    assert set(_versions_until(client, 3, tries=40)) == {2}


def _versions_until(client: ApiClient, version: int, tries: int = 600) -> list[int]:
    """Return the versions that answered, until one was this version."""
    import time

    answered: list[int] = []
    for _ in range(tries):
        answered.append(client.predict(json.loads(RECORD))["model"]["version"])
        if answered[-1] == version:
            break
        time.sleep(0.05)
    return answered
