"""Scoring and tallying by real Spark sessions: the bytes that one machine makes, though a worker is killed."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from log_folders import DAYS, log_objects
from log_texts import MODEL
from memory_store import InMemoryStore
from model_registry.names import monitor_day_key
from model_watch.tally_store import refresh
from peerloan.scoring.score_csv import score_csv
from peerloan.scoring.score_parquet import score_parquet
from peerloan.scoring.targets import Targets
from peerloan.spark.pinned_version import PinnedVersion
from peerloan.spark.shipment import Shipment
from spark_kit import (
    built,
    generated_loans,
    published_version,
    score_arguments,
    submitted,
    submitted_in_turn,
    why_no_spark,
)

pytestmark = [pytest.mark.spark]

ROWS = 1_000_000
# Appended to a module that ships: kills the worker that calls it, once.
KILL_ONCE = """

def _kill_once():
    import os, pathlib, signal

    marker = pathlib.Path(MARKER)
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)

"""
# The third batch of the job kills its worker.
KILLED_SCORER = (
    KILL_ONCE
    + """
_score = VersionScorer.score
_calls = 0


def _killed_once(self, columns):
    global _calls
    _calls += 1
    if _calls == 3:
        _kill_once()
    return _score(self, columns)


VersionScorer.score = _killed_once
"""
)
# The first object that was taken apart kills its worker.
KILLED_SPLIT = (
    KILL_ONCE
    + """
_split = split_objects


def split_objects(model, parts, batches):
    for lines in _split(model, parts, batches):
        yield lines
        _kill_once()
"""
)

# The driver keeps one rejection at most, and can't write any.
ALWAYS_TOO_MANY = """
MOST_REJECTIONS = 1
del Report.numbered_rejections
"""


@pytest.fixture(scope="module", autouse=True)
def _spark() -> None:
    if missing := why_no_spark():
        pytest.fail(missing)


@pytest.fixture(scope="module")
def version() -> PinnedVersion:
    return published_version()


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a million loans in two CSV files, and in Parquet; and the last tenth in Parquet."""
    folder = tmp_path_factory.mktemp("loans")
    frame = generated_loans(ROWS)
    (folder / "csv").mkdir()
    frame.head(900_000).to_csv(folder / "csv/a.csv", index=False)
    frame.tail(100_000).to_csv(folder / "csv/b.csv", index=False, lineterminator="\n")
    frame.to_parquet(folder / "loans.parquet", index=False, row_group_size=100_000)
    frame.tail(100_000).to_parquet(folder / "b.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def shipment(version: PinnedVersion, tmp_path_factory: pytest.TempPathFactory) -> Shipment:
    return built(tmp_path_factory.mktemp("job"), version)


def edited(shipment: Shipment, folder: Path, module: str, more: str) -> Shipment:
    """Return a shipment with code appended to a module, in a folder of its own; ``MARKER`` is a file there."""
    copy = Shipment(folder)
    copy.script.write_bytes(shipment.script.read_bytes())
    with zipfile.ZipFile(shipment.packages) as whole, zipfile.ZipFile(copy.packages, "w") as archive:
        for name in whole.namelist():
            appended = more.replace("MARKER", repr(str(folder / "killed"))) if name == module else ""
            archive.writestr(name, whole.read(name) + appended.encode())
    return copy


def lines_of(folder: Path) -> list[bytes]:
    """Return the rows of a CSV data set, sorted, without the headers of its files."""
    parts = [part.read_bytes().splitlines() for part in sorted(folder.glob("part-*")) if part.stat().st_size]
    assert len({part[0] for part in parts}) == 1
    return sorted(line for part in parts for line in part[1:])


def rows_of(rejects: Path) -> list[dict[str, str]]:
    """Return the rejects of one machine."""
    return list(csv.DictReader(rejects.read_text().splitlines()))


def rejects_of(folder: Path) -> list[dict[str, str]]:
    """Return the rejects of a job."""
    return [row for part in sorted(folder.glob("part-*")) for row in rows_of(part)]


def faults_of(rows: list[dict[str, str]]) -> list[tuple[str, ...]]:
    return sorted((row["line"], row["column"], row["code"], row["detail"]) for row in rows)


def by_one_machine(loans: Path, folder: Path, version: PinnedVersion) -> list[bytes]:
    scorer, lines = version.load(), []
    for name in ("a", "b"):
        targets = Targets(folder / f"{name}.csv", folder / f"{name}.rejects.csv", has_warnings=True)
        score_csv(loans / f"csv/{name}.csv", targets, scorer)
        lines += targets.scored.read_bytes().splitlines()[1:]
    return sorted(lines)


def test_a_million_rows_have_the_bytes_of_one_machine_though_a_worker_is_killed(
    loans: Path, shipment: Shipment, version: PinnedVersion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killing = edited(shipment, tmp_path, "batch_scoring/scores.py", KILLED_SCORER)
    figures = submitted(
        killing, score_arguments(loans / "csv", tmp_path / "out", version, "csv", "yes"), master="local[2,4]"
    )
    assert (tmp_path / "killed").exists()
    expected = by_one_machine(loans, tmp_path, version)
    lines = lines_of(tmp_path / "out")
    identical = sum(map(bytes.__eq__, lines, expected))
    assert (len(lines), identical) == (len(expected), len(expected))
    assert (figures["rows"], figures["rejected"]) == (ROWS - 20, 20)
    rejects = rejects_of(tmp_path / "out.rejects")
    assert faults_of(rejects) == faults_of([row for name in "ab" for row in rows_of(tmp_path / f"{name}.rejects.csv")])
    assert {Path(row["file"]).name for row in rejects} == {"a.csv", "b.csv"}
    with capsys.disabled():
        # The rejected rows are rows, too: both ways reject them with the same words.
        print(f"\nspark: rows={ROWS} identical={identical + len(rejects)}")


def test_parquet_has_the_rows_of_one_machine_though_a_worker_is_killed(
    loans: Path, shipment: Shipment, version: PinnedVersion, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killing = edited(shipment, tmp_path, "batch_scoring/scores.py", KILLED_SCORER)
    arguments = score_arguments(loans / "loans.parquet", out, version, "parquet", "yes")
    figures = submitted(killing, arguments, master="local[2,4]")
    assert (tmp_path / "killed").exists()
    targets = Targets(tmp_path / "one.parquet", tmp_path / "one.rejects.csv", has_warnings=True)
    score_parquet(loans / "loans.parquet", targets, version.load())
    expected = pyarrow.parquet.read_table(targets.scored)
    scored = pyarrow.parquet.read_table(out).sort_by("loan_id")
    assert scored.column_names == expected.column_names
    assert scored.cast(expected.schema).equals(expected)
    assert (figures["rows"], figures["rejected"]) == (ROWS - 20, 20)
    assert faults_of(rejects_of(tmp_path / "out.rejects")) == faults_of(rows_of(targets.rejects))


@pytest.mark.parametrize("source", ["csv/b.csv", "b.parquet"])
def test_more_rejects_than_the_driver_keeps_are_found_by_a_second_look(
    source: str, loans: Path, shipment: Shipment, version: PinnedVersion, tmp_path: Path
) -> None:
    file_format = source.rpartition(".")[2]
    looking = edited(shipment, tmp_path, "peerloan/spark/reports.py", ALWAYS_TOO_MANY)
    figures = submitted(looking, score_arguments(loans / source, tmp_path / "out", version, file_format))
    targets = Targets(tmp_path / f"one.{file_format}", tmp_path / "one.rejects.csv")
    (score_csv if file_format == "csv" else score_parquet)(loans / source, targets, version.load())
    assert (figures["rows"], figures["rejected"]) == (99_998, 2)
    assert faults_of(rejects_of(tmp_path / "out.rejects")) == faults_of(rows_of(targets.rejects))


def test_outputs_are_replaced_only_where_that_is_asked_for_and_never_the_input(
    version: PinnedVersion, tmp_path: Path
) -> None:
    for place in ("in", "out", "out.rejects", "empty"):
        (tmp_path / place).mkdir()
    generated_loans(10).to_csv(tmp_path / "in/loans.csv", index=False)

    def job(source: str, out: str, file_format: str = "csv", mode: str = "error") -> list[str]:
        return [*score_arguments(tmp_path / source, tmp_path / out, version, file_format), "--mode", mode]

    overwriting = [job("in", "out", mode="overwrite"), job("in/loans.csv", "in", mode="overwrite")]
    unusable = [job("gone", "new"), job("empty", "new", "parquet")]
    shipment = built(tmp_path / "job", version)
    exists, replaced, would_delete, gone, empty = submitted_in_turn(
        shipment, [job("in", "out"), *overwriting, *unusable]
    )
    assert exists == f"error: {tmp_path}/out exists. Give another place, or add --overwrite to replace it."
    assert json.loads(replaced)["rejects"] is None
    assert not (tmp_path / "out.rejects").exists()
    assert "in can't be written: it would replace" in would_delete
    assert (tmp_path / "in/loans.csv").exists()
    assert "gone can't be read: Path does not exist: " in gone
    assert empty == "error: The input has no Parquet file. Give one, or a folder of them."


def test_days_have_the_tallies_that_the_monitor_stores_though_a_worker_is_killed(tmp_path: Path) -> None:
    store = InMemoryStore()
    for key, body in log_objects().items():
        store.put(key, body)
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(body)
    arguments = ["--job", "tally", "--model", MODEL, "--source", str(tmp_path), "--out", str(tmp_path / "models")]
    arguments += ["--day", DAYS[0].isoformat(), "--until", DAYS[-1].isoformat()]
    killing = edited(built(tmp_path / "job", None), tmp_path, "peerloan/spark/log_parts.py", KILLED_SPLIT)
    submitted(killing, arguments, master="local[2,4]")
    assert (tmp_path / "killed").exists()
    refresh(store, store, MODEL, DAYS[0], DAYS[-1])
    for day in DAYS:
        key = monitor_day_key(MODEL, day)
        assert (tmp_path / "models" / key).read_bytes() == store.get(key).body
