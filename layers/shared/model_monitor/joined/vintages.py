"""Brings the vintages up to date: joins the predictions of a quarter with the outcomes that are known of its loans.

A vintage is counted anew as a whole if objects of its log or imports of outcomes that tell of its loans have changed;
else its document is taken as it is. So a run may be killed anywhere, and two may run at once. The log is kept for a
limited time: a vintage of which objects have gone keeps its document.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import accumulate, repeat
from typing import Final

from model_monitor.joined.maturity import KnownOutcomes, Statements, day_number
from model_monitor.joined.outcome_file import OutcomeSpan
from model_monitor.joined.outcome_store import OutcomeStore
from model_monitor.joined.predictions import Predictions, predictions_of
from model_monitor.joined.vintage import DayTallies, Quarter, Vintage, VintageCounter, as_of
from model_monitor.joined.vintage_store import StoredVintage, VintageStore, as_documents, have_gone
from model_monitor.settings import MonitorSettings
from model_registry.stores.base import ObjectStore
from model_watch.folding.day_lines import NewLines, read_days
from model_watch.log_objects import ONE_DAY, Folder, list_days

# A vintage that has no document is looked for in the log of so many quarters.
QUARTERS_BACK: Final = 12
# Objects of the log arrive at most so long after their last line.
ARRIVAL: Final = timedelta(days=3)

_Stored = tuple[StoredVintage, DayTallies]


def refresh_vintages(
    store: ObjectStore, log_store: ObjectStore, model: str, settings: MonitorSettings, today: date
) -> list[Vintage]:
    """Return the vintages that have a mature day, the earliest first, after counting what is new.

    Parameters
    ----------
    store : ObjectStore
        The model's bucket, with the outcomes and the vintages' documents.
    log_store : ObjectStore
        The bucket of the prediction log.
    model : str
    settings : MonitorSettings
    today : date
        What was known later isn't counted.

    Raises
    ------
    InvalidVintageError, InvalidOutcomesError
        If a document can't be read.
    StoreUnavailableError
        If a bucket doesn't answer. The vintages that were counted before are kept.
    """
    return _Refresh(store, log_store, model, settings, today).vintages()


class _Refresh:
    """One look at the vintages."""

    def __init__(
        self, store: ObjectStore, log_store: ObjectStore, model: str, settings: MonitorSettings, today: date
    ) -> None:
        self._documents = VintageStore(store, model)
        self._outcomes = OutcomeStore(store, model)
        self._log_store = log_store
        self._model = model
        self._window_days = settings.outcome_window_days
        self._window = timedelta(days=self._window_days)
        self._known_share = settings.enough.known_share
        self._today = today
        self._spans: dict[str, OutcomeSpan] = {}

    def vintages(self) -> list[Vintage]:
        """Return the vintages that have a mature day."""
        stored = {quarter: self._documents.find(quarter) for quarter in self._documents.list_quarters()}
        known = {digest: span for found in stored.values() if found for digest, span in found[0].imports.items()}
        self._spans = {
            digest: known.get(digest) or self._outcomes.get(digest).span for digest in self._outcomes.list_digests()
        }
        vintages = []
        for quarter in self._quarters(stored):
            refreshed = self._refresh(quarter, stored.get(quarter))
            if refreshed:
                document, days = refreshed
                days = as_of(days, self._today, document.window_days, self._known_share)
                if any(tally.mature for versions in days.values() for tally in versions.values()):
                    vintages.append(Vintage(quarter.name, days, document.fingerprint, document.damaged))
        return vintages

    def _quarters(self, stored: Iterable[Quarter]) -> list[Quarter]:
        """Return the quarters that may have a mature day: those with a document, and the last ones."""
        newest = Quarter.of(self._today - self._window)
        recent = accumulate(repeat(newest, QUARTERS_BACK), lambda quarter, _: quarter.previous())
        return sorted({*recent, *(quarter for quarter in stored if quarter <= newest)})

    def _refresh(self, quarter: Quarter, stored: _Stored | None) -> _Stored | None:
        """Return a vintage's document after counting it, if that is needed; None if the log has nothing of it."""
        used = self._used(quarter)
        if stored and self._is_over(quarter, stored[0]) and stored[0].was_counted_from(used, self._window_days):
            return stored
        # The whole quarter, also for a look as of a day within it: else its later objects seem to have gone.
        keys = list_days(self._log_store, quarter.first - ONE_DAY, quarter.last + ONE_DAY)
        folders = {day.isoformat(): Folder.of(of_day) for day, of_day in keys.items() if of_day}
        if stored and have_gone(stored[0].folders, folders):
            return stored
        if not stored and not folders:
            return None
        document = StoredVintage(
            vintage=quarter.name,
            counted_on=self._today.isoformat(),
            window_days=self._window_days,
            folders=folders,
            imports=self._spans,
            used=used,
        )
        if stored and stored[0].fingerprint == document.fingerprint:
            days: DayTallies = stored[1]
            document = replace(document, damaged=stored[0].damaged, if_mature=stored[0].if_mature)
        else:
            days, damaged = self._count(quarter, keys, used)
            document = replace(document, damaged=damaged, if_mature=as_documents(days))
        if (
            not stored
            or replace(stored[0], counted_on=document.counted_on) != document
            or self._is_over(quarter, document)
        ):
            self._documents.put(quarter, document)
        return document, days

    def _used(self, quarter: Quarter) -> tuple[str, ...]:
        """Return the imports that tell of a vintage's loans, and were known by today."""
        end = quarter.last + 2 * self._window
        return tuple(digest for digest, span in self._spans.items() if span.tells_of(quarter.first, end, self._today))

    def _is_over(self, quarter: Quarter, document: StoredVintage) -> bool:
        """Say whether nothing of the log's vintage was still to arrive when it was counted, and no window is open."""
        is_complete = date.fromisoformat(document.counted_on) >= quarter.last + ARRIVAL
        return is_complete and quarter.last + 2 * self._window < self._today

    def _count(
        self, quarter: Quarter, keys: Mapping[date, Sequence[str]], used: Sequence[str]
    ) -> tuple[DayTallies, int]:
        """Count a vintage; return its tallies as if all days were mature, and how many lines can't be read."""
        counter = VintageCounter(self._known(quarter, used), self._window_days)
        parts: defaultdict[date, list[Predictions]] = defaultdict(list)
        tallies, damaged = {}, 0
        for new in read_days(self._log_store, self._model, quarter.days, keys):
            if isinstance(new, NewLines):
                parts[new.day] += predictions_of(new)
                damaged += new.damaged
            elif parts[new]:
                tallies[new] = counter.count(new, Predictions.joined(parts.pop(new)))
        return {day: versions for day, versions in tallies.items() if versions}, damaged

    def _known(self, quarter: Quarter, used: Sequence[str]) -> KnownOutcomes:
        """Return the outcomes of the days that can tell of a vintage's loans."""
        first, last = day_number(quarter.first), day_number(quarter.last) + 2 * self._window_days
        return KnownOutcomes(
            Statements.joined([self._outcomes.get(digest).statements().between(first, last) for digest in used])
        )
