"""Float32 sums and probabilities are those of compiled code, bit for bit, alone and in a batch."""

from __future__ import annotations

import ctypes
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_artifact.serving_form.single_precision import add_up, expit, expit_of_many

float32s = st.floats(-200, 200, width=32)


@given(st.lists(float32s, max_size=30), float32s)
def test_sums_are_numpys(terms: list[float], start: float) -> None:
    total = np.float32(start)
    for term in terms:
        total += np.float32(term)
    assert add_up(start, terms) == total


@given(st.lists(float32s, min_size=1, max_size=30))
def test_single_and_batch_agree(log_odds: list[float]) -> None:
    assert expit_of_many(np.array(log_odds)).tolist() == list(map(expit, log_odds))


@pytest.mark.skipif(sys.platform != "linux", reason="compared with glibc")
@given(float32s)
def test_expit_is_compiled_codes(log_odds: float) -> None:
    expf = ctypes.CDLL(None).expf
    expf.restype, expf.argtypes = ctypes.c_float, [ctypes.c_float]
    # XGBoost's Sigmoid (src/common/math.h).
    power = np.float32(expf(min(np.float32(-log_odds), np.float32(88.7))))
    assert expit(log_odds) == np.float32(1) / (power + np.float32(1))


def test_ends_are_no_errors() -> None:
    assert expit(1e6) == 1.0
    assert 0.0 < expit(-1e6) < 1e-38
