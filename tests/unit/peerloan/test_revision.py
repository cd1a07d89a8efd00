"""What makes another revision of the sources, and so another version of the function in the local stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.template.read import load_project
from peerloan.revision import source_revision
from peerloan.workplace import PROJECT

_PARAMETERS = ["Stage=dev", "AuthMode=open"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("functions/predict/predict_api/main.py", "layers/shared/model_registry/names.py", "template.yaml"):
        write(tmp_path, name)
    return tmp_path


def write(project: Path, name: str, content: str = "as it was") -> None:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.mark.parametrize(
    "name",
    [
        "functions/predict/predict_api/main.py",
        "functions/predict/requirements.txt",
        "layers/shared/model_registry/names.py",
        "template.yaml",
    ],
)
def test_each_source_makes_another_revision(project: Path, name: str) -> None:
    before = source_revision(project, _PARAMETERS)
    write(project, name, "new")
    assert source_revision(project, _PARAMETERS) != before


def test_each_parameter_makes_another_revision(project: Path) -> None:
    before = source_revision(project, _PARAMETERS)
    assert source_revision(project, ["Stage=dev", "AuthMode=iam"]) != before
    assert source_revision(project, ["Stage=dev"]) != before


def test_caches_other_files_and_the_order_of_parameters_make_none(project: Path) -> None:
    before = source_revision(project, _PARAMETERS)
    write(project, "functions/predict/predict_api/__pycache__/main.cpython-313.pyc")
    write(project, "docs/api.md")
    assert source_revision(project, reversed(_PARAMETERS)) == before
    assert len(before) == 64


def test_another_revision_is_another_version_of_the_projects_function_and_the_same_one_is_none() -> None:
    versions = []
    for parameters in (["MemorySize=1769"], ["MemorySize=1769"], ["MemorySize=3008"]):
        revision = source_revision(PROJECT, parameters)
        project = load_project(PROJECT / "template.yaml", {"AuthMode": "open", "Revision": revision})
        spec = project.functions["PredictFunction"]
        assert not spec.version_follows_code
        versions.append(spec.version_id)
    assert versions[0] == versions[1] != versions[2]
