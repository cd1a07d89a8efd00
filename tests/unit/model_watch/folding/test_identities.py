"""A set of numbers in arrays says what Python's own set says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model_watch.folding.identities import Identities


@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 30), max_size=40), max_size=20))
def test_a_number_is_new_once(batches: list[list[int]]) -> None:
    identities, seen = Identities(), set()
    for batch in batches:
        expected = []
        for number in batch:
            expected.append(number not in seen)
            seen.add(number)
        assert identities.add_new(np.array(batch, np.int64)).tolist() == expected
