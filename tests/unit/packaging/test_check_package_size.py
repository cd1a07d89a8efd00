"""The size check: what it counts, what it prints, and when it fails."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

MIB = 1024 * 1024


@pytest.fixture
def build_folder(tmp_path: Path) -> Path:
    """A function of 3 MiB in two libraries, one of 2, a layer of 1 MiB, and the built template beside them."""
    for name, size_bytes in {
        "OperateFunction/numpy/core.so": 2 * MIB,
        "PredictFunction/scipy/big.so": 2 * MIB,
        "PredictFunction/numpy/core.so": MIB,
        "SharedLayer/python/model_registry/a.py": MIB,
    }.items():
        path = tmp_path / "build" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size_bytes))
    (tmp_path / "build" / "template.yaml").write_bytes(bytes(5 * MIB))
    return tmp_path / "build"


def test_counts_the_files_of_the_functions_and_of_the_layer(check_package_size: ModuleType, build_folder: Path) -> None:
    sizes = {"OperateFunction": 2 * MIB, "PredictFunction": 3 * MIB, "SharedLayer": MIB}
    assert check_package_size.measure(build_folder) == sizes


def test_within_the_budget_it_prints_the_largest_function_with_its_layer_and_passes(
    check_package_size: ModuleType, build_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_package_size.main([str(build_folder), "--budget-mib", "4"]) == 0
    assert "package: 4.0 MiB unzipped, of a budget of 4 MiB" in capsys.readouterr().out


def test_over_the_budget_it_names_the_largest_and_fails(
    check_package_size: ModuleType, build_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_package_size.main([str(build_folder), "--budget-mib", "3.9"]) == 1
    _, largest, second = capsys.readouterr().err.splitlines()
    assert largest.split() == ["scipy", "2.0", "MiB"]
    assert second.split() == ["numpy", "1.0", "MiB"]


def test_without_a_build_it_fails_and_says_what_to_run(
    check_package_size: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_package_size.main([str(tmp_path / "none")]) == 1
    assert "run sam build first" in capsys.readouterr().err


def test_the_budget_leaves_room_below_lambdas_limit(check_package_size: ModuleType) -> None:
    assert check_package_size.BUDGET_MIB + 25 <= check_package_size.LAMBDA_LIMIT_MIB == 250
