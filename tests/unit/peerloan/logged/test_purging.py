"""A loan is removed from the log and the outcomes, wherever the run is cut off; what is of other loans stays."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from log_texts import NOON, log_text, pack, report_text
from memory_store import InMemoryStore
from model_monitor.joined.maturity import day_number
from model_monitor.joined.outcome_file import OutcomeFile
from model_monitor.joined.outcome_store import OutcomeStore
from model_registry import names
from model_registry.errors import StoreUnavailableError
from model_watch.loan_hash import LoanHasher
from model_watch.prediction_log import LogLine, read_line
from peerloan.logged.line_purge import purge_lines
from peerloan.logged.purging import Purged, purge_loan

MODEL = "late-payer"
HASHER = LoanHasher("k" * 40)
LOAN, OTHER, THIRD = (HASHER.hash(loan) for loan in ("LN-1", "LN-2", "LN-3"))
DAY = "log/dt=2026-03-12/"


def without(line: LogLine, loan: str) -> LogLine | None:
    """Return the line without a loan, record by record."""
    places = [place for place, hashed in enumerate(line.loans) if hashed != loan]
    if not places and line.loans:
        return None

    def chosen(values):
        return tuple(values[place] for place in places) if values else values

    shadow = line.shadow
    if shadow is not None and shadow.outcome == "scored":
        shadow = replace(shadow, late_probabilities=chosen(shadow.late_probabilities), is_late=chosen(shadow.is_late))
    return replace(
        line,
        loans=chosen(line.loans),
        late_probabilities=chosen(line.late_probabilities),
        is_late=chosen(line.is_late),
        profiles=chosen(line.profiles),
        warnings={places.index(place): codes for place, codes in line.warnings.items() if place in places},
        shadow=shadow,
        key=None if line.key == loan else line.key,
        rows=len(places) if len(places) < len(line.loans) else line.rows,
    )


@given(
    st.lists(st.sampled_from([LOAN, OTHER, THIRD, None]), min_size=1, max_size=5),
    st.integers(0, 1000),
    st.sampled_from([None, "scored", "failed"]),
    st.sampled_from([LOAN, OTHER, None]),
)
def test_a_line_keeps_the_records_of_other_loans_and_nothing_of_the_loan(loans, number, shadow, key):
    warnings = {str(place): ["unseen_category"] for place in range(0, len(loans), 2)}
    text = log_text(number, records=len(loans), loans=loans, shadow=shadow, key=key, warnings=warnings) + b"\n"

    purged = purge_lines(text, LOAN)

    assert LOAN.encode() not in purged.text
    names_it = LOAN in (*loans, key)
    assert (purged.lines, purged.records) == (int(names_it), loans.count(LOAN))
    line = without(read_line(text), LOAN)
    if not names_it:
        assert purged.text == text
    elif line is None:
        assert purged.text == b""
    else:
        assert read_line(purged.text) == line


def test_lines_of_which_nothing_can_stay_go_whole_and_others_stay_byte_by_byte() -> None:
    stays = [report_text(1), b'{"kind": "other",  "x": 1.50}', b"not JSON", log_text(2), b""]
    goes = [b'{"kind": "prediction", "loans": ["' + LOAN.encode(), f'"{LOAN}"'.encode(), f'{{"a": "{LOAN}"}}'.encode()]
    goes.append(log_text(3, request_id=LOAN))

    purged = purge_lines(b"\r\n".join([*stays, *goes, *stays]), LOAN)

    assert purged.text == b"\r\n".join([*stays, *stays])
    assert (purged.lines, purged.records) == (4, 0)


class Buckets:
    """A log and outcomes that name the loan here and there; both can fail at a write."""

    def __init__(self) -> None:
        self.log, self.store = FailingStore(), FailingStore()
        self.outcomes = OutcomeStore(self.store, MODEL)
        self.log.put(f"{DAY}1.gz", pack([log_text(1, records=2, loans=[LOAN, OTHER]), log_text(2, loans=[OTHER])]))
        self.log.put(f"{DAY}2.gz", pack([log_text(3, loans=[LOAN])]))
        self.log.put("log/dt=2026-03-13/3.json", log_text(4, records=3, loans=[LOAN, LOAN, THIRD]) + b"\n")
        self.log.put("log/dt=2026-03-13/4.gz", pack([log_text(5, loans=[THIRD])]))
        for as_of, loans in (
            (date(2026, 7, 1), [LOAN, OTHER]),
            (date(2026, 8, 1), [LOAN]),
            (date(2026, 9, 1), [OTHER]),
        ):
            days = np.full(len(loans), day_number(as_of))
            self.outcomes.keep(OutcomeFile.of(as_of, np.array(loans, "S16"), days, np.ones(len(loans), bool)))

    def contents(self) -> dict[str, bytes]:
        objects = {}
        for store in (self.log, self.store):
            for key in store.list_keys(""):
                body = store.get(key).body
                objects[key] = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        return objects

    def purge(self) -> Purged:
        return purge_loan(self.log, self.outcomes, LOAN)


class FailingStore(InMemoryStore):
    """A bucket that fails all writes and deletions from one on."""

    def __init__(self) -> None:
        super().__init__()
        self.left = math.inf

    def put(self, key, body, **conditions):
        self._count(key)
        return super().put(key, body, **conditions)

    def delete(self, key):
        self._count(key)
        super().delete(key)

    def _count(self, key):
        if self.left <= 0:
            raise StoreUnavailableError("write", key, "killed")
        self.left -= 1


def test_the_loan_is_removed_everywhere_and_what_was_removed_is_said() -> None:
    buckets = Buckets()
    keys = buckets.log.list_keys("log/")

    purged = buckets.purge()

    assert purged == Purged(objects=3, lines=3, records=4, imports=2, outcomes=2)
    contents = buckets.contents()
    assert not [key for key, body in contents.items() if LOAN.encode() in body]
    # Vintages take objects that are gone for expired ones.
    assert buckets.log.list_keys("log/") == keys
    assert contents[f"{DAY}2.gz"] == b""
    assert sum(body.count(OTHER.encode()) for body in contents.values()) == 4
    assert buckets.purge() == Purged()


def test_cut_off_at_any_write_and_run_again_it_ends_the_same() -> None:
    undisturbed = Buckets()
    whole = undisturbed.purge()
    for writes in range(8):
        buckets = Buckets()
        buckets.log.left = buckets.store.left = writes
        try:
            first = buckets.purge()
        except StoreUnavailableError:
            first = None
        buckets.log.left = buckets.store.left = math.inf
        again = buckets.purge()

        assert buckets.contents() == undisturbed.contents()
        assert (first or again) == whole or again.objects < whole.objects or again.imports < whole.imports


def test_what_can_not_be_read_is_named_and_the_rest_is_purged() -> None:
    buckets = Buckets()
    buckets.log.put(f"{DAY}0.gz", buckets.log.get(f"{DAY}1.gz").body[:-4])
    damaged = names.outcomes_key(MODEL, "0" * 64)
    buckets.store.put(damaged, b"damaged")

    purged = buckets.purge()

    assert purged.unreadable == (damaged, f"{DAY}0.gz")
    assert (purged.objects, purged.imports) == (3, 2)


def test_a_purged_line_is_still_one_that_the_function_could_have_written() -> None:
    text = log_text(7, NOON, records=3, loans=[OTHER, LOAN, THIRD], shadow="scored")

    document = json.loads(purge_lines(text, LOAN).text)

    assert document["rows"] == len(document["loans"]) == len(document["shadow"]["is_late"]) == 2
    assert document.keys() == json.loads(text).keys()
