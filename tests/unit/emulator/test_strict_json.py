"""Documents that count as JSON, and those that don't."""

from __future__ import annotations

import pytest

from emulator.strict_json import read_json


def test_documents_are_read() -> None:
    assert read_json('{"a": [1, "ü"]}'.encode()) == {"a": [1, "ü"]}
    assert read_json(" 2.5 ") == 2.5


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"NaN", b"[-Infinity]", b'"\xff"', b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5_000, b"{} {}"],
    ids=["empty", "cut", "nan", "infinity", "latin-1", "deep list", "deep object", "digits", "two"],
)
def test_other_documents_are_a_value_error(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(document)
