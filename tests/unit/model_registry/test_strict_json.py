"""JSON that could be read in two ways is refused, and the message says why without quoting a value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.strict_json import StrictJsonError, parse

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(documents)
def test_any_document_is_read_as_it_was_written(document: object) -> None:
    assert parse(json.dumps(document)) == document


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "isn't JSON: Expecting value at line 1, column 1"),
        ('{"a": secret}', "isn't JSON: Expecting value at line 1, column 7"),
        ('{"a": 1, "a": 1}', "has the key 'a' twice in one object; write each key once"),
        ('[{"b": {"a": 1, "\\u0061": 2}}]', "has the key 'a' twice in one object; write each key once"),
        (f'{{"{"k" * 65}": 1, "{"k" * 65}": 1}}', "has a key twice in one object; write each key once"),
        ('{"a": NaN}', "isn't JSON: it holds NaN; write null where a value is missing"),
        ("[-Infinity]", "isn't JSON: it holds -Infinity; write null where a value is missing"),
        ("[" * 100_000, "is nested too deeply"),
        ("1" * 5000, "holds a number with too many digits"),
    ],
    ids=["empty", "word", "twice", "twice inside", "long key", "NaN", "-Infinity", "deep", "long number"],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(StrictJsonError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_a_key_that_is_repeated_after_many_others_is_found_at_once() -> None:
    many = ",".join(f'"{number}": 1' for number in range(300_000))
    with pytest.raises(StrictJsonError, match="'299999' twice"):
        parse(f'{{{many}, "299999": 2}}')
