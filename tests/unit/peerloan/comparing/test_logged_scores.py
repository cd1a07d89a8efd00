"""What the prediction log shows of two versions: pairs of a version and its shadow, else each one's own loans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from memory_store import InMemoryStore
from model_registry.manifest import ColumnProfile, Manifest, TrainingProfile
from model_watch.prediction_log import LogLine, ShadowEntry
from peerloan.comparing import tables
from peerloan.comparing.logged_scores import LoggedSides, TooFewLoggedError, find_logged_scores
from peerloan.comparing.paired_scores import PairedScores
from registry_kit import make_candidate, make_writer

NUMBERS = count()
PROFILE = TrainingProfile(
    (
        ColumnProfile(name="dti", edges=(0.0, 10.0, 20.0), labels=None, counts=(5, 5), missing=0),
        ColumnProfile(name="grade", edges=None, labels=("A", "B"), counts=(5, 5), missing=0),
    )
)


def manifest_of(version: int, threshold: float = 0.5, **changes: Any) -> Manifest:
    writer = make_writer(InMemoryStore())
    manifest = writer.publish(make_candidate(threshold=threshold)).manifest
    return replace(manifest, version=version, profile=PROFILE, **changes)


MAIN, CANDIDATE = manifest_of(2), manifest_of(3, 0.4)


def line_of(
    version: int, probabilities: Sequence[float], loans: Sequence[str | None] | None = None, **changes: Any
) -> LogLine:
    members: dict[str, Any] = {
        "time": datetime(2026, 3, 1, tzinfo=UTC),
        "invocation_id": f"call-{next(NUMBERS)}",
        "request_id": "r",
        "route": "/predict",
        "status": 200,
        "latency_ms": 1.0,
        "version": version,
        "late_probabilities": tuple(probabilities),
        "is_late": tuple(probability >= 0.5 for probability in probabilities),
        "loans": tuple(loans or [None] * len(probabilities)),
        "profiles": ("0A",) * len(probabilities),
    }
    return LogLine(**{**members, **changes})


def shadow_of(version: int, probabilities: Sequence[float], outcome: str = "scored") -> ShadowEntry:
    return ShadowEntry(version=version, outcome=outcome, ms=0.1, late_probabilities=tuple(probabilities))


def test_pairs_are_taken_whichever_version_was_the_shadow() -> None:
    lines = [line_of(2, [0.1, 0.6], shadow=shadow_of(3, [0.2, 0.3]))] * 40
    lines += [line_of(3, [0.7], shadow=shadow_of(2, [0.1]))] * 40
    scores = find_logged_scores(lines, MAIN, CANDIDATE, "7d")
    assert isinstance(scores, PairedScores)
    assert len(scores) == 120
    assert scores.main.probabilities.tolist()[:2] == [0.1, 0.6]
    assert (scores.main.probabilities[-1], scores.candidate.probabilities[-1]) == (0.1, 0.7)
    assert int(scores.to_late.sum()) == int(scores.to_on_time.sum()) == 40


def test_a_loan_counts_once_and_only_scored_shadows_of_the_two_versions_do() -> None:
    lines = [line_of(2, [0.1], [f"loan-{number}"], shadow=shadow_of(3, (), "not_loaded")) for number in range(110)]
    lines += [line_of(2, [0.1], [f"loan-{number % 110}"], shadow=shadow_of(3, [0.2])) for number in range(500)]
    lines += [line_of(2, [0.1], shadow=shadow_of(4, [0.2]))] * 200
    lines += [line_of(2, [0.1], shadow=shadow_of(3, (), "failed"))] * 200
    lines += [line_of(2, [0.1], shadow=shadow_of(3, [0.2]), status=500)] * 200
    scores = find_logged_scores(lines, MAIN, CANDIDATE, "7d")
    assert isinstance(scores, PairedScores)
    assert len(scores) == 110


def test_without_pairs_each_version_shows_its_own_loans_and_how_far_they_differ() -> None:
    lines = [line_of(2, [0.1 + number % 2 * 0.1], profiles=("0A",)) for number in range(200)]
    lines += [line_of(3, [0.3 + number % 2 * 0.2], profiles=("0B",)) for number in range(300)]
    sides = find_logged_scores(lines, MAIN, CANDIDATE, "7d")
    assert isinstance(sides, LoggedSides)
    assert sides.mean_difference.low < 0.25 < sides.mean_difference.high
    assert [shift.name for shift in sides.shifts] == ["grade", "dti"]
    assert sides.shifts[0].psi > 1
    assert sides.shifts[1].psi == 0
    document = json.loads(json.dumps(sides.to_document(), allow_nan=False))
    assert (document["main"]["loans"], document["candidate"]["loans"]) == (200, 300)
    assert document["candidate"]["flagged_share"] == 0.5
    assert tables.logged_table(sides).rows[0] == ("Loans", "200", "300")
    assert tables.shifts_table(sides).rows[0][0] == "grade"


def test_profiles_of_other_training_data_are_not_compared() -> None:
    other = TrainingProfile((replace(PROFILE.columns[0], edges=(0.0, 12.0, 20.0)), PROFILE.columns[1]))
    lines = [line_of(2, [0.1])] * 200 + [line_of(3, [0.3])] * 200
    for changed in (replace(CANDIDATE, profile=other), replace(CANDIDATE, profile=None)):
        sides = find_logged_scores(lines, MAIN, changed, "7d")
        assert isinstance(sides, LoggedSides)
        assert sides.shifts == ()
        assert tables.shifts_table(sides) is None


def test_too_few_loans_are_said() -> None:
    with pytest.raises(TooFewLoggedError, match="Within 7d the log has 5 loans of version 2 and 0 loans of version 3"):
        find_logged_scores([line_of(2, [0.1])] * 5, MAIN, CANDIDATE, "7d")
