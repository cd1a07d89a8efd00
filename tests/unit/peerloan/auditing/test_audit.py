"""An audit holds what was in force in its period, in the same bytes each time, and never harms another folder."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from memory_store import InMemoryStore
from model_monitor.report_store import ReportStore
from model_registry import names
from model_registry.alias import RoutingConfig
from model_registry.errors import AliasNotFoundError
from monitor_kit import make_report
from peerloan.auditing.files import audit_files
from peerloan.auditing.folder import INDEX, check_folder, write_folder
from peerloan.auditing.records import AuditRecords, Period, read_records
from peerloan.errors import UsageError
from peerloan.retraining.document import Request, Retraining, Stage
from rollout_kit import make_alias, make_rollout

MODEL = "late-payer"
PERIOD = Period(date(2026, 4, 1), date(2026, 6, 30))
VERSION_FILES = {"versions/2/manifest.json": b"{}", "versions/2/model-card.md": b"# card"}


def at(month: int, day: int) -> str:
    return datetime(2026, month, day, 12, tzinfo=UTC).isoformat()


@pytest.fixture
def store() -> InMemoryStore:
    store = InMemoryStore()
    moves = [
        make_alias(1, 1, updated_at=at(1, 5)),
        make_alias(2, 2, updated_at=at(3, 1), reason="better"),
        make_alias(
            2, 3, routing_config=RoutingConfig({3: 0.2}), updated_at=at(5, 10), evidence={"why": "all guards pass"}
        ),
        make_alias(3, 4, updated_at=at(5, 11), reason="a | b\nc"),
        make_alias(4, 5, updated_at=at(7, 1)),
    ]
    for move in moves:
        store.put(names.history_key(MODEL, "live", move.revision), move.to_json())
    store.put(names.alias_key(MODEL, "live"), moves[-1].to_json())
    reports = ReportStore(store, MODEL)
    for day in ("2026-03-31", "2026-04-01", "2026-06-30", "2026-07-01"):
        reports.keep(make_report(as_of=day))
    return store


def make_retraining(identity: str, alias: str, month: int) -> Retraining:
    request = Request("refit", {"name": "improved"}, ("q2.csv", "q3.csv"), ("0" * 64, "1" * 64), "no-worse-than")
    stages = (
        Stage("trained", at(month, 9), "ann", "Trained on 2 files.", {}),
        Stage("published", at(month, 9), "ann", "Version 3.", {"version": 3}),
    )
    return Retraining(
        id=identity, model=MODEL, alias=alias, main=2, request=request, owner="ann", began_at=at(month, 9),
        stages=stages, refused=None, update_id="u",
    )  # fmt: skip


RETRAININGS = [make_retraining("r1", "live", 8), make_retraining("r0", "live", 5), make_retraining("r2", "other", 5)]


@pytest.fixture
def records(store: InMemoryStore) -> AuditRecords:
    begins = {"early": at(1, 1), "within": at(5, 10), "late": at(7, 2)}
    rollouts = [
        make_rollout(id=name, began_at=began, stage_began_at=began, state="promoted") for name, began in begins.items()
    ]
    return read_records(store, MODEL, "live", PERIOD, rollouts, RETRAININGS)


def files_of(records: AuditRecords) -> dict[str, bytes]:
    return audit_files(records, VERSION_FILES, {"versions/3/model-card.md": "Version 3 is deleted."})


def test_the_records_are_those_of_the_period_and_of_what_was_in_force_at_its_begin(records: AuditRecords) -> None:
    assert [move.revision for move in records.moves] == [2, 3, 4]
    assert records.versions == (2, 3)
    assert [rollout.id for rollout in records.rollouts] == ["within"]
    assert [report.as_of for report in records.reports] == ["2026-04-01", "2026-06-30"]
    assert [retraining.id for retraining in records.retrainings] == ["r0"]


def test_a_version_served_from_the_periods_begin_to_its_end_by_its_share(records: AuditRecords) -> None:
    moved, shifted = (datetime.fromisoformat(at(5, day)) for day in (10, 11))
    assert records.served(2) == [(PERIOD.begin, moved, 1.0), (moved, shifted, 0.8)]
    assert records.served(3) == [(moved, shifted, 0.2), (shifted, PERIOD.end, 1.0)]


def test_a_rollout_that_spans_the_period_belongs_to_it(store: InMemoryStore) -> None:
    running = make_rollout(began_at=at(1, 1), stage_began_at=at(1, 1), state="running")
    over = running.with_event("promoted", at=PERIOD.begin, by="ann", reason="", state="promoted")
    before = running.with_event(
        "promoted", at=PERIOD.begin - timedelta(seconds=1), by="ann", reason="", state="promoted"
    )
    for rollout, is_told in ((running, True), (over, True), (before, False)):
        assert bool(read_records(store, MODEL, "live", PERIOD, [rollout], []).rollouts) == is_told


def test_the_files_are_the_buckets_own_documents(records: AuditRecords) -> None:
    files = files_of(records)
    assert sorted(files) == [
        "alias-history.json", "audit.md", "monitor/2026-04-01.json", "monitor/2026-06-30.json", "retrainings/r0.json",
        "rollouts/within.json", "versions/2/manifest.json", "versions/2/model-card.md", "vintages.csv",
    ]  # fmt: skip
    assert json.loads(files["monitor/2026-06-30.json"])["verdict"]["kind"] == "recalibrate"
    history = json.loads(files["alias-history.json"])["revisions"]
    assert [move.get("evidence") for move in history] == [None, {"why": "all guards pass"}, None]
    header, row = (line.split(",") for line in files["vintages.csv"].decode().splitlines())
    vintage = dict(zip(header, row, strict=True))
    assert (vintage["as_of"], vintage["vintage"], vintage["late"]) == ("2026-06-30", "2026-Q1", "480")
    assert float(vintage["observed_over_expected"]) == pytest.approx(0.564)


def test_the_page_says_it_in_words_and_no_text_breaks_its_tables(records: AuditRecords) -> None:
    page = files_of(records)["audit.md"].decode()
    for words in (
        "# Audit of late-payer, alias live, 2026-04-01 to 2026-06-30",
        "| 3 | 2026-05-10 12:00 | 2026-05-11 12:00 | 20% |",
        "| a \\| b c |",
        "| 2026-06-30 | 3 | recalibrate | Probabilities are off since",
        "| ann | 2 | refit | 3 | Trained on 2 files. Version 3. | retrainings/r0.json |",
        "| 2026-Q1 | 3 | 45,000 | 40,000 | 39,000 | 480 | 850.5 | 0.56 [0.52, 0.62] | 0.728 [0.705, 0.750] |",
        "| versions/3/model-card.md | Version 3 is deleted. |",
    ):
        assert words in page


def test_a_period_before_the_alias_was_set_is_an_audit_that_says_so(store: InMemoryStore) -> None:
    records = read_records(store, MODEL, "live", Period(date(2025, 1, 1), date(2025, 1, 31)), [], [])
    files = audit_files(records, {}, {})
    assert sorted(files) == ["alias-history.json", "audit.md"]
    assert "No version served" in files["audit.md"].decode()


def test_an_alias_that_was_never_set_has_no_audit(store: InMemoryStore) -> None:
    with pytest.raises(AliasNotFoundError):
        read_records(store, MODEL, "canary", PERIOD, [], [])


def test_the_index_has_the_digest_of_each_file_and_the_same_records_the_same_bytes(
    records: AuditRecords, tmp_path: Path
) -> None:
    files = files_of(records)
    for name in ("first", "second"):
        digest = write_folder(tmp_path / name, records, files, {})
        content = (tmp_path / name / INDEX).read_bytes()
        assert digest.sha256 == hashlib.sha256(content).hexdigest()
    index = json.loads(content)
    assert index["complete"] is True
    assert {file["path"] for file in index["files"]} == set(files)
    for file in index["files"]:
        body = (tmp_path / "first" / file["path"]).read_bytes()
        assert (file["size_bytes"], file["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert (tmp_path / "first" / INDEX).read_bytes() == content


def test_an_audit_of_the_same_period_is_written_again_without_what_is_gone(
    records: AuditRecords, tmp_path: Path
) -> None:
    files = files_of(records)
    write_folder(tmp_path, records, files, {})
    (tmp_path / "notes.txt").write_text("of the auditor")
    check_folder(tmp_path, records)
    del files["rollouts/within.json"]
    write_folder(tmp_path, records, files, {})
    paths = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert paths == {*files, INDEX, "notes.txt"}


def test_an_audit_that_was_cut_off_is_completed(records: AuditRecords, tmp_path: Path) -> None:
    class DiedError(BaseException):
        pass

    class DyingFiles(dict[str, bytes]):
        def items(self):
            yield from list(super().items())[:3]
            raise DiedError

    files = files_of(records)
    with pytest.raises(DiedError):
        write_folder(tmp_path, records, DyingFiles(files), {})
    check_folder(tmp_path, records)
    write_folder(tmp_path, records, files, {})
    assert json.loads((tmp_path / INDEX).read_text())["complete"] is True
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == {*files, INDEX}


def test_a_folder_of_something_else_is_refused(records: AuditRecords, store: InMemoryStore, tmp_path: Path) -> None:
    check_folder(tmp_path / "new", records)
    check_folder(tmp_path, records)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        check_folder(tmp_path, records)
    with pytest.raises(UsageError, match="is a file"):
        check_folder(tmp_path / "thesis.txt", records)
    other = read_records(store, MODEL, "live", Period(PERIOD.first, date(2026, 7, 31)), [], [])
    write_folder(tmp_path / "other", other, {}, {})
    with pytest.raises(UsageError, match="something else"):
        check_folder(tmp_path / "other", records)


def test_an_index_that_names_files_elsewhere_removes_none_of_them(records: AuditRecords, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("not the audit's")
    folder = tmp_path / "audit"
    write_folder(folder, records, {}, {})
    index = json.loads((folder / INDEX).read_text())
    index["files"] = [{"path": "../outside.txt"}, {"path": str(outside)}, "nothing"]
    (folder / INDEX).write_text(json.dumps(index))
    write_folder(folder, records, {}, {})
    assert outside.exists()


def test_a_period_ends_after_it_begins() -> None:
    with pytest.raises(ValueError, match="begins on 2026-02-02, after its end on 2026-02-01"):
        Period(date(2026, 2, 2), date(2026, 2, 1))
    with pytest.raises(ValueError, match="no day comes after it"):
        Period(date(2026, 2, 2), date.max)
