"""The function as a container image serves a LightGBM model from its pickle; the zip, without LightGBM, can't."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fitted_pipelines import fitted
from model_artifact.features import frame_from_records
from model_kit import dumped
from registry_kit import PUBLISHER
from tests.contract.predict_api.api_kit import Registry
from tests.e2e.conftest import BUCKET_NAME
from tests.e2e.processes import Bucket

pytestmark = pytest.mark.sam

ROOT = Path(__file__).resolve().parents[2]
EVENT = ROOT / "events/one-record.json"
MODEL = "lightgbm-large"
# The alias of these tests; the others move ``live``.
ALIAS = "image"
WITH_ARRAYS = 2


@dataclass(frozen=True)
class Invocation:
    """What the handler answered, and the function's log."""

    answer: dict[str, Any]
    log: str

    @property
    def version_and_form(self) -> tuple[int, str]:
        """The model version that scored, and the form that it scored from."""
        headers = {name.lower(): value for name, value in self.answer["headers"].items()}
        return int(headers["x-model-version"]), headers["x-model-form"]


@pytest.fixture(scope="module")
def pickled_version(
    registry: Registry, bucket: Bucket, local_environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> int:
    """A signed LightGBM model without its arrays, published by the command; ``ALIAS`` came to it from version 2."""
    folder = tmp_path_factory.mktemp("lightgbm")
    (folder / "keys").mkdir()
    (folder / "keys/publisher.pem").write_bytes(PUBLISHER.to_pem())
    model = folder / "model.pkl"
    model.write_bytes(dumped(fitted(MODEL)))
    words = ["--bucket", BUCKET_NAME, "--endpoint-url", bucket.url, "--state-dir", str(folder)]
    words += ["publish", str(model), "--no-arrays", "--key", "publisher", "--json"]
    done = _run([sys.executable, "-m", "peerloan", *words], local_environ)
    version: int = json.loads(done.stdout)["version"]
    for number in (WITH_ARRAYS, version):
        registry.writer.assign(ALIAS, number, reason="a test")
    return version


@pytest.fixture(scope="module")
def env_vars(variables: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function's variables, on ``ALIAS``."""
    path = tmp_path_factory.mktemp("image") / "env.json"
    path.write_text(json.dumps({"PredictFunction": {**variables, "MODEL_ALIAS": ALIAS}}))
    return path


@pytest.fixture(scope="module")
def built_image(sam_environ: Mapping[str, str]) -> Path:
    """The folder of the derived template and of what Docker was given."""
    _run(["make", "image-build"], sam_environ)
    return ROOT / "build/image"


def test_the_derived_template_is_valid(built_image: Path, sam_environ: Mapping[str, str]) -> None:
    _run(["sam", "validate", "--lint", "--template", str(built_image / "template.yaml")], sam_environ)


def test_the_image_serves_the_pickle(
    built_image: Path, pickled_version: int, env_vars: Path, sam_environ: Mapping[str, str]
) -> None:
    invocation = _invoke(env_vars, sam_environ, "--config-env", "image")
    assert invocation.version_and_form == (pickled_version, "pickle"), invocation.log
    record = json.loads(json.loads(EVENT.read_text())["body"])
    expected = fitted(MODEL).predict_proba(frame_from_records([record]))[0, 1]
    (prediction,) = json.loads(invocation.answer["body"])["predictions"]
    assert abs(prediction["late_probability"] - expected) <= 1e-12


def test_the_zip_goes_on_with_the_version_before_and_names_what_it_lacks(
    built: Path, pickled_version: int, env_vars: Path, sam_environ: Mapping[str, str]
) -> None:
    invocation = _invoke(env_vars, sam_environ)
    assert invocation.version_and_form == (WITH_ARRAYS, "arrays"), invocation.log
    assert "needs the module 'lightgbm', which isn't installed here" in invocation.log


def _invoke(env_vars: Path, environ: Mapping[str, str], *options: str) -> Invocation:
    words = ["PredictFunction", "--event", str(EVENT), "--env-vars", str(env_vars), *options]
    done = _run(["sam", "local", "invoke", *words], environ)
    return Invocation(json.loads(done.stdout), done.stderr)


def _run(command: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=ROOT, env=dict(environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done
