"""The project's files that say how it is packaged and deployed, as values."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def template() -> dict[str, Any]:
    """``template.yaml`` with CloudFormation's short forms written out: ``!Ref X`` is ``{"Ref": "X"}``."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@pytest.fixture(scope="session")
def check_package_size() -> ModuleType:
    return _script("check_package_size")


@pytest.fixture(scope="session")
def image_template() -> ModuleType:
    return _script("image_template")


@pytest.fixture(scope="session")
def deploy() -> ModuleType:
    return _script("deploy")


def _script(name: str) -> ModuleType:
    # env-setup isn't a package, since its scripts are run: only the tests import them.
    spec = importlib.util.spec_from_file_location(name, ROOT / "env-setup" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
