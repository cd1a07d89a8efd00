"""What `predict` reads is checked before anything is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from peerloan.commands.predict import read_document, read_event
from peerloan.errors import UsageError

RECORD = {
    "loan_amnt": 12000,
    "int_rate": 0.1356,
    "purpose": "credit_card",
    "grade": "C",
    "annual_inc": 65000,
    "revol_util": None,
    "emp_length": "3 years",
    "dti": 18.4,
    "delinq_2yrs": 0,
    "home_ownership": "RENT",
}


@pytest.mark.parametrize(
    "text", ["{", '{"dti": NaN}', '{"dti": -Infinity}', '{"dti": 1e999}', '{"dti": 1, "dti": 2}', "[" * 100_000]
)
def test_a_text_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="JSON"):
        read_document(text)


def test_a_json_file_may_have_a_byte_order_mark_and_must_be_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"purpose": "café"}', encoding="utf-8-sig")
    assert read_document(str(path)) == {"purpose": "café"}
    path.write_text('{"purpose": "café"}', encoding="latin-1")
    with pytest.raises(UsageError, match="isn't UTF-8"):
        read_document(str(path))


@pytest.mark.parametrize("name", ["no-such-file.json", "a\0b", "x" * 5000, "."])
def test_a_file_that_can_not_be_read_is_named(name: str) -> None:
    with pytest.raises(UsageError, match="neither JSON nor a file"):
        read_document(name)


def test_an_event_is_the_request_that_it_describes() -> None:
    event = {
        "rawPath": "/predict",
        "headers": {"Content-Type": " application/json", "host": "elsewhere"},
        "requestContext": {"http": {"method": "POST"}},
        "body": base64.b64encode(json.dumps(RECORD).encode()).decode(),
        "isBase64Encoded": True,
    }
    method, path, body, headers = read_event(event)
    assert (method, path, headers) == ("POST", "/predict", {"Content-Type": "application/json"})
    assert json.loads(body or b"") == RECORD


@pytest.mark.parametrize("event", [{"requestContext": None}, {"requestContext": {"http": None}, "headers": None}])
def test_what_an_event_leaves_out_has_a_default(event: Mapping[str, Any]) -> None:
    assert read_event(event) == ("POST", "/predict", None, {})


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"body": "not base64!", "isBase64Encoded": True}, "body isn't base64"),
        ({"body": "\ud800"}, "body"),
        ({"body": {"dti": 1}}, "'body' isn't a text"),
        ({"headers": ["accept"]}, "'headers' isn't an object"),
        ({"headers": {"accept": "a\nb"}}, "'accept'"),
        ({"headers": {"accept": "é"}}, "'accept'"),
        ({"rawPath": "@elsewhere/"}, "slash"),
        ({"requestContext": "POST"}, "'requestContext' isn't an object"),
        ({"requestContext": {"http": {"method": 7}}}, "'method' isn't a text"),
    ],
)
def test_an_event_that_cannot_be_sent_names_the_part(part: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_event({"requestContext": {}, **part})
