"""The calendar and the files of the sample year: when its loans are scored, and when what became of them is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from model_artifact.schema import TARGET
from peerloan.errors import CommandError
from training.holdout import records_of
from training.loans.sample_quarters import (
    QUARTERS,
    TESTED_ON,
    TRAINED_ON,
    SampleQuarter,
    generate_sample_quarter,
)

# A year that is over, whatever the date is today: nothing may be known as of a day in the future.
_FIRST_DAY: Final = date(2024, 1, 2)
SCORING_DAYS: Final = 4
# Of the requests that aren't about one loan.
_RECORDS_A_REQUEST: Final = 1_000
# Figures of more loans take most of the time of training.
_LOANS_BEFORE: Final = {TRAINED_ON: 30_000, TESTED_ON: 10_000}
# Of a quarter's loans, the part that a new model is trained on; it is tested on the others.
_TRAINED_ON_PART: Final = 0.75


@dataclass(frozen=True)
class Quarter:
    """One quarter of the year.

    Attributes
    ----------
    sample : SampleQuarter
        Its loans.
    first, last : date
        The days on which they are scored.
    known_on : date
        From then on it is known what became of all of them. The next quarter begins on the day after.
    """

    sample: SampleQuarter
    first: date
    last: date
    known_on: date

    @property
    def vintage(self) -> str:
        """The calendar quarter, as the monitor names it."""
        return f"{self.first.year}-Q{(self.first.month + 2) // 3}"

    def single_requests(self) -> list[bytes]:
        """Return the bodies of requests for one loan each, in the loans' order."""
        return [json.dumps(record).encode() for record in self._records()]

    def batch_requests(self) -> Iterator[bytes]:
        """Yield the bodies of requests for many loans each, which are all of the quarter's."""
        records = self._records()
        for start in range(0, len(records), _RECORDS_A_REQUEST):
            yield json.dumps({"instances": records[start : start + _RECORDS_A_REQUEST]}).encode()

    def write_outcomes(self, folder: Path) -> Path:
        """Write what became of the loans, as ``peerloan outcomes import`` takes it."""
        path = folder / f"{self.vintage}-outcomes.csv"
        self.sample.outcomes(self.last, self.known_on).to_csv(path, index=False)
        return path

    def write_loans(self, folder: Path) -> tuple[Path, Path]:
        """Write the loans with their outcomes as two files: to train on, and to test on."""
        cut = round(_TRAINED_ON_PART * len(self.sample.loans))
        paths = folder / f"{self.vintage}-earlier.csv", folder / f"{self.vintage}-later.csv"
        self.sample.loans[:cut].to_csv(paths[0], index=False)
        self.sample.loans[cut:].to_csv(paths[1], index=False)
        return paths

    def _records(self) -> list[dict[str, object]]:
        return records_of(self.sample.loans.drop(columns=TARGET))


def quarters_of_the_year(window_days: int) -> Iterator[Quarter]:
    """Yield the quarters, one at a time.

    Parameters
    ----------
    window_days : int
        The monitor's outcome window. Each quarter's loans are scored on a few days, and the next quarter's on the first
        days on which these are known.

    Raises
    ------
    CommandError
        If the window is too long: then the calendar's quarters pass by before the outcomes are known.
    """
    vintages: set[str] = set()
    first = _FIRST_DAY
    for number in QUARTERS:
        last = first + timedelta(days=SCORING_DAYS - 1)
        known_on = last + timedelta(days=window_days)
        quarter = Quarter(generate_sample_quarter(number), first, last, known_on)
        vintages.add(quarter.vintage)
        if len(vintages) < number or first.year != _FIRST_DAY.year:
            raise CommandError(
                f"With an outcome window of {window_days} days the sample year has no four quarters. Set "
                "outcome_window_days to about a quarter."
            )
        yield quarter
        first = known_on + timedelta(days=1)


def write_loans_before(folder: Path) -> tuple[Path, Path]:
    """Write the loans of before the year: a file to train on, and one to test on."""
    paths = folder / "before-1.csv", folder / "before-2.csv"
    for (number, n_loans), path in zip(_LOANS_BEFORE.items(), paths, strict=True):
        generate_sample_quarter(number, n_loans).loans.to_csv(path, index=False)
    return paths
