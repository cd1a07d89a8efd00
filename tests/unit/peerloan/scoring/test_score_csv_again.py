"""Scoring a CSV file again after a full disk or a cut: the run resumes where that is safe, and else begins anew."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peerloan.errors import CommandError
from peerloan.files import FileWriteError
from peerloan.scoring import score_csv
from peerloan.scoring.journal import JOURNAL_FORMAT, Journal, write_journal
from peerloan.scoring.targets import Targets, locked
from tests.unit.peerloan.scoring.csv_kit import LOANS, MODEL, WARNING_MODEL, Model, as_csv, run, run_in


class FullDisk(io.BytesIO):
    """A file on a disk that is full."""

    def write(self, _: Any) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = bad_and_good()
    (tmp_path / "loans.csv").write_bytes(source)
    targets = Targets(tmp_path / "out.csv", tmp_path / "rejects.csv")
    open_at = score_csv._open_at
    monkeypatch.setattr(
        score_csv, "_open_at", lambda path, size: FullDisk() if path.name == "out.csv.part" else open_at(path, size)
    )
    with pytest.raises(FileWriteError, match=r"out\.csv could not be written: No space left on device"):
        score_csv.score_csv(tmp_path / "loans.csv", targets, MODEL)
    monkeypatch.undo()
    assert run_in(tmp_path, source).text == run(source).text


class CutOffError(BaseException):
    """The process died here."""


def cut_after(count: int) -> Callable[[int], None]:
    """Return a progress call that dies at its n-th time."""
    left = [count]

    def progress(_: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise CutOffError

    return progress


def bad_and_good() -> bytes:
    return as_csv([{**loan, "dti": "much"} if number % 7 == 3 else loan for number, loan in enumerate(LOANS)])


def cut_off(folder: Path, source: bytes, count: int, model: Model = MODEL) -> None:
    (folder / "loans.csv").write_bytes(source)
    targets = Targets(folder / "out.csv", folder / "rejects.csv")
    sizes = {"step_bytes": 500, "checkpoint_bytes": 2000}
    with pytest.raises(CutOffError):
        score_csv.score_csv(folder / "loans.csv", targets, model, on_progress=cut_after(count), **sizes)


def test_a_run_goes_on_where_another_was_cut_off(tmp_path: Path) -> None:
    source = bad_and_good()
    cut_off(tmp_path, source, 20)
    assert not (tmp_path / "out.csv").exists()
    again = run_in(tmp_path, source)
    assert again.outcome.resumed_at > 5000
    whole = run(source)
    assert (again.text, again.rejects) == (whole.text, whole.rejects)


def test_another_input_or_model_begins_anew(tmp_path: Path) -> None:
    source = bad_and_good()
    other = source.replace(b"RENT", b"TENT", 1)
    cut_off(tmp_path, source, 20)
    again = run_in(tmp_path, other)
    assert (again.outcome.resumed_at, again.text) == (0, run(other).text)
    cut_off(tmp_path, source, 20)
    newer = Model(4)
    again = run_in(tmp_path, source, newer)
    assert (again.outcome.resumed_at, again.text) == (0, run(source, newer).text)


def test_a_journal_says_nothing_of_what_another_run_wrote(tmp_path: Path) -> None:
    source = bad_and_good()
    cut_off(tmp_path, source, 20)
    newer = Model(4)
    cut_off(tmp_path, source, 2, newer)
    again = run_in(tmp_path, source)
    assert again.text == run(source).text


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b"null", b'{"format": 1}', b"\xff"])
def test_damaged_journal_begins_anew(tmp_path: Path, damage: bytes) -> None:
    source = bad_and_good()
    cut_off(tmp_path, source, 20)
    (tmp_path / "out.csv.journal").write_bytes(damage)
    assert run_in(tmp_path, source).text == run(source).text


def test_shortened_part_begins_anew(tmp_path: Path) -> None:
    source = bad_and_good()
    cut_off(tmp_path, source, 20)
    with (tmp_path / "out.csv.part").open("r+b") as file:
        file.truncate(10)
    again = run_in(tmp_path, source)
    assert (again.outcome.resumed_at, again.text) == (0, run(source).text)


@pytest.mark.parametrize("in_place", [(), ("rejects.csv",), ("rejects.csv", "out.csv")])
def test_a_cut_between_the_renames_leaves_the_rest_to_be_done(tmp_path: Path, in_place: tuple[str, ...]) -> None:
    source = bad_and_good()
    whole = run_in(tmp_path, source)
    for name in {"rejects.csv", "out.csv"} - set(in_place):
        (tmp_path / name).rename(tmp_path / f"{name}.part")
    sizes = {
        name: next(path.stat().st_size for path in tmp_path.glob(f"{name}*")) for name in ("out.csv", "rejects.csv")
    }
    journal = Journal(
        format=JOURNAL_FORMAT,
        model=MODEL.identity,
        source_size=len(source),
        source_read=len(source),
        source_sha256=hashlib.sha256(source).hexdigest(),
        lines=301,
        written=sizes["out.csv"],
        rejects_written=sizes["rejects.csv"],
        rows=whole.outcome.rows,
        rejected=whole.outcome.rejected,
        is_complete=True,
    )
    write_journal(tmp_path / "out.csv.journal", journal)
    again = run_in(tmp_path, source)
    assert again.outcome.resumed_at == len(source)
    assert (again.text, again.rejects) == (whole.text, whole.rejects)


def test_a_resumed_run_counts_the_warnings_of_the_whole_file(tmp_path: Path) -> None:
    source = bad_and_good()
    cut_off(tmp_path, source, 20, WARNING_MODEL)
    again = run_in(tmp_path, source, WARNING_MODEL)
    assert again.outcome.resumed_at
    whole = run(source, WARNING_MODEL).outcome
    assert (again.outcome.warned, again.outcome.warnings) == (whole.warned, whole.warnings)
    assert whole.warned


def test_a_run_with_warnings_does_not_resume_one_without(tmp_path: Path) -> None:
    source = bad_and_good()
    cut_off(tmp_path, source, 20, WARNING_MODEL)
    again = run_in(tmp_path, source, WARNING_MODEL, has_warnings=True)
    assert again.outcome.resumed_at == 0
    assert again.text == run(source, WARNING_MODEL, has_warnings=True).text


def test_a_second_run_that_would_write_the_same_outputs_is_refused(tmp_path: Path) -> None:
    source = bad_and_good()
    cut_off(tmp_path, source, 20)
    before = (tmp_path / "out.csv.part").read_bytes()
    with locked(Targets(tmp_path / "out.csv", tmp_path / "rejects.csv")):
        with pytest.raises(CommandError, match=r"Another run writes .*out\.csv\. Wait for its end"):
            run_in(tmp_path, source, Model(4))
        assert (tmp_path / "out.csv.part").read_bytes() == before
    # What a killed run leaves behind locks nothing.
    (tmp_path / "out.csv.lock").touch()
    assert run_in(tmp_path, source).text == run(source).text


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(as_csv(LOANS[::-1])), Path.unlink])
def test_a_file_that_is_changed_during_the_run_is_scored_again(tmp_path: Path, change: Callable[[Path], Any]) -> None:
    path, source = tmp_path / "loans.csv", bad_and_good()
    path.write_bytes(source)
    targets = Targets(tmp_path / "out.csv", tmp_path / "rejects.csv")
    changes = iter([change])

    def change_once(_: int) -> None:
        for change in changes:
            change(path)

    with pytest.raises(CommandError, match=r"loans\.csv was changed or removed while it was scored"):
        score_csv.score_csv(path, targets, MODEL, on_progress=change_once)
    assert not targets.scored.exists()
    assert run_in(tmp_path, source).text == run(source).text
