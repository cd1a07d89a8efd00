"""Keeps the tallies of days in the model's bucket, and counts those days anew whose log has changed.

A document is one day, and is written whole. It tells the log objects that were counted: those in the folder of the day
and of the days beside it. As long as they are the same, the log isn't read again; if one more has arrived, the day
is counted again as a whole. So a run may be killed anywhere, and two may run at once: each document is right by itself.

A log is kept for a limited time, a tally isn't. A day of which objects have gone keeps its document, unless others have
arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from model_registry import documents, names
from model_registry.documents import MAX_DOCUMENT_BYTES
from model_registry.errors import RegistryError
from model_registry.stores.base import ObjectStore
from model_watch.folding.day_fold import fold_days
from model_watch.log_objects import ONE_DAY, Folder, list_days
from model_watch.tally import DayTally

FORMAT: Final = 1
_EMPTY: Final = Folder.of(())


class InvalidTallyError(RegistryError):
    """A stored tally can't be read; the message says why and what to do."""


@dataclass(frozen=True)
class _Document:
    """A day's tally as it is stored, and the folders that it was counted from, by their dates."""

    model: str
    folders: Mapping[str, Folder]
    tally: Mapping[str, Any]


def refresh(store: ObjectStore, log_store: ObjectStore, model: str, since: date, until: date) -> list[DayTally]:
    """Return the tallies of all days up to ``until``, after counting what is new in the log from ``since`` on.

    Parameters
    ----------
    store : ObjectStore
        The model's bucket, in which tallies are kept.
    log_store : ObjectStore
        The bucket of the prediction log.
    model : str
    since, until : date
        The first and the last day whose log is looked at, both included.

    Returns
    -------
    list of DayTally
        Of the days before ``since``, those that are kept; then one a day, an empty one for a day without lines.

    Raises
    ------
    InvalidTallyError
        If a stored tally can't be read.
    StoreUnavailableError
        If a bucket doesn't answer. The days that were counted before are kept.
    """
    names.check_model_name(model)
    days = [since + number * ONE_DAY for number in range((until - since).days + 1)]
    if not days:
        return []
    folders = list_days(log_store, since - ONE_DAY, until + ONE_DAY)
    found = {folder: Folder.of(keys) for folder, keys in folders.items()}
    tallies, changed = {}, []
    kept = set(filter(None, map(names.parse_dated_key, store.list_keys(names.monitor_days_prefix(model)))))
    for day in days:
        counted: Mapping[date, Folder] = {}
        tallies[day] = DayTally(day)
        if day in kept:
            tallies[day], counted = _read(store, model, day)
        if _is_changed(counted, {folder: found[folder] for folder in _with_neighbours(day)}):
            changed.append(day)
    for tally in fold_days(log_store, model, changed, folders):
        tallies[tally.day] = tally
        _write(store, model, tally, {folder: found[folder] for folder in _with_neighbours(tally.day)})
    return [_read(store, model, day)[0] for day in sorted(kept) if day < since] + [tallies[day] for day in days]


def day_document(model: str, tally: DayTally, folders: Mapping[date, Folder]) -> bytes:
    """Return the document of one day, which is stored under ``names.monitor_day_key``.

    ``folders`` are those of the day and of the days beside it.
    """
    counted = {folder.isoformat(): asdict(found) for folder, found in folders.items()}
    document = {"format": FORMAT, "model": model, "folders": counted, "tally": tally.to_document()}
    return documents.dump_object(document)


def _with_neighbours(day: date) -> tuple[date, ...]:
    return day - ONE_DAY, day, day + ONE_DAY


def _is_changed(counted: Mapping[date, Folder], found: Mapping[date, Folder]) -> bool:
    """Say whether a day must be counted anew; not if objects that were counted have gone and none has arrived since."""
    before = {folder: counted.get(folder, _EMPTY) for folder in found}
    more = [found[folder].objects - before[folder].objects for folder in found]
    return before != found and (max(more) > 0 or min(more) == 0)


def _read(store: ObjectStore, model: str, day: date) -> tuple[DayTally, dict[date, Folder]]:
    key = names.monitor_day_key(model, day)
    body = store.get(key, limit_bytes=MAX_DOCUMENT_BYTES).body
    try:
        document = documents.read_formatted(_Document, body, FORMAT)
        tally = DayTally.from_document(document.tally)
        if (document.model, tally.day) != (model, day):
            raise ValueError(f"it is of {tally.day} of model {document.model!r}")
        return tally, {date.fromisoformat(name): folder for name, folder in document.folders.items()}
    except ValueError as error:
        raise InvalidTallyError(
            f"{key!r} can't be used: {error}. If it is damaged, delete it: the day is counted again from the log, as "
            "far as the log is still kept."
        ) from error


def _write(store: ObjectStore, model: str, tally: DayTally, folders: Mapping[date, Folder]) -> None:
    store.put(names.monitor_day_key(model, tally.day), day_document(model, tally, folders))
