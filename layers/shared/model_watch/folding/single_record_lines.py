"""Counts the log lines of answers for one record in a fraction of the time that ``read_line`` takes. Pure.

Such a line is recognised by one regular expression, if it is what the function usually writes, and it is taken apart
into columns together with thousands like it. Any other line is left to ``read_line``. Invariant: a recognised line is
one that ``read_line`` can read, and it is counted as ``line_tally.fold`` counts what was read
(tests/unit/model_watch/folding/test_single_record_lines.py).

A line begins with CloudWatch's definition of its metrics, a third of its bytes. This head is one of a few texts but for
the time in it, so heads that were read once are known again::

    {"_aws":{"Timestamp":1773273601000,"CloudWatchMetrics":[…]},"service":"late-payer","model_version":"3"
                         `- 13 digits `------------------------- looked up -------------------------------'
    ,"level":"INFO","message":"request","timestamp":"2026-03-12T00:00:01.000+00:00", … ,"Latency":[3.2]}
    `---------------------------------- the regular expression ----------------------------------------'
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from model_watch.folding.line_tally import SHADOW_FAILURES, count_profiles, latency_counts
from model_watch.prediction_log import SHADOW_OUTCOMES, LogLine, read_line
from model_watch.profile_characters import CHARACTERS
from model_watch.tally import Floats, ScoreCounts, ShadowTally, VersionTally

# So many heads are remembered: there are a few for each version.
_MOST_HEADS: Final = 1000
_HEAD_START: Final = b'{"_aws":{"Timestamp":'
_TIME_END: Final = len(_HEAD_START) + 13
_HEAD_END: Final = b',"level":'
# Members that a line may have or not. All others that ``read_line`` uses come after the head, so they are the last ones
# of their names, and JSON's last one counts.
_OPTIONAL: Final = frozenset({"problem", "profiles", "refused_versions", "shadow", "warnings"})

# Text without escapes, and numbers below 2 to the power of 53. Nothing has to be tried in two ways, so repetitions are
# possessive (++, *+, ?+): the expression gives up at once, and takes a fifth less time.
_TEXT = r'"[ !#-\[\]-~]*+"'
_WHOLE = r"(?!0[0-9])[0-9]{1,15}+"
_VERSION = r"[1-9][0-9]{0,14}+"
_NUMBER = rf"{_WHOLE}(?:\.[0-9]++)?+(?:e-[0-9]++)?+"
_SPAN = rf'"[a-z_]++":{_NUMBER}'
# From 0 to 1.
_PROBABILITY = r"(?:0(?:\.[0-9]+)?|1(?:\.0+)?|[0-9](?:\.[0-9]+)?e-(?:[1-9][0-9]*|0[1-9]))"
# Dates that are sure to exist; 29 February is left to ``read_line``.
_DAY_OF_YEAR = "(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31"
_TIME_OF_DAY = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}"
_PROFILE = f"[{re.escape(CHARACTERS)}]++"
_SCORED = rf'"outcome":"scored","ms":{_NUMBER},"late_probabilities":\[({_PROBABILITY})\],"is_late":"([01])"'
_NOT_SCORED = rf'"outcome":"({"|".join(SHADOW_OUTCOMES[1:])})","ms":{_NUMBER}'
# Between what read_line needs, members come as the function writes them. The model's name goes in for @.
_PATTERN: Final = (
    rf',"level":{_TEXT},"message":{_TEXT}'
    rf',"timestamp":"([1-9][0-9]{{3}}-(?:{_DAY_OF_YEAR})T{_TIME_OF_DAY})\+00:00"'
    rf',"request_id":{_TEXT},"invocation_id":"([ !#-\[\]-~]*+)","method":{_TEXT},"route":{_TEXT},"status":200'
    rf',"violations":{_WHOLE},"rows":1,"latency_ms":({_NUMBER}),"spans_ms":\{{{_SPAN}(?:,{_SPAN})*+\}}'
    rf',"cold_start":(?:true|false),"model_form":{_TEXT}(?:,"xray_trace_id":{_TEXT})?,"kind":"prediction","model":"@"'
    rf',"alias":{_TEXT},"alias_revision":{_WHOLE},"rollout":(?:{_TEXT}|null),"routed_version":(?:{_VERSION}|null)'
    rf',"key":(?:{_TEXT}|null),"threshold":{_NUMBER},"loans":\[(?:"([A-Za-z0-9_-]{{16}})"|null)\]'
    rf',"late_probabilities":\[({_PROBABILITY})\],"is_late":"([01])"(?:,"profiles":\["({_PROFILE})"\])?'
    rf'(?:,"warnings":\{{"0":\[({_TEXT}(?:,{_TEXT})*)\]\}})?'
    rf'(?:,"shadow":\{{"version":({_VERSION}),(?:{_SCORED}|{_NOT_SCORED})(?:,"error":{_TEXT})?\}})?'
    rf'(?:,"[A-Z][A-Za-z]*+":\[{_NUMBER}\])*+\}}'
)


# What matters of a line, as texts of the line, in the order of ``Columns``; empty for a member that it hasn't.
SingleRecord = tuple[bytes, ...]


class Columns(NamedTuple):
    """The members of many ``SingleRecord``s. A shadow has either a probability and a decision, or an outcome."""

    # In UTC: 2026-03-12T00:00:01.000
    time: Sequence[bytes]
    invocation_id: Sequence[bytes]
    latency_ms: Sequence[bytes]
    loan: Sequence[bytes]
    late_probability: Sequence[bytes]
    is_late: Sequence[bytes]
    profile: Sequence[bytes]
    # Quoted codes with commas between them.
    warnings: Sequence[bytes]
    shadow: Sequence[bytes]
    shadow_probability: Sequence[bytes]
    shadow_is_late: Sequence[bytes]
    shadow_outcome: Sequence[bytes]

    @classmethod
    def of(cls, records: Sequence[SingleRecord]) -> Columns:
        """Return the columns of records, at least one."""
        return cls._make(zip(*records, strict=True))


class SingleRecordLines:
    """Recognises the lines of one model's answers for one record."""

    def __init__(self, model: str) -> None:
        self._match = re.compile(_PATTERN.replace("@", re.escape(model)).encode("ascii")).fullmatch
        self._versions: dict[bytes, int] = {}

    def find(self, text: bytes) -> tuple[int, SingleRecord] | None:
        """Return the version that answered and a ``SingleRecord``, or None if ``read_line`` must read the line."""
        end = text.find(_HEAD_END)
        if end <= _TIME_END or not text.startswith(_HEAD_START):
            return None
        match = self._match(text, end)
        if match is None:
            return None
        version = self._versions.get(text[_TIME_END:end])
        digits = text[len(_HEAD_START) : _TIME_END]
        if version is None or not digits.isdigit() or digits.startswith(b"0"):
            return self._find_new(text, end, match.groups(b""))
        return version, match.groups(b"")

    def _find_new(self, text: bytes, end: int, record: SingleRecord) -> tuple[int, SingleRecord] | None:
        """Read a line that the regular expression recognises, and remember its head if there is nothing else in it."""
        try:
            members = json.loads(text[:end] + b"}").keys()
            line = read_line(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(line, LogLine) or line.version is None or members & _OPTIONAL:
            return None
        if text[len(_HEAD_START) : _TIME_END].isdigit() and len(self._versions) < _MOST_HEADS:
            self._versions[text[_TIME_END:end]] = line.version
        return line.version, record


def count_single_records(records: Sequence[SingleRecord]) -> VersionTally:
    """Count ``SingleRecord``s of one version and day; at least one."""
    columns = Columns.of(records)
    warnings: Counter[str] = Counter()
    for codes, times in Counter(columns.warnings).items():
        warnings.update(dict.fromkeys(json.loads(b"[" + codes + b"]"), times))
    profiles = b" ".join(columns.profile).decode("ascii").split()
    return VersionTally(
        requests=len(records),
        latency=latency_counts(_numbers(columns.latency_ms)),
        records=len(records),
        flagged=columns.is_late.count(b"1"),
        warned=len(records) - columns.warnings.count(b""),
        warnings=warnings,
        scores=ScoreCounts.of(_numbers(columns.late_probability)),
        profiles=count_profiles(profiles),
        profiled=len(profiles),
        shadows=_count_shadows(columns) if any(columns.shadow) else {},
    )


def _count_shadows(columns: Columns) -> dict[int, ShadowTally]:
    shadowed: defaultdict[bytes, list[tuple[bytes, ...]]] = defaultdict(list)
    for version, *of_shadow in zip(
        columns.shadow,
        columns.shadow_probability,
        columns.shadow_outcome,
        columns.is_late,
        columns.shadow_is_late,
        strict=True,
    ):
        if version:
            shadowed[version].append(tuple(of_shadow))
    return {int(version): _count_shadow(rows) for version, rows in shadowed.items()}


def _count_shadow(rows: Sequence[tuple[bytes, ...]]) -> ShadowTally:
    probabilities = [probability for probability, *_ in rows if probability]
    return ShadowTally(
        requests=len(rows),
        failures=sum(outcome.decode("ascii") in SHADOW_FAILURES for _, outcome, *_ in rows),
        records=len(probabilities),
        flips=sum(bool(probability) and one != other for probability, _, one, other in rows),
        scores=ScoreCounts.of(_numbers(probabilities)),
    )


def _numbers(texts: Sequence[bytes]) -> Floats:
    """Return the numbers of all texts that aren't empty."""
    return np.array([float(text) for text in texts if text], dtype=np.float64)
