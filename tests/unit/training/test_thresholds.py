"""The threshold flags the share that it was asked for, as nearly as ties allow."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.thresholds import threshold_for_share


def test_without_ties_the_share_is_met() -> None:
    probabilities = np.random.default_rng(0).random(1000)
    assert np.mean(probabilities >= threshold_for_share(probabilities, 0.1)) == 0.1


@given(st.lists(st.sampled_from([0.0, 0.01, 0.02, 0.05, 0.5]), min_size=1, max_size=50), st.floats(0, 1))
def test_no_other_threshold_comes_nearer_to_the_share(values: list[float], share: float) -> None:
    probabilities = np.array(values)
    chosen = abs(np.mean(probabilities >= threshold_for_share(probabilities, share)) - share)
    assert all(chosen <= abs(np.mean(probabilities >= value) - share) + 1e-12 for value in values)
