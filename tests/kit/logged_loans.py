"""A model's bucket and its log's, with loans that were scored day by day and what became of them, for tests."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from log_texts import THRESHOLD, log_text, pack
from model_monitor.joined.maturity import day_number
from model_monitor.joined.outcome_file import OutcomeFile
from model_monitor.joined.outcome_store import OutcomeStore
from model_registry.stores.base import ObjectStore
from model_watch.loan_hash import LoanHasher
from registry_kit import make_writer, publish_two

MODEL = "late-payer"
_HASHER = LoanHasher("k" * 40)
_LATE_AFTER, _ON_TIME_AFTER = timedelta(days=60), timedelta(days=110)


class LoggedLoans:
    """Versions 1 and 2 are published, and ``live`` points at version 1; loans are late as often as predicted."""

    def __init__(self, models: ObjectStore, log: ObjectStore) -> None:
        self.models, self.log = models, log
        self._lines = 0
        publish_two(models)
        make_writer(models).assign("live", 1)
        # The hash of each loan, its day, and whether it is late.
        self._loans: list[tuple[str, date, bool]] = []

    def score(
        self, day: date, *, loans: int = 200, factor: float = 1.0, version: int = 1, folder: date | None = None
    ) -> None:
        """Log one request of a day; a loan is late with ``factor`` times its probability."""
        self._lines += 1
        random = np.random.default_rng(self._lines)
        late = 1 / (1 + np.exp(-random.normal(-2.5, 1.0, loans)))
        hashes = [_HASHER.hash(f"LN-{self._lines}-{number}") for number in range(loans)]
        self._loans += zip(hashes, [day] * loans, (random.random(loans) < late * factor).tolist(), strict=True)
        changes = {
            "loans": hashes,
            "late_probabilities": late.tolist(),
            "is_late": "".join("1" if probability >= THRESHOLD else "0" for probability in late),
        }
        text = log_text(self._lines, datetime.combine(day, time(12), UTC), records=loans, version=version, **changes)
        self.log.put(f"log/dt={folder or day}/{self._lines:06}.jsonl.gz", pack([text]))

    def import_outcomes(self, as_of: date) -> str:
        """Import what is known of all loans by a day, late loans after two months and the others once it is sure."""
        rows = [(loan, day + (_LATE_AFTER if late else _ON_TIME_AFTER), late) for loan, day, late in self._loans]
        known = [row for row in rows if row[1] <= as_of]
        hashes, days, is_late = zip(*known, strict=True)
        outcomes = OutcomeFile.of(
            as_of, np.array(hashes, dtype="S16"), np.array([day_number(day) for day in days]), np.array(is_late)
        )
        return OutcomeStore(self.models, MODEL).keep(outcomes)[0]
