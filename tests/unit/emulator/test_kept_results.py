"""Results kept in files: the same as computed ones, or computed again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from emulator.kept_results import NOTHING_KEPT, KeptResults

RESULT = {"Resources": {"F": [1, 2.5, None, True, "é"]}}


class Computation:
    """Returns a result, and counts how often."""

    def __init__(self, result: object = RESULT) -> None:
        self.count = 0
        self._result = result

    def __call__(self) -> object:
        self.count += 1
        return self._result


def test_a_result_is_computed_once_for_each_source(tmp_path: Path) -> None:
    compute = Computation()
    for source in ({"a": 1}, {"a": 1}, {"a": "1"}, {"a": date(2012, 10, 17)}, {"a": "2012-10-17"}):
        # Another object each time, as in another process.
        assert KeptResults(tmp_path / "kept").get(source, compute) == RESULT
    assert compute.count == 4


def test_without_a_folder_nothing_is_kept() -> None:
    compute = Computation()
    assert NOTHING_KEPT.get(1, compute) == NOTHING_KEPT.get(1, compute) == RESULT
    assert compute.count == 2


def test_the_source_counts_as_it_was_before(tmp_path: Path) -> None:
    for _ in range(2):
        source = {"a": 1}
        assert KeptResults(tmp_path).get(source, lambda: source.pop("a")) == 1  # noqa: B023 - called at once
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content.replace(b"2.5", b"2.6"),
        lambda content: b"\x00" * len(content),
    ],
    ids=["empty", "cut off", "changed", "zeros"],
)
def test_a_damaged_file_is_computed_and_written_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    compute = Computation()
    KeptResults(tmp_path).get(1, compute)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    file.write_bytes(damage(content))
    assert KeptResults(tmp_path).get(1, compute) == RESULT
    assert file.read_bytes() == content
    assert compute.count == 2


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    assert KeptResults(tmp_path / "kept").get(1, Computation()) == RESULT
    assert KeptResults(tmp_path / "kept" / "deeper").get(1, Computation()) == RESULT


@pytest.mark.parametrize("result", [{200: "OK"}, (1, 2), {"day": date(2012, 10, 17)}])
def test_what_json_would_change_is_not_kept(tmp_path: Path, result: object) -> None:
    compute = Computation(result)
    for _ in range(2):
        assert KeptResults(tmp_path).get(1, compute) == result
    assert (compute.count, list(tmp_path.iterdir())) == (2, [])


def test_what_fails_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        KeptResults(tmp_path).get(1, lambda: 1 / 0)
    assert list(tmp_path.iterdir()) == []


def test_the_fifty_newest_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    for number in range(60):
        KeptResults(tmp_path / "kept").get(number, Computation())
    files = list((tmp_path / "kept").iterdir())
    assert len(files) == 50
    assert {file.stat().st_mode & 0o777 for file in (*files, tmp_path / "kept")} == {0o600, 0o700}
    compute = Computation()
    for number in range(10, 60):
        KeptResults(tmp_path / "kept").get(number, compute)
    assert compute.count == 0
