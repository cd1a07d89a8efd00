"""Takes one loan out of the prediction log's lines. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model_watch.prediction_log import PREDICTION

# Members with one entry a record; those of the shadow, too.
_BY_RECORD = ("loans", "late_probabilities", "is_late", "profiles")


@dataclass(frozen=True)
class PurgedLines:
    """An object's text without the loan, and how many lines and records of the loan it had."""

    text: bytes
    lines: int
    records: int


def purge_lines(text: bytes, loan: str) -> PurgedLines:
    """Return an object's text without the loan of this hash; lines that don't have the hash stay byte by byte.

    A line of other loans loses the loan's records; one that names it as the routing key alone loses that. A line of the
    loan alone goes, and so does one that has the hash where no reader looks for it, or is damaged.
    """
    hash_text = loan.encode("ascii")
    kept, lines, records = [], 0, 0
    for line in text.splitlines(keepends=True):
        if hash_text not in line:
            kept.append(line)
            continue
        rest, removed = _without(line, loan)
        lines, records = lines + 1, records + removed
        if rest is not None:
            kept.append(rest)
    return PurgedLines(b"".join(kept), lines, records)


def _without(line: bytes, loan: str) -> tuple[bytes | None, int]:
    """Return a line without a loan, None if nothing may stay of it; and how many records were the loan's."""
    try:
        document = json.loads(line)
        is_prediction = document.get("kind") == PREDICTION
        loans = list(document.get("loans") or []) if is_prediction else []
    except (AttributeError, RecursionError, TypeError, ValueError):
        return None, 0
    places = [place for place, hashed in enumerate(loans) if hashed != loan]
    removed = len(loans) - len(places)
    if not is_prediction or (removed and not places):
        return None, removed
    if document.get("key") == loan:
        document["key"] = None
    if removed:
        _keep_records(document, places)
    rest = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    return (None if loan.encode("ascii") in rest else rest + b"\n"), removed


def _keep_records(document: dict[str, Any], places: Sequence[int]) -> None:
    """Keep the records at these places alone."""
    for members in (document, document.get("shadow")):
        if isinstance(members, dict):
            for name in _BY_RECORD:
                values = members.get(name)
                if isinstance(values, list | str):
                    chosen = [values[place] for place in places if place < len(values)]
                    members[name] = "".join(chosen) if isinstance(values, str) else chosen
    warnings = document.get("warnings")
    if isinstance(warnings, dict):
        numbers = {str(place): str(number) for number, place in enumerate(places)}
        document["warnings"] = {numbers[place]: codes for place, codes in warnings.items() if place in numbers}
    document["rows"] = len(places)
