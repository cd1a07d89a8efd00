"""Training and serving have the same libraries: a pickle is loaded by what it was made with."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

ENVIRONMENTS = [f"env-setup/pip_requirements{name}.txt" for name in ("", "_dev", "_sam", "_awscli", "_uv")]


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", path.read_text(), re.MULTILINE))


def imported_packages(folder: Path) -> set[str]:
    """Return the packages of others that a folder's modules import, as PyPI names them."""
    distributions = packages_distributions()
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(str(node.module).partition(".")[0])
    found = {distributions[name][0] for name in names - sys.stdlib_module_names if name in distributions}
    return {name.lower().replace("_", "-") for name in found}


# Imported where they are there, with a message where they aren't; and the project's own packages.
OPTIONAL = {"debugpy", "lightgbm", "xgboost", "xgboost-cpu", "catboost", "pyarrow", "peerloan-late-payers"}


@pytest.mark.parametrize("folder", ["emulator", "peerloan", "training"])
def test_what_runs_has_each_package_that_it_imports(root: Path, folder: str) -> None:
    assert imported_packages(root / folder) - OPTIONAL <= set(pins(root / "env-setup/pip_requirements.txt"))


def test_moto_is_for_tests_alone(root: Path) -> None:
    assert "moto" not in pins(root / "env-setup/pip_requirements.txt")
    assert "moto" in pins(root / "env-setup/pip_requirements_dev.txt")


def test_the_function_ships_what_training_used(root: Path) -> None:
    shipped = pins(root / "functions/predict/requirements.txt")
    installed = pins(root / "env-setup/pip_requirements.txt")
    assert {"scikit-learn", "numpy", "pandas", "joblib"} <= set(shipped)
    assert {name: installed.get(name) for name in shipped if name in installed} == {
        name: version for name, version in shipped.items() if name in installed
    }


def test_what_drives_rollouts_ships_numpy_alone_and_trainings(root: Path) -> None:
    shipped = pins(root / "functions/operate/requirements.txt")
    assert shipped == {"numpy": pins(root / "env-setup/pip_requirements.txt")["numpy"]}


def test_the_function_does_not_ship_what_lambdas_python_has(root: Path) -> None:
    assert not {"boto3", "botocore", "s3transfer", "urllib3"} & set(pins(root / "functions/predict/requirements.txt"))


def test_the_image_ships_what_the_zip_does_and_the_boosters_that_publish(root: Path) -> None:
    image = pins(root / "functions/predict/requirements-image.txt")
    assert image.items() > pins(root / "functions/predict/requirements.txt").items()
    assert image["lightgbm"] == pins(root / "env-setup/pip_requirements_dev.txt")["lightgbm"]


@pytest.mark.parametrize("name", [*ENVIRONMENTS, "functions/predict/requirements-image.txt"])
def test_every_pinned_environment_is_hashed(root: Path, name: str) -> None:
    path = root / name
    requirements = path.read_text()
    assert pins(path)
    for block in re.split(r"\n(?=[A-Za-z0-9])", requirements):
        if not block.startswith("#"):
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_conda_environment_has_lambdas_python_and_pips_pins(root: Path, template: dict[str, Any]) -> None:
    environment = yaml.safe_load((root / "env-setup/conda_environment.yml").read_text())
    runtime = template["Resources"]["PredictFunction"]["Properties"]["Runtime"]
    assert runtime.replace("python", "python=") in environment["dependencies"]
    assert "-r pip_requirements.txt" in environment["dependencies"][-1]["pip"]


def test_the_base_image_takes_its_packages_from_the_pins(root: Path) -> None:
    script = (root / "env-setup/lambda-base-image/build.sh").read_text()
    match = re.search(r"readonly runtime_packages='([^']+)'", script)
    assert match is not None
    assert set(match[1].split("|")) <= set(pins(root / "env-setup/pip_requirements.txt"))
