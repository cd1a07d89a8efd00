"""The benchmark of tallies counts every prediction once, and writes its section below the other benchmark's page."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

LOAD = Path(__file__).resolve().parents[2] / "load"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(LOAD))
    bench = importlib.import_module("bench_watch")
    monkeypatch.setattr(bench, "OBJECT_PREDICTIONS", 2000)
    return bench


@pytest.mark.parametrize("records", [1, 1000])
def test_each_objects_requests_are_counted(bench: ModuleType, records: int) -> None:
    counted = bench.count_day(records, 6000)
    assert counted["predictions"] == 6000
    assert counted["seconds"] > 0


def test_its_section_is_replaced_and_the_rest_of_the_page_stays(bench: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Benchmarks\n\nOther figures.\n")
    for row in ("| 1 | old |", "| 1 | new |"):
        bench.write_section(page, 10, [row])
    text = page.read_text()
    assert text.startswith(f"# Benchmarks\n\nOther figures.\n\n{bench.WATCH_HEADING}\n\n")
    assert text.endswith("| 1 | new |\n")
    assert "old" not in text
    assert bench.split_page(text)[0] == "# Benchmarks\n\nOther figures."
