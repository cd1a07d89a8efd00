"""Vintages: equal to a loop over predictions and statements; counted again only where something has changed."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from log_texts import log_text, pack
from memory_store import InMemoryStore
from model_monitor.joined.maturity import LATE, ON_TIME, UNKNOWN, day_number
from model_monitor.joined.outcome_file import OutcomeFile
from model_monitor.joined.outcome_store import OutcomeStore
from model_monitor.joined.vintage import Quarter
from model_monitor.joined.vintage_store import InvalidVintageError
from model_monitor.joined.vintages import refresh_vintages
from model_monitor.settings import MonitorSettings, default_settings
from model_registry import names
from model_registry.errors import StoreUnavailableError
from model_watch.loan_hash import LoanHasher
from model_watch.tally import score_bin

MODEL = "late-payer"
HASHER = LoanHasher("k" * 40)
FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)
THRESHOLD = 0.025
ONE_DAY = timedelta(days=1)


class CountingStore(InMemoryStore):
    """A bucket that counts the reads of its objects and its writes, and can fail a write."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()
        self.writes: list[str] = []
        self.fail_at = math.inf

    def get(self, key, **limits):
        self.reads[key] += 1
        return super().get(key, **limits)

    def put(self, key, body, **conditions):
        if len(self.writes) >= self.fail_at:
            raise StoreUnavailableError("write", key, "killed")
        self.writes.append(key)
        return super().put(key, body, **conditions)


@dataclass
class Service:
    """A model's bucket and its log's."""

    store: CountingStore = field(default_factory=CountingStore)
    log: CountingStore = field(default_factory=CountingStore)
    window_days: int = 106
    lines: int = 0

    def predict(self, day: date, *records, version=3, minute=0, shadow=None, folder=None, key=None, status=200) -> None:
        """Log a request of ``(loan, late_probability)`` records; ``shadow`` has its version and its probabilities."""
        self.lines += 1
        late = [probability for _, probability in records]
        changes: dict[str, Any] = {
            "loans": [HASHER.hash(loan) if loan else None for loan, _ in records],
            "late_probabilities": late,
            "is_late": flags(late),
            "status": status,
        }
        at = datetime.combine(day, time(minute // 60, minute % 60), UTC)
        text = log_text(
            self.lines, at, records=len(records), version=version, shadow="scored" if shadow else None, **changes
        )
        if shadow:
            line = json.loads(text)
            line["shadow"] |= {"version": shadow[0], "late_probabilities": shadow[1], "is_late": flags(shadow[1])}
            text = to_json(line)
        self.log.put(key or f"log/dt={folder or day}/{self.lines:06}.jsonl.gz", pack([text]))

    def state(self, as_of: date, *rows) -> str:
        """Import ``(loan, observed_on, is_late)`` rows."""
        loans, days, is_late = zip(*rows, strict=True)
        hashes = np.array([HASHER.hash(loan) for loan in loans], dtype="S16")
        outcomes = OutcomeFile.of(as_of, hashes, np.array([day_number(day) for day in days]), np.array(is_late))
        return OutcomeStore(self.store, MODEL).keep(outcomes)[0]

    def look(self, today: date):
        """Return the vintages by name."""
        found = refresh_vintages(self.store, self.log, MODEL, settings_with(self.window_days), today)
        assert [vintage.name for vintage in found] == sorted(vintage.name for vintage in found)
        return {vintage.name: vintage for vintage in found}


def settings_with(window_days: int) -> MonitorSettings:
    return replace(default_settings(), outcome_window_days=window_days)


def flags(late) -> str:
    return "".join("1" if probability >= THRESHOLD else "0" for probability in late)


PROBABILITIES = st.sampled_from([0.001, 0.02, 0.03, 0.5])
LOANS = st.sampled_from([None, "LN-0", "LN-1", "LN-2", "LN-3"])
REQUESTS = st.lists(
    st.fixed_dictionaries(
        {
            "offset": st.integers(-1, 91),
            "minute": st.integers(0, 1439),
            "version": st.integers(1, 2),
            "records": st.lists(st.tuples(LOANS, PROBABILITIES, PROBABILITIES), min_size=1, max_size=3),
            "shadow": st.sampled_from([0, 7]),
            "late_folder": st.booleans(),
        }
    ),
    max_size=8,
    unique_by=lambda request: (request["offset"], request["minute"]),
)
STATEMENTS = st.lists(
    st.tuples(st.sampled_from(["LN-0", "LN-1", "LN-2", "LN-9"]), st.integers(-2, 320), st.booleans()), max_size=12
)


def by_loop(requests, imports, window, today):
    """Return the outcomes of each version and day: of (loan, probability, shadow's probability)."""
    latest = {}
    for as_of in sorted(imports):
        if as_of <= today:
            said = defaultdict(set)
            for loan, offset, is_late in imports[as_of]:
                said[loan, FIRST + offset * ONE_DAY].add(is_late)
            latest.update({key: (next(iter(late)), key[1] == as_of) for key, late in said.items() if len(late) == 1})
    counted = defaultdict(list)
    seen = set()
    for request in sorted(requests, key=lambda request: (request["offset"], request["minute"])):
        day, version = FIRST + request["offset"] * ONE_DAY, request["version"]
        if not FIRST <= day <= min(LAST, today):
            continue
        for loan, late, shadow in request["records"]:
            if loan is None:
                counted[version, day].append(None)
            elif (version, loan) not in seen:
                seen.add((version, loan))
                outcome = became(latest, loan, day, window) if day + window * ONE_DAY <= today else "immature"
                counted[version, day].append((late, shadow if request["shadow"] else None, outcome))
    forget_unreported(counted)
    return counted


def forget_unreported(counted) -> None:
    for day in {day for _, day in counted}:
        parts = [counted[key] for key in counted if key[1] == day]
        outcomes = [loan[2] for part in parts for loan in part if loan]
        if "immature" not in outcomes and sum(outcome != UNKNOWN for outcome in outcomes) < len(outcomes) / 2:
            for part in parts:
                part[:] = [loan and (*loan[:2], UNKNOWN) for loan in part]


def became(latest, loan, day, window) -> int:
    end = day + window * ONE_DAY
    told = {observed_on: late for (stated, observed_on), late in latest.items() if stated == loan}
    if any(late and day <= observed_on <= end for observed_on, (late, _) in told.items()):
        return LATE
    for observed_on, (late, is_by_then) in sorted(told.items()):
        if end <= observed_on <= end + window * ONE_DAY and (is_by_then or not late):
            return LATE if late else ON_TIME
    return UNKNOWN


@settings(max_examples=60)
@given(REQUESTS, STATEMENTS, STATEMENTS, st.sampled_from([7, 50, 106]), st.integers(0, 330))
def test_vintages_equal_a_loop_over_predictions_and_statements(requests, first, second, window, offset):
    service = Service(window_days=window)
    today = FIRST + offset * ONE_DAY
    for request in requests:
        day = FIRST + request["offset"] * ONE_DAY
        service.predict(
            day,
            *((loan, late) for loan, late, _ in request["records"]),
            version=request["version"],
            minute=request["minute"],
            shadow=(7, [shadow for *_, shadow in request["records"]]) if request["shadow"] else None,
            folder=day + ONE_DAY if request["late_folder"] else None,
        )
    imports = {FIRST + 200 * ONE_DAY: first, FIRST + 320 * ONE_DAY: second}
    for as_of, statements in imports.items():
        contradicted = {(loan, day) for loan, day, late in statements if (loan, day, not late) in statements}
        rows = [
            (loan, FIRST + day * ONE_DAY, late) for loan, day, late in statements if (loan, day) not in contradicted
        ]
        if rows:
            service.state(as_of, *rows)

    vintages = service.look(today)

    expected = by_loop(requests, imports, window, today)
    vintage = vintages.get("2026-Q1")
    counted = {} if vintage is None else {(v, day): t for day, vs in vintage.days.items() for v, t in vs.items()}
    if vintage is None:
        assert not any(loan and loan[2] != "immature" for loans in expected.values() for loan in loans)
    else:
        assert counted.keys() == expected.keys()
    for key, tally in counted.items():
        check(tally, expected[key])
    assert service.look(today) == vintages


def check(tally, loans) -> None:
    hashed = [loan for loan in loans if loan is not None]
    mature = [loan for loan in hashed if loan[2] != "immature"]
    known = [loan for loan in mature if loan[2] != UNKNOWN]
    assert (tally.unhashed, tally.records) == (len(loans) - len(hashed), len(hashed))
    assert (tally.mature, tally.known) == (len(mature), len(known))
    for outcome, counts in ((LATE, tally.late), (ON_TIME, tally.on_time)):
        bins = Counter(int(score_bin([loan[0]])[0]) for loan in known if loan[2] == outcome)
        assert {place: int(counts[place]) for place in np.flatnonzero(counts).tolist()} == bins
    assert tally.expected_late == pytest.approx(sum(loan[0] for loan in known))
    paired = [loan for loan in known if loan[1] is not None]
    assert sum(pair.loans for pair in tally.pairs.values()) == len(paired)
    if paired:
        expected = Counter((int(a >= THRESHOLD), int(b >= THRESHOLD), late) for a, b, late in paired)
        swaps = tally.pairs[7].swaps
        assert {place: int(swaps[place]) for place in np.ndindex(2, 2, 2) if swaps[place]} == expected


Q1_DAY = date(2026, 2, 10)
LOOK = date(2026, 7, 20)


def simple() -> Service:
    service = Service()
    service.predict(Q1_DAY, ("LN-0", 0.03), ("LN-1", 0.02))
    service.predict(Q1_DAY + ONE_DAY, ("LN-1", 0.5))
    service.state(date(2026, 7, 15), ("LN-0", date(2026, 4, 1), True), ("LN-1", date(2026, 6, 30), False))
    return service


def test_a_loans_first_prediction_by_each_version_counts() -> None:
    service = simple()
    service.predict(Q1_DAY - ONE_DAY, ("LN-1", 0.5), version=4)

    versions = service.look(LOOK)["2026-Q1"].by_version()

    assert {version: (t.records, t.known, t.n_late) for version, t in versions.items()} == {3: (2, 2, 1), 4: (1, 1, 0)}
    assert versions[3].expected_late == pytest.approx(0.05)


def test_nothing_is_known_of_a_loan_before_its_window_has_passed() -> None:
    service = simple()
    service.state(date(2026, 5, 1), ("LN-0", date(2026, 4, 1), True))

    assert service.look(date(2026, 5, 26)) == {}
    before = service.look(date(2026, 5, 27))["2026-Q1"].by_version()[3]
    after = service.look(date(2026, 7, 15))["2026-Q1"].by_version()[3]

    assert (before.records, before.mature, before.known, before.n_late) == (2, 2, 1, 1)
    assert (after.mature, after.known) == (2, 2)


def test_late_loans_of_a_day_do_not_count_before_half_of_its_outcomes_are_known() -> None:
    service = Service()
    service.predict(Q1_DAY, *((f"LN-{number}", 0.03) for number in range(3)))
    service.predict(Q1_DAY, ("LN-3", 0.03), version=4)
    service.state(date(2026, 5, 1), ("LN-0", date(2026, 4, 1), True), ("LN-1", date(2026, 5, 1), False))
    early = service.look(date(2026, 6, 30))["2026-Q1"].by_version()
    service.state(date(2026, 7, 15), ("LN-1", date(2026, 7, 15), False))
    later = service.look(date(2026, 7, 15))["2026-Q1"].by_version()

    assert [(early[version].mature, early[version].unknown, early[version].n_late) for version in (3, 4)] == [
        (3, 3, 0),
        (1, 1, 0),
    ]
    assert (later[3].known, later[3].n_late) == (2, 1)


def test_outcomes_that_were_known_later_do_not_count() -> None:
    assert simple().look(date(2026, 7, 14))["2026-Q1"].by_version()[3].known == 0


def test_an_unchanged_vintage_is_not_read_again() -> None:
    service = simple()
    first = service.look(LOOK)
    log_reads, writes = service.log.reads.total(), len(service.store.writes)

    assert service.look(LOOK) == first
    assert service.look(LOOK + ONE_DAY) == first
    assert (service.log.reads.total(), len(service.store.writes)) == (log_reads, writes)


def test_days_that_become_mature_do_not_need_the_log_again() -> None:
    service = simple()
    service.predict(date(2026, 2, 15), ("LN-5", 0.1))
    first = service.look(date(2026, 5, 28))
    log_reads = service.log.reads.total()

    second = service.look(date(2026, 6, 1))

    assert service.log.reads.total() == log_reads
    assert [vintage["2026-Q1"].by_version()[3].mature for vintage in (first, second)] == [2, 3]


def test_a_late_object_of_the_log_is_taken_up() -> None:
    service = simple()
    service.look(LOOK)
    service.predict(Q1_DAY, ("LN-2", 0.1))

    assert service.look(LOOK)["2026-Q1"].by_version()[3].records == 3


def test_a_new_import_is_taken_up_and_earlier_imports_are_not_described_again() -> None:
    service = simple()
    service.look(LOOK)
    service.state(date(2026, 7, 19), ("LN-0", date(2026, 4, 1), False))
    far = service.state(date(2026, 7, 19), ("LN-0", date(2025, 1, 1), False))

    assert service.look(LOOK)["2026-Q1"].by_version()[3].n_late == 0
    service.look(LOOK)
    service.look(LOOK + ONE_DAY)
    # An import that tells of no loan of the vintage is looked at once.
    assert service.store.reads[names.outcomes_key(MODEL, far)] == 1


def test_a_vintage_whose_log_has_expired_keeps_its_document() -> None:
    service = simple()
    first = service.look(LOOK)
    for key in service.log.list_keys(f"log/dt={Q1_DAY}"):
        service.log.delete(key)
    service.state(date(2026, 7, 19), ("LN-1", date(2026, 6, 30), True))

    assert service.look(LOOK) == first


def test_a_vintage_that_is_over_is_not_listed_again() -> None:
    service = simple()
    over = LAST + timedelta(days=2 * 106 + 1)
    first = service.look(over)
    service.predict(Q1_DAY, ("LN-2", 0.1))

    assert service.look(over + ONE_DAY) == first


def test_an_unfinished_quarter_is_counted_again_until_it_is_over() -> None:
    service = simple()
    service.window_days = 10
    service.look(date(2026, 2, 25))
    service.predict(LAST, ("LN-8", 0.1))

    assert service.look(date(2027, 1, 1))["2026-Q1"].by_version()[3].records == 3


def test_a_request_that_failed_and_other_models_do_not_count() -> None:
    service = simple()
    service.predict(Q1_DAY, ("LN-7", 0.1), status=500)
    text = log_text(99, datetime.combine(Q1_DAY, time(), UTC), model="other")
    service.log.put(f"log/dt={Q1_DAY}/other.gz", pack([text, b'{"kind": "prediction"}']))

    vintage = service.look(LOOK)["2026-Q1"]

    assert (vintage.by_version()[3].records, vintage.damaged) == (2, 1)


def test_a_line_that_was_delivered_twice_counts_once() -> None:
    service = simple()
    before = service.look(LOOK)["2026-Q1"]
    for key in service.log.list_keys("log/"):
        service.log.put(key.replace(".jsonl", "-again.jsonl"), service.log.get(key).body)

    assert service.look(LOOK)["2026-Q1"].days == before.days


def test_killed_at_any_write_and_run_again_it_ends_the_same() -> None:
    service = simple()
    service.predict(date(2025, 12, 31), ("LN-1", 0.5))
    service.predict(date(2025, 8, 1), ("LN-1", 0.5))
    undisturbed = simple()
    undisturbed.store, undisturbed.log = InMemoryStore(), service.log
    for key in service.store.list_keys(""):
        undisturbed.store.put(key, service.store.get(key).body)
    expected = undisturbed.look(LOOK)

    for _ in range(3):
        service.store.fail_at = len(service.store.writes)
        with pytest.raises(StoreUnavailableError):
            service.look(LOOK)
        service.store.fail_at += 1
        try:
            service.look(LOOK)
        except StoreUnavailableError:
            continue
    service.store.fail_at = math.inf
    assert service.look(LOOK) == expected
    prefix = names.monitor_vintages_prefix(MODEL)
    assert [service.store.get(key).body for key in service.store.list_keys(prefix)] == [
        undisturbed.store.get(key).body for key in undisturbed.store.list_keys(prefix)
    ]


def test_deleted_documents_are_made_again() -> None:
    service = simple()
    first = service.look(LOOK)
    for key in service.store.list_keys(names.monitor_vintages_prefix(MODEL)):
        service.store.delete(key)

    assert service.look(LOOK) == first


@pytest.mark.parametrize(
    "change",
    [
        {"vintage": "2025-Q4"},
        {"format": 2},
        {"if_mature": {"2026-02-30": {}}},
        {"if_mature": {"2026-02-10": {"03": {}}}},
        {"if_mature": {"2026-02-10": {"3": {}}}},
        {"used": [1]},
    ],
)
def test_a_damaged_document_is_refused_with_what_to_do(change) -> None:
    service = simple()
    service.look(LOOK)
    key = names.monitor_vintage_key(MODEL, "2026-Q1")
    document = json.loads(service.store.get(key).body)
    service.store.put(key, json.dumps(document | change).encode())

    with pytest.raises(InvalidVintageError, match=r"2026-Q1.json.*Delete the object"):
        service.look(LOOK)


def test_quarters_follow_each_other() -> None:
    quarter = Quarter.of(date(2025, 12, 31))
    names_ = []
    for _ in range(5):
        names_.append((quarter.name, str(quarter.first), str(quarter.last), len(quarter.days)))
        assert quarter.next().previous() == quarter == Quarter.parse(quarter.name)
        quarter = quarter.next()

    assert names_ == [
        ("2025-Q4", "2025-10-01", "2025-12-31", 92),
        ("2026-Q1", "2026-01-01", "2026-03-31", 90),
        ("2026-Q2", "2026-04-01", "2026-06-30", 91),
        ("2026-Q3", "2026-07-01", "2026-09-30", 92),
        ("2026-Q4", "2026-10-01", "2026-12-31", 92),
    ]
    assert Quarter.parse("2026-Q5") is None
