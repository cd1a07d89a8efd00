"""What `sam build` puts into the function's package and into the layer, and what it leaves out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.sam

ROOT = Path(__file__).resolve().parents[2]
SHARED = ("model_registry", "model_artifact", "model_watch", "model_monitor", "model_rollout", "batch_scoring")


def test_the_package_fits_into_lambda(built: Path) -> None:
    command = [sys.executable, "env-setup/check_package_size.py", str(built)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_layer_holds_the_shared_packages_and_nothing_else(built: Path) -> None:
    shared = ROOT / "layers" / "shared"
    expected = {
        path.relative_to(shared)
        for package in SHARED
        for path in (shared / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    layer = built / "SharedLayer" / "python"
    assert {path.relative_to(layer) for path in layer.rglob("*") if path.is_file()} == expected
    assert [path.name for path in (built / "SharedLayer").iterdir()] == ["python"]


def test_the_function_carries_no_dead_weight_and_nothing_of_this_machine(built: Path) -> None:
    function = built / "PredictFunction"
    assert not [path for path in function.rglob("*") if path.name in ("tests", "__pycache__", "RECORD")]
    assert not [path for path in function.iterdir() if path.name in ("Makefile", "requirements.txt", "bin")]
    # Lambda's Python has boto3, and the layer has the shared packages: a second copy would hide either.
    assert not [path for path in function.iterdir() if path.name in ("boto3", *SHARED)]


def test_what_drives_rollouts_carries_numpy_alone(built: Path) -> None:
    folders = {path.name for path in (built / "OperateFunction").iterdir() if path.is_dir()}
    assert {name for name in folders if not name.endswith(".dist-info")} == {"numpy", "numpy.libs", "operate"}


def test_what_scores_files_carries_numpy_and_what_checks_signatures(built: Path) -> None:
    folders = {path.name for path in (built / "ScoreFilesFunction").iterdir() if path.is_dir()}
    assert {"numpy", "cryptography", "score_files"} <= folders
    assert not folders & {"operate", "pandas", "sklearn"}


@pytest.mark.parametrize("library", ["scikit_learn", "numpy", "joblib"])
def test_versions_can_be_read_at_run_time(built: Path, library: str) -> None:
    assert len(list((built / "PredictFunction").glob(f"{library}-*.dist-info/METADATA"))) == 1


def test_every_extension_module_is_for_lambdas_python(built: Path) -> None:
    modules = [path.name for path in (built / "PredictFunction").rglob("*.so") if ".cpython-" in path.name]
    assert modules
    assert all(".cpython-313-" in name for name in modules)
