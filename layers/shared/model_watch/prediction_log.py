"""The prediction log's format: the function writes its lines with ``line_members``, ``read_line`` reads them. Pure.

A request has one line, a JSON object: its log entry, its metrics and its record for watching the model. The line holds
no borrower's value: a loan has a keyed hash (``loan_hash``), a record a coarse profile (``profile``). Besides requests,
readers get the lines about loading a version, and Lambda's report of an invocation that ended badly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import floor
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args

from model_registry.alias import Alias

PREDICTION = "prediction"
MODEL_LOADED = "model_loaded"
MODEL_REFUSED = "model_refused"
PLATFORM_REPORT = "platform.report"

# With fewer digits a point tells less of its key, and still restricts a version to a share of the hash range.
_POINT_STEPS = 10_000

_T = TypeVar("_T")

ShadowOutcome = Literal["scored", "failed", "over_budget", "not_loaded"]
SHADOW_OUTCOMES: tuple[ShadowOutcome, ...] = get_args(ShadowOutcome)


class DamagedLineError(ValueError):
    """A line of the log is no JSON object, or a member of it is missing or has a wrong type; the message says which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowEntry:
    """What the alias's shadow version made of a request. ``error`` is the error's type, if it failed.

    ``late_probabilities`` and ``is_late`` have one entry a record if ``outcome`` is "scored", else none. ``ms`` is the
    time that the shadow took.
    """

    version: int
    outcome: ShadowOutcome
    ms: float
    late_probabilities: tuple[float, ...] = ()
    is_late: tuple[bool, ...] = ()
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """One prediction request.

    ``invocation_id`` is Lambda's own and unique; a client may send one ``request_id`` twice. ``score_ms`` is the part
    of ``latency_ms`` in which ``version`` scored.

    ``version`` answered, or failed to. ``routed_version`` is the one that the alias's weights chose; they differ if it
    couldn't be loaded or its process ended. ``refused_versions`` were taken out of charge within this request. A
    request that failed early has neither alias nor version. ``rollout`` names the split that keys are hashed with,
    ``key`` is the hash of the routing key (None without a hash key), and ``point`` the key's place in the split,
    rounded down to four decimals.

    Each record has an entry in ``loans`` (the hash of its id; None without an id or a hash key), in
    ``late_probabilities``, in ``is_late``, and in ``profiles`` (empty if the version has no training profile).
    ``warnings`` has the codes of those records that have any, each code once, by the record's number.
    """

    time: datetime
    invocation_id: str
    request_id: str
    route: str
    status: int
    latency_ms: float
    score_ms: float | None = None
    problem: str | None = None
    rows: int = 0
    cold_start: bool = False
    model: str | None = None
    version: int | None = None
    form: str | None = None
    routed_version: int | None = None
    refused_versions: tuple[int, ...] = ()
    alias: str | None = None
    alias_revision: int | None = None
    rollout: str | None = None
    key: str | None = None
    point: float | None = None
    threshold: float | None = None
    loans: tuple[str | None, ...] = ()
    late_probabilities: tuple[float, ...] = ()
    is_late: tuple[bool, ...] = ()
    profiles: tuple[str, ...] = ()
    warnings: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    shadow: ShadowEntry | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadLine:
    """A version was loaded, or refused; then ``error`` is the error's type."""

    time: datetime
    kind: Literal["model_loaded", "model_refused"]
    version: int
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformLine:
    """Lambda's report of an invocation. ``status`` is "success", "failure", "error" or "timeout"."""

    time: datetime
    invocation_id: str
    status: str


class ScoredRecords(NamedTuple):
    """What the function logs of the records that it scored; see ``LogLine``. ``profiles`` is None without a profile."""

    threshold: float
    loans: Sequence[str | None]
    late_probabilities: Sequence[float]
    profiles: Sequence[str] | None
    warnings: Mapping[int, Sequence[str]]
    shadow: ShadowEntry | None = None


def line_members(
    *,
    model: str,
    alias: Alias | None = None,
    routed_version: int | None = None,
    refused_versions: Sequence[int] = (),
    key: str | None = None,
    point: float | None = None,
    scored: ScoredRecords | None = None,
) -> dict[str, object]:
    """Return the members that the log line of a prediction request has besides those of every request.

    ``alias`` to ``point`` are known once a version was chosen, ``scored`` once it has answered.
    """
    members: dict[str, object] = {"kind": PREDICTION, "model": model}
    if alias is not None:
        members |= {"alias": alias.alias, "alias_revision": alias.revision, "rollout": alias.rollout}
        members |= {"routed_version": routed_version, "key": key}
    if point is not None:
        members["point"] = floor(point * _POINT_STEPS) / _POINT_STEPS
    if refused_versions:
        members["refused_versions"] = list(refused_versions)
    if scored is not None:
        members |= _record_members(scored)
    return members


def _record_members(scored: ScoredRecords) -> dict[str, object]:
    members: dict[str, object] = {
        "threshold": scored.threshold,
        "loans": scored.loans,
        "late_probabilities": scored.late_probabilities,
        "is_late": "".join(["1" if late >= scored.threshold else "0" for late in scored.late_probabilities]),
    }
    if scored.profiles is not None:
        members["profiles"] = scored.profiles
    if scored.warnings:
        members["warnings"] = {str(index): list(codes) for index, codes in scored.warnings.items()}
    if scored.shadow is not None:
        members["shadow"] = _shadow_members(scored.shadow)
    return members


def _shadow_members(shadow: ShadowEntry) -> dict[str, object]:
    members: dict[str, object] = {"version": shadow.version, "outcome": shadow.outcome, "ms": round(shadow.ms, 3)}
    if shadow.outcome == "scored":
        members["late_probabilities"] = shadow.late_probabilities
        members["is_late"] = "".join(["1" if is_late else "0" for is_late in shadow.is_late])
    if shadow.error is not None:
        members["error"] = shadow.error
    return members


def read_line(text: bytes | str) -> LogLine | LoadLine | PlatformLine | None:
    """Read a line of the function's log; None for a line that is about something else.

    Raises ``DamagedLineError`` if it begins as a JSON object and isn't one, or a member of it can't be used.
    """
    if text.lstrip()[:1] not in ("{", b"{"):
        return None
    try:
        document = json.loads(text)
        if document.get("kind") == PREDICTION:
            return _read_prediction(document)
        if document.get("kind") in (MODEL_LOADED, MODEL_REFUSED):
            version = _required(_version(document, "model_version"), "model_version")
            return LoadLine(
                time=_time(document, "timestamp"),
                kind=document["kind"],
                version=version,
                error=_find(document, "error", str),
            )
        if document.get("type") == PLATFORM_REPORT:
            record = _get(document, "record", dict)
            return PlatformLine(
                time=_time(document, "time"),
                invocation_id=_get(record, "requestId", str),
                status=_get(record, "status", str),
            )
    except DamagedLineError:
        raise
    except (ValueError, RecursionError) as error:
        raise DamagedLineError(f"The line isn't JSON: {type(error).__name__}.") from None
    return None


def _read_prediction(document: Mapping[str, Any]) -> LogLine:
    probabilities = _probabilities(document)
    loans = _find(document, "loans", list) or []
    profiles = _find(document, "profiles", list) or []
    line = LogLine(
        time=_time(document, "timestamp"),
        invocation_id=_get(document, "invocation_id", str),
        request_id=_get(document, "request_id", str),
        route=_get(document, "route", str),
        status=_get(document, "status", int),
        latency_ms=_get(document, "latency_ms", float),
        score_ms=_find(_find(document, "spans_ms", dict) or {}, "score", float),
        problem=_find(document, "problem", str),
        rows=_get(document, "rows", int),
        cold_start=_get(document, "cold_start", bool),
        model=_find(document, "model", str),
        version=_version(document, "model_version"),
        form=_find(document, "model_form", str),
        routed_version=_version(document, "routed_version"),
        refused_versions=tuple(_each(_find(document, "refused_versions", list) or [], int, "refused_versions")),
        alias=_find(document, "alias", str),
        alias_revision=_find(document, "alias_revision", int),
        rollout=_find(document, "rollout", str),
        key=_find(document, "key", str),
        point=_find(document, "point", float),
        threshold=_find(document, "threshold", float),
        loans=tuple(None if loan is None else _typed(loan, str, "loans") for loan in loans),
        late_probabilities=probabilities,
        is_late=_decisions(document),
        profiles=tuple(_each(profiles, str, "profiles")),
        warnings=_warnings(document),
        shadow=_shadow(_find(document, "shadow", dict)),
    )
    counts = {len(line.late_probabilities), len(line.is_late), len(line.loans), len(line.profiles or line.loans)}
    if line.shadow is not None and line.shadow.outcome == "scored":
        counts.add(len(line.shadow.late_probabilities))
    if len(counts) > 1:
        raise DamagedLineError(f"The line's members are of {' and '.join(map(str, sorted(counts)))} records.")
    return line


def _shadow(document: Mapping[str, Any] | None) -> ShadowEntry | None:
    if document is None:
        return None
    outcome = _get(document, "outcome", str)
    if outcome not in SHADOW_OUTCOMES:
        raise DamagedLineError(f"The shadow's 'outcome' is {outcome!r}, not {', '.join(SHADOW_OUTCOMES)}.")
    return ShadowEntry(
        version=_get(document, "version", int),
        outcome=outcome,
        ms=_get(document, "ms", float),
        late_probabilities=_probabilities(document),
        is_late=_decisions(document),
        error=_find(document, "error", str),
    )


def _probabilities(document: Mapping[str, Any]) -> tuple[float, ...]:
    values = _each(_find(document, "late_probabilities", list) or [], float, "late_probabilities")
    if not all(0 <= value <= 1 for value in values):
        raise DamagedLineError("A member of 'late_probabilities' isn't between 0 and 1.")
    return tuple(values)


def _decisions(document: Mapping[str, Any]) -> tuple[bool, ...]:
    text = _find(document, "is_late", str) or ""
    if text.strip("01"):
        raise DamagedLineError("'is_late' isn't a text of 0 and 1.")
    return tuple([character == "1" for character in text])


def _warnings(document: Mapping[str, Any]) -> dict[int, tuple[str, ...]]:
    warnings = _find(document, "warnings", dict) or {}
    if not all(index.isdecimal() for index in warnings):
        raise DamagedLineError("A key of 'warnings' isn't a record's number.")
    return {
        int(index): tuple(_each(_typed(codes, list, "warnings"), str, "warnings")) for index, codes in warnings.items()
    }


def _version(document: Mapping[str, Any], name: str) -> int | None:
    """Read a version's number; as a dimension of metrics it is a text."""
    value = document.get(name)
    return int(value) if isinstance(value, str) and value.isdecimal() else _find(document, name, int)


def _time(document: Mapping[str, Any], name: str) -> datetime:
    try:
        time = datetime.fromisoformat(_get(document, name, str))
    except ValueError:
        raise DamagedLineError(f"{name!r} isn't a time.") from None
    if time.tzinfo is None:
        raise DamagedLineError(f"{name!r} is a time without its zone.")
    return time


def _get(document: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    return _required(_find(document, name, kind), name)


def _find(document: Mapping[str, Any], name: str, kind: type[_T]) -> _T | None:
    value = document.get(name)
    return None if value is None else _typed(value, kind, name)


def _required(value: _T | None, name: str) -> _T:
    if value is None:
        raise DamagedLineError(f"{name!r} is missing.")
    return value


def _each(values: Sequence[Any], kind: type[_T], name: str) -> list[_T]:
    return [_typed(value, kind, name) for value in values]


def _typed(value: Any, kind: type[_T], name: str) -> _T:
    # By the exact type: true is no number. JSON writes a whole number without a point.
    if type(value) is kind or (kind is float and type(value) is int):
        return cast(_T, value)
    raise DamagedLineError(f"{name!r} is of type {type(value).__name__}, not {kind.__name__}.")
