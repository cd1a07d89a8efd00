"""Every kind of compressed stream is read to its end and no further than the bound."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_artifact.errors import UnreadablePickleError
from model_artifact.opening.compression import CHUNK_BYTES, open_stream

KINDS = {
    "plain": bytes,
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda content: lzma.compress(content, format=lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(tail=st.binary(max_size=50), repeats=st.sampled_from([0, 1, CHUNK_BYTES - 4, CHUNK_BYTES, 3 * CHUNK_BYTES]))
def test_the_bytes_come_back_whatever_their_number(kind: str, tail: bytes, repeats: int) -> None:
    content = b"\x80\x04" + b"a" * repeats + tail
    assert open_stream(KINDS[kind](content), len(content)).read() == content


@pytest.mark.parametrize("kind", KINDS)
def test_one_byte_more_than_the_bound_is_refused(kind: str) -> None:
    content = b"\x80" * 1000
    with pytest.raises(UnreadablePickleError, match="more bytes"):
        open_stream(KINDS[kind](content), 999).read()


@pytest.mark.fault(11)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "plain"])
def test_fault_11_cut_off_or_continued_stream_is_refused(kind: str) -> None:
    data = KINDS[kind](bytes(range(256)) * 10)
    with pytest.raises(UnreadablePickleError, match="cut off"):
        open_stream(data[:-3], 10_000).read()
    with pytest.raises(UnreadablePickleError, match="follow"):
        open_stream(data + b"more", 10_000).read()
