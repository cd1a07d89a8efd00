"""Bins and deciles count every loan once, and share ties out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evidence.bins import count_bins, deciles, quantile_edges

loans = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.01, 0.02, 0.05, 0.2, 0.5, 0.99])), min_size=1, max_size=60
)


@given(loans)
def test_every_loan_is_in_one_bin(rows: list[tuple[int, float]]) -> None:
    target, probabilities = np.array([late for late, _ in rows]), np.array([p for _, p in rows])
    edges = quantile_edges(probabilities)
    bins = count_bins(target, probabilities, edges)
    assert (bins.loans.sum(), bins.late.sum()) == (len(rows), target.sum())
    assert bins.expected.sum() == pytest.approx(probabilities.sum())
    for place in range(len(edges) + 1):
        low = edges[place - 1] if place else -1.0
        high = edges[place] if place < len(edges) else 2.0
        assert bins.loans[place] == np.sum((probabilities >= low) & (probabilities < high))


def test_without_ties_bins_are_equal() -> None:
    probabilities = np.random.default_rng(0).random(1000)
    assert count_bins(np.zeros(1000, int), probabilities, quantile_edges(probabilities)).loans == pytest.approx(
        100, abs=1
    )


def test_deciles_of_a_perfect_order() -> None:
    target = np.array([1] * 10 + [0] * 90)
    first, *others = deciles(target, np.linspace(1, 0, 100))
    assert (first.late, first.lift.value, first.capture.value) == (10, pytest.approx(10), 1.0)
    assert all(decile.late == 0 and decile.capture.value == 1.0 for decile in others)


def test_loans_without_order_have_no_lift() -> None:
    target = np.array([1] * 10 + [0] * 90)
    assert all(decile.lift.value == pytest.approx(1) for decile in deciles(target, np.full(100, 0.3)))


@given(loans.filter(lambda rows: any(late for late, _ in rows)))
def test_deciles_hold_all_loans_and_all_late_ones(rows: list[tuple[int, float]]) -> None:
    groups = deciles(np.array([late for late, _ in rows]), np.array([p for _, p in rows]))
    assert sum(decile.loans for decile in groups) == pytest.approx(len(rows))
    assert sum(decile.late for decile in groups) == pytest.approx(sum(late for late, _ in rows))
    assert groups[-1].capture.value == pytest.approx(1)
    assert all(
        group.capture.value <= following.capture.value + 1e-12 for group, following in itertools.pairwise(groups)
    )
