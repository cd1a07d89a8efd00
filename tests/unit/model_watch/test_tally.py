"""Tallies: exact sums in any order and grouping, documents that are read strictly, one grid of scores."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_watch.profile_characters import CHARACTERS
from model_watch.tally import (
    BIN_PROBABILITIES,
    LATENCY_EDGES_MS,
    PROBABILITY_UNIT,
    SCORE_BINS,
    SCORE_EDGES,
    DayTally,
    ScoreCounts,
    ShadowTally,
    VersionTally,
    score_bin,
)

DAY = date(2026, 3, 12)
PROBABILITIES = st.lists(st.floats(0, 1), max_size=8)
COUNTS = st.integers(0, 2**40)


def arrays(*shape: int) -> st.SearchStrategy[Any]:
    """Return a few counts at any places of an array."""
    size = int(np.prod(shape))
    places = st.dictionaries(st.integers(0, max(size - 1, 0)), COUNTS, max_size=5 if size else 0)

    def fill(counts: dict[int, int]) -> Any:
        array = np.zeros(size, np.int64)
        array[list(counts)] = list(counts.values())
        return array.reshape(shape)

    return places.map(fill)


SCORES = PROBABILITIES.map(ScoreCounts.of)
SHADOWS = st.builds(ShadowTally, requests=COUNTS, failures=COUNTS, records=COUNTS, flips=COUNTS, scores=SCORES)
VERSIONS = st.builds(
    VersionTally,
    requests=COUNTS,
    failures=COUNTS,
    latency=arrays(64),
    records=COUNTS,
    flagged=COUNTS,
    warned=COUNTS,
    warnings=st.dictionaries(st.sampled_from(["unseen_category", "out_of_range"]), COUNTS),
    scores=SCORES,
    profiles=st.integers(0, 3).flatmap(lambda columns: arrays(columns, 64)),
    profiled=COUNTS,
    shadows=st.dictionaries(st.integers(1, 3), SHADOWS, max_size=2),
)
DAYS = st.builds(
    DayTally,
    day=st.just(DAY),
    versions=st.dictionaries(st.integers(1, 3), VERSIONS, max_size=2),
    crashes=COUNTS,
    unversioned=COUNTS,
    damaged=COUNTS,
)


@given(st.lists(DAYS, min_size=1, max_size=5), st.data())
def test_tallies_have_one_sum_in_any_order_and_grouping(tallies: list[DayTally], data: Any) -> None:
    total = reduce(add, tallies)
    parts = list(data.draw(st.permutations(tallies)))
    while len(parts) > 1:
        place = data.draw(st.integers(0, len(parts) - 2))
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    assert parts == [total]
    assert total + DayTally(DAY) == DayTally(DAY) + total == total


@given(VERSIONS)
def test_an_empty_tally_is_the_zero(tally: VersionTally) -> None:
    assert tally + VersionTally() == VersionTally() + tally == tally


@given(DAYS, DAYS)
def test_adding_leaves_the_summands_as_they_are(one: DayTally, other: DayTally) -> None:
    before = one.to_document(), other.to_document()
    _ = one + other
    assert (one.to_document(), other.to_document()) == before


@given(DAYS)
def test_a_document_is_read_as_what_was_written(tally: DayTally) -> None:
    document = json.loads(json.dumps(tally.to_document()))
    assert DayTally.from_document(document) == tally
    assert DayTally.from_document(document).to_document() == document


def test_tallies_of_two_days_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="Tallies of 2026-03-12 and 2026-03-13 don't add up"):
        DayTally(DAY) + DayTally(date(2026, 3, 13))


def test_tallies_of_two_kinds_do_not_add_up() -> None:
    with pytest.raises(TypeError):
        VersionTally() + ShadowTally()
    assert VersionTally() != ShadowTally()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"day": "2026-3-12"}, "'day' has '2026-3-12', which isn't a date"),
        ({"day": 20260312}, "'day' has 20260312, which isn't a date"),
        ({"crashes": -1}, "'crashes' has -1, which isn't a count"),
        ({"crashes": True}, "'crashes' has True"),
        ({"crashes": 1.0}, "'crashes' has 1.0"),
        ({"crashes": 2**62}, "isn't a count"),
        ({"crash": 1}, "'crash' is unknown in 'tally'"),
        ({"versions": []}, "'versions' isn't an object"),
        ({"versions": {"07": {}}}, "'versions' has the key '07'"),
        ({"versions": {"7": {}}}, "'failures' is missing in '7'"),
    ],
)
def test_a_damaged_document_is_refused_by_the_members_name(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        DayTally.from_document(DayTally(DAY).to_document() | change)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"latency": {"64": 1}}, "'latency' has the place 64, but its last one is 63"),
        ({"latency": {"-1": 1}}, "'latency' has the key '-1'"),
        ({"latency": {"1": "1"}}, "'latency' has '1', which isn't a count"),
        ({"profiles": {}}, "'profiles' isn't a list of as many rows"),
        ({"profiles": [{"64": 1}]}, "'profiles' has the place 64"),
        ({"warnings": {"code": None}}, "'code' has None, which isn't a count"),
        ({"scores": None}, "'scores' isn't an object"),
        ({"shadows": {"x": {}}}, "'shadows' has the key 'x'"),
    ],
)
def test_damaged_counts_of_a_version_are_refused(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        VersionTally.from_document(VersionTally().to_document() | change)


def test_an_array_is_written_by_the_places_that_are_not_zero() -> None:
    profiles = np.zeros((2, len(CHARACTERS)), np.int64)
    profiles[1, 63] = 4
    document = VersionTally(profiles=profiles, profiled=4).to_document()
    assert document["profiles"] == [{}, {"63": 4}]
    assert document["latency"] == {}


def test_the_grid_has_402_bins_and_the_middle_of_each() -> None:
    assert (len(SCORE_EDGES), SCORE_BINS, len(BIN_PROBABILITIES), len(LATENCY_EDGES_MS)) == (401, 402, 402, 63)
    assert score_bin(BIN_PROBABILITIES).tolist() == list(range(402))
    assert score_bin([0, 0.5, np.nextafter(0.5, 0), 1]).tolist() == [0, 201, 200, 401]


@given(st.lists(st.floats(0, 1), min_size=1))
def test_a_score_is_in_the_bin_whose_edges_enclose_it(probabilities: list[float]) -> None:
    edges = np.concatenate([[0.0], 1 / (1 + np.exp(-SCORE_EDGES)), [np.inf]])
    bins = score_bin(probabilities)
    assert np.all(edges[bins] <= probabilities)
    assert np.all(probabilities < edges[bins + 1])
    counts = ScoreCounts.of(probabilities)
    assert counts.records.sum() == len(probabilities)
    assert counts.mean == pytest.approx(np.mean(probabilities), abs=PROBABILITY_UNIT)


def test_a_mean_without_records_is_unknown() -> None:
    assert ScoreCounts().mean is None
    assert VersionTally().latency_quantile_ms(0.5) is None


def test_quantiles_of_the_latency_are_interpolated_within_a_bin() -> None:
    latency = np.zeros(64, np.int64)
    latency[[11, 21]] = 90, 10  # From 1 to 1.26 ms, and from 10 to 12.6 ms.
    tally = VersionTally(requests=100, latency=latency)
    assert tally.latency_quantile_ms(0.45) == pytest.approx(1.13, abs=0.01)
    assert tally.latency_quantile_ms(0.9) == pytest.approx(1.26, abs=0.01)
    assert tally.latency_quantile_ms(0.99) == pytest.approx(12.3, abs=0.1)
    latency = np.zeros(64, np.int64)
    latency[63] = 1
    assert replace(tally, latency=latency).latency_quantile_ms(0.5) == LATENCY_EDGES_MS[-1]
