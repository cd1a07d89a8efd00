"""The prediction log's format: the function writes its lines with ``line_members``, ``read_line`` reads them. Pure.

A request has one line, a JSON object: its log entry, its metrics and its record for watching the model. The line holds
no borrower's value: a loan has a keyed hash (``loan_hash``), a record a coarse profile (``profile``). Besides requests,
readers get Lambda's report of an invocation that ended badly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import NoneType
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args

from model_registry.alias import Alias
from model_watch.profile_characters import CHARACTERS

PREDICTION = "prediction"
PLATFORM_REPORT = "platform.report"

_T = TypeVar("_T")
# Whole numbers up to here are exact as floats too. Python's JSON also reads NaN and Infinity.
_MOST = 2**53
_NUMBERS = (int, float)
_PROFILE_BYTES = CHARACTERS.encode("ascii")

ShadowOutcome = Literal["scored", "failed", "over_budget", "refused", "not_loaded"]
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
    isn't loaded. ``refused_versions`` failed their verification, or their process ended while it scored: within this
    request, or before it if that is why ``version`` answered for ``routed_version``. A version that is still being
    loaded, or that the bucket doesn't give, isn't refused.

    A request that failed early has neither alias nor version. ``rollout`` names the split that keys are hashed with,
    and ``key`` is the keyed hash of the routing key (None without a hash key). The routing key's point in the split
    isn't logged: anybody can compute it, so that the points of two rollouts tell which of a million loans it was.

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
    threshold: float | None = None
    loans: tuple[str | None, ...] = ()
    late_probabilities: tuple[float, ...] = ()
    is_late: tuple[bool, ...] = ()
    profiles: tuple[str, ...] = ()
    warnings: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    shadow: ShadowEntry | None = None

    def is_of(self, model: str) -> bool:
        """Say whether the request was for this model. Version 1 of another one says nothing of this one's."""
        return self.model == model


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformLine:
    """Lambda's report of an invocation. ``status`` is "success", "failure", "error" or "timeout"."""

    time: datetime
    invocation_id: str
    status: str

    def is_of(self, _model: str) -> bool:
        """Say yes: a crash says nothing of its model, and a function has one."""
        return True


class ScoredRecords(NamedTuple):
    """What the function logs of the records that it scored; see ``LogLine``. ``profiles`` is None without a profile.

    Texts may be given in ASCII: the line's writer makes the same of them.
    """

    threshold: float
    loans: Sequence[str | bytes | None]
    late_probabilities: Sequence[float]
    profiles: Sequence[str] | Sequence[bytes] | None
    warnings: Mapping[int, Sequence[str]]
    shadow: ShadowEntry | None = None


def line_members(
    *,
    model: str,
    alias: Alias | None = None,
    routed_version: int | None = None,
    refused_versions: Sequence[int] = (),
    key: str | None = None,
    scored: ScoredRecords | None = None,
) -> dict[str, object]:
    """Return the members that the log line of a prediction request has besides those of every request.

    ``alias`` to ``key`` are known once a version was chosen, ``scored`` once it has answered.
    """
    members: dict[str, object] = {"kind": PREDICTION, "model": model}
    if alias is not None:
        members["alias"] = alias.alias
        members["alias_revision"] = alias.revision
        members["rollout"] = alias.rollout
        members["routed_version"] = routed_version
        members["key"] = key
    if refused_versions:
        members["refused_versions"] = list(refused_versions)
    if scored is not None:
        _add_records(members, scored)
    return members


def _add_records(members: dict[str, object], scored: ScoredRecords) -> None:
    threshold = scored.threshold
    members["threshold"] = threshold
    members["loans"] = scored.loans
    members["late_probabilities"] = scored.late_probabilities
    members["is_late"] = "".join(["1" if late >= threshold else "0" for late in scored.late_probabilities])
    if scored.profiles is not None:
        members["profiles"] = scored.profiles
    if scored.warnings:
        members["warnings"] = {str(index): list(codes) for index, codes in scored.warnings.items()}
    if scored.shadow is not None:
        members["shadow"] = _shadow_members(scored.shadow)


def _shadow_members(shadow: ShadowEntry) -> dict[str, object]:
    members: dict[str, object] = {"version": shadow.version, "outcome": shadow.outcome, "ms": round(shadow.ms, 3)}
    if shadow.outcome == "scored":
        members["late_probabilities"] = shadow.late_probabilities
        members["is_late"] = "".join(["1" if is_late else "0" for is_late in shadow.is_late])
    if shadow.error is not None:
        members["error"] = shadow.error
    return members


def read_line(text: bytes | str) -> LogLine | PlatformLine | None:
    """Read a line of the function's log; None for a line that is about something else.

    Raises ``DamagedLineError`` if it begins as a JSON object and isn't one, or a member of it can't be used.
    """
    if text.lstrip()[:1] not in ("{", b"{"):
        return None
    try:
        document = json.loads(text)
        if document.get("kind") == PREDICTION:
            return _read_prediction(document)
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
    if not set(map(type, loans)) <= {str, NoneType}:
        _each([loan for loan in loans if loan is not None], str, "loans")
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
        threshold=_find(document, "threshold", float),
        loans=tuple(loans),
        late_probabilities=probabilities,
        is_late=_decisions(document),
        profiles=_profiles(document),
        warnings=_warnings(document),
        shadow=_shadow(_find(document, "shadow", dict)),
    )
    counts = {len(line.late_probabilities), len(line.is_late), len(line.loans), len(line.profiles or line.loans)}
    if line.shadow is not None and line.shadow.outcome == "scored":
        counts |= {len(line.shadow.late_probabilities), len(line.shadow.is_late)}
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
        version=_version(document, "version") or _get(document, "version", int),
        outcome=outcome,
        ms=_get(document, "ms", float),
        late_probabilities=_probabilities(document),
        is_late=_decisions(document),
        error=_find(document, "error", str),
    )


def _probabilities(document: Mapping[str, Any]) -> tuple[float, ...]:
    values = _find(document, "late_probabilities", list) or []
    if not set(map(type, values)) <= {float, int} or sum([0 <= value <= 1 for value in values]) < len(values):
        _each(values, float, "late_probabilities")
        raise DamagedLineError("A member of 'late_probabilities' isn't between 0 and 1.")
    return tuple(values)


def _profiles(document: Mapping[str, Any]) -> tuple[str, ...]:
    profiles = _find(document, "profiles", list) or []
    if not set(map(type, profiles)) <= {str}:
        _each(profiles, str, "profiles")
    text = "".join(profiles)
    if not text.isascii() or text.encode("ascii").translate(None, _PROFILE_BYTES):
        raise DamagedLineError("A member of 'profiles' has a character that stands for nothing.")
    if len(set(map(len, profiles))) > 1:
        raise DamagedLineError("The members of 'profiles' are of different lengths.")
    return tuple(profiles)


def _decisions(document: Mapping[str, Any]) -> tuple[bool, ...]:
    text = _find(document, "is_late", str) or ""
    if text.strip("01"):
        raise DamagedLineError("'is_late' isn't a text of 0 and 1.")
    return tuple([character == "1" for character in text])


def _warnings(document: Mapping[str, Any]) -> dict[int, tuple[str, ...]]:
    warnings = _find(document, "warnings", dict) or {}
    if not all(index.isdecimal() for index in warnings):
        raise DamagedLineError("A key of 'warnings' isn't a record's number.")
    read = {int(index): tuple(_each(_typed(of, list, "warnings"), str, "warnings")) for index, of in warnings.items()}
    if not all("".join(codes).isascii() for codes in read.values()):
        raise DamagedLineError("A code in 'warnings' isn't ASCII.")  # A tally couldn't keep half a surrogate pair.
    return read


def _version(document: Mapping[str, Any], name: str) -> int | None:
    """Read a version's number; as a dimension of metrics it is a text."""
    value = document.get(name)
    number = int(value) if isinstance(value, str) and value.isdecimal() else _find(document, name, int)
    if number is not None and not 1 <= number < _MOST:
        raise DamagedLineError(f"{name!r} isn't a version's number.")
    return number


def _time(document: Mapping[str, Any], name: str) -> datetime:
    text = _get(document, name, str)
    try:
        time = datetime.fromisoformat(text)
        time.astimezone(UTC)  # Not every time of the first and the last year has one in UTC.
    except (ValueError, OverflowError):
        raise DamagedLineError(f"{name!r} isn't a time.") from None
    if time.tzinfo is None:
        raise DamagedLineError(f"{name!r} is a time without its zone.")
    return time


def _get(document: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    value = _find(document, name, kind)
    if value is None:
        raise DamagedLineError(f"{name!r} is missing.")
    return value


def _find(document: Mapping[str, Any], name: str, kind: type[_T]) -> _T | None:
    value: _T | None = document.get(name)
    # Most of a line's thirty members end here, one call earlier.
    if value is None or (type(value) is kind and kind not in _NUMBERS):
        return value
    return _typed(value, kind, name)


# A line may have a thousand values. Where it matters, their types are looked at together before this is called.
def _each(values: Sequence[Any], kind: type[_T], name: str) -> list[_T]:
    return [_typed(value, kind, name) for value in values]


def _typed(value: Any, kind: type[_T], name: str) -> _T:
    # By the exact type: true is no number. JSON writes a whole number without a point.
    if type(value) is kind or (kind is float and type(value) is int):
        if kind in _NUMBERS and not abs(cast(float, value)) < _MOST:
            raise DamagedLineError(f"{name!r} isn't a number below 2 to the power of 53.")
        return cast(_T, value)
    raise DamagedLineError(f"{name!r} is of type {type(value).__name__}, not {kind.__name__}.")
