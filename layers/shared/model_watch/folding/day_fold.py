"""Counts days of the prediction log from its bucket: each line under the day that it says itself, each request once.

Memory holds the tallies of three days besides what ``day_lines`` holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from model_registry.stores.base import ObjectStore
from model_watch.folding.day_lines import NewLines, read_days, read_sorted
from model_watch.folding.line_tally import fold
from model_watch.folding.single_record_lines import count_single_records
from model_watch.log_objects import ONE_DAY, list_day
from model_watch.tally import DayTally


def fold_day(store: ObjectStore, model: str, day: date) -> DayTally:
    """Return the tally of one day of a model's requests, from all objects that may have lines of it."""
    folders = {beside: list_day(store, beside) for beside in (day - ONE_DAY, day, day + ONE_DAY)}
    (tally,) = fold_days(store, model, [day], folders)
    return tally


def fold_days(
    store: ObjectStore, model: str, days: Sequence[date], folders: Mapping[date, Sequence[str]]
) -> Iterator[DayTally]:
    """Yield the tallies of days in their order, each as soon as it is complete.

    The parameters are those of ``read_days``, and it raises as that does.
    """
    tallies = {day: DayTally(day) for day in days}
    for new in read_days(store, model, days, folders):
        if isinstance(new, NewLines):
            tallies[new.day] += _count(new)
        else:
            yield tallies.pop(new)


def fold_sorted(
    model: str, days: Sequence[date], folders: Iterable[tuple[date, Iterable[bytes | None]]]
) -> list[DayTally]:
    """Return the tallies of days from lines that were fetched already; see ``read_sorted``.

    The lines may be a part of the log. If a request's lines are all in one part, the parts' tallies add up.
    """
    tallies = {day: DayTally(day) for day in days}
    for new in read_sorted(model, days, folders):
        tallies[new.day] += _count(new)
    return list(tallies.values())


def _count(new: NewLines) -> DayTally:
    versions = {version: count_single_records(records) for version, records in new.records.items() if records}
    tally = DayTally(new.day, versions, damaged=new.damaged)
    return tally + fold(new.lines).get(new.day, DayTally(new.day))
