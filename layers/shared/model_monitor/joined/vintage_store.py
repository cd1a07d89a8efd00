"""Keeps what became of each vintage's loans in the bucket. A document is written whole, and can be made again.

A document says what it was counted from: the objects of the log by day of arrival, and the imports of outcomes. It
holds each day as if it were mature (``if_mature``): whoever reads it leaves the days out that aren't yet
(``vintage.as_of``). So it needn't be counted again just because another day has become mature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Final

from model_monitor.joined.outcome_file import OutcomeSpan
from model_monitor.joined.outcome_tally import OutcomeTally
from model_monitor.joined.vintage import DayTallies, Quarter
from model_registry import documents, names
from model_registry.documents import Positive
from model_registry.errors import ObjectNotFoundError, RegistryError
from model_registry.stores.base import ObjectStore
from model_watch.log_objects import Folder

VINTAGE_FORMAT: Final = 1
# Ten versions that scored a million loans each have some ten megabytes.
MOST_VINTAGE_BYTES: Final = 64 << 20


class InvalidVintageError(RegistryError):
    """A vintage's document is damaged."""

    def __init__(self, key: str, fault: str) -> None:
        super().__init__(
            f"The vintage {key!r} can't be used: {fault}. Delete the object: the next look counts it again, as far as "
            "the log is still kept."
        )
        self.key = key


@dataclass(frozen=True)
class StoredVintage:
    """A vintage's document.

    Attributes
    ----------
    vintage : str
    counted_on : str
        The day on which it was counted.
    window_days : int
        The outcome window.
    folders : mapping of str to Folder
        The folders of the log that it was counted from, by their days; those without an object are left out.
    imports : mapping of str to OutcomeSpan
        All imports of outcomes that there were, by their digests.
    used : tuple of str
        Those of them that were counted.
    damaged : int
        Lines of the log that can't be read.
    if_mature : mapping
        The tallies by day and version, as if all days were mature; ``tallies`` reads them.
    """

    vintage: str
    counted_on: str
    window_days: Positive
    folders: Mapping[str, Folder]
    imports: Mapping[str, OutcomeSpan]
    used: tuple[str, ...]
    damaged: int = 0
    if_mature: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)
    format: Positive = VINTAGE_FORMAT

    def __post_init__(self) -> None:
        date.fromisoformat(self.counted_on)

    @property
    def fingerprint(self) -> str:
        """The digest of what it was counted from."""
        facts = {name: getattr(self, name) for name in ("vintage", "window_days", "used")}
        folders = {day: asdict(folder) for day, folder in self.folders.items()}
        return hashlib.sha256(json.dumps({**facts, "folders": folders}, sort_keys=True).encode()).hexdigest()

    def was_counted_from(self, used: Sequence[str], window_days: int) -> bool:
        """Say whether these imports were counted, with this outcome window."""
        return (self.used, self.window_days) == (tuple(used), window_days)

    def tallies(self) -> dict[date, dict[int, OutcomeTally]]:
        """Return the tallies; raise ``ValueError`` if they can't be read."""
        return {
            date.fromisoformat(day): {version: OutcomeTally.from_document(tally) for version, tally in versions.items()}
            for day, versions in self.if_mature.items()
        }


def as_documents(days: DayTallies) -> dict[str, dict[int, Any]]:
    """Return tallies by day and version as ``if_mature`` has them."""
    return {
        day.isoformat(): {version: tally.to_document() for version, tally in versions.items()}
        for day, versions in days.items()
    }


def have_gone(counted: Mapping[str, Folder], folders: Mapping[str, Folder]) -> bool:
    """Say whether objects of the log that were counted are no longer there."""
    return any(day not in folders or folders[day].objects < folder.objects for day, folder in counted.items())


class VintageStore:
    """The vintages of one model."""

    def __init__(self, store: ObjectStore, model: str) -> None:
        self._store = store
        self._model = names.check_model_name(model)

    def list_quarters(self) -> list[Quarter]:
        """Return the quarters that have a document, in order."""
        prefix = names.monitor_vintages_prefix(self._model)
        keys = self._store.list_keys(prefix)
        quarters = (Quarter.parse(key.removeprefix(prefix).removesuffix(".json")) for key in keys)
        return sorted((quarter for quarter in quarters if quarter), key=lambda quarter: quarter.name)

    def find(self, quarter: Quarter) -> tuple[StoredVintage, DayTallies] | None:
        """Return a document and its tallies, or None; raise ``InvalidVintageError`` if it is damaged."""
        key = self._key(quarter)
        try:
            body = self._store.get(key, limit_bytes=MOST_VINTAGE_BYTES).body
        except ObjectNotFoundError:
            return None
        try:
            stored = documents.read_formatted(StoredVintage, body, VINTAGE_FORMAT, limit_bytes=MOST_VINTAGE_BYTES)
            if stored.vintage != quarter.name:
                raise ValueError(f"it is of {stored.vintage}")
            return stored, stored.tallies()
        except ValueError as error:
            raise InvalidVintageError(key, str(error)) from error

    def put(self, quarter: Quarter, stored: StoredVintage) -> None:
        """Write a quarter's document."""
        content = json.dumps(asdict(stored), separators=(",", ":"), sort_keys=True).encode("ascii")
        self._store.put(self._key(quarter), content)

    def _key(self, quarter: Quarter) -> str:
        return names.monitor_vintage_key(self._model, quarter.name)
