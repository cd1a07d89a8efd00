"""Tests of the hashes of loan ids."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_watch.loan_hash import LoanHasher

KEY = "0123456789abcdef0123456789abcdef"


def test_a_hash_is_keyed_blake2b_of_twelve_bytes_in_url_safe_base64() -> None:
    digest = blake2b(b"loan-1", key=KEY.encode(), digest_size=12).digest()
    assert LoanHasher(KEY).hash("loan-1") == urlsafe_b64encode(digest).decode()


@given(st.lists(st.none() | st.text(st.characters(), max_size=128)))
def test_many_hashes_are_those_of_each_id_and_none_stays_none(ids: list[str | None]) -> None:
    hasher = LoanHasher(KEY)
    hashes = hasher.hash_all(ids)
    assert hashes == [None if text is None else hasher.hash(text).encode() for text in ids]
    assert all(value is None or re.fullmatch(rb"[A-Za-z0-9_-]{16}", value) for value in hashes)


def test_another_key_gives_other_hashes() -> None:
    assert LoanHasher(KEY).hash("loan-1") != LoanHasher(KEY.upper()).hash("loan-1")


def test_half_a_surrogate_pair_has_a_hash() -> None:
    assert len(LoanHasher(KEY).hash("\ud800")) == 16


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "with a space " * 3, "ä" * 32])
def test_a_key_that_is_too_short_or_not_base64_is_refused_without_being_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="32 to 64 characters of base64") as caught:
        LoanHasher(key)
    assert not key or key not in str(caught.value)
