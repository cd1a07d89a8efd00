"""From bytes to checked records, whatever comes: a request is read, or refused with a reason and a place."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_artifact.schema import FIELDS, Field
from predict_api.http import request_body
from predict_api.http.errors import InvalidRequestError, MalformedRequestError, RequestError
from predict_api.http.request_body import read_json_object
from predict_api.records.envelopes import Envelope, open_envelope
from predict_api.records.record_schema import RECORD_NAMES, check_records
from predict_api.records.violations import RecordPointers, describe_unknown, find_similar

JSON_HEADERS = {"content-type": "application/json"}

# A loaded machine is slow at times; what is read, or how often, does not depend on it.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
names = st.sampled_from(
    [*RECORD_NAMES, "id", "parameters", "instances", "dataframe_records", "dataframe_split", "explain"]
)


def numbers(field: Field) -> st.SearchStrategy[Any]:
    assert field.hard_min is not None
    assert field.hard_max is not None
    if field.whole:
        return st.integers(int(field.hard_min), int(field.hard_max))
    return st.floats(field.hard_min, field.hard_max) | st.integers(math.ceil(field.hard_min), int(field.hard_max))


def values(field: Field) -> st.SearchStrategy[Any]:
    texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)
    value = numbers(field) if field.type == "number" else texts
    return value | st.none() if field.nullable else value


records = st.fixed_dictionaries({field.name: values(field) for field in FIELDS})


def read(text: str, *, is_base64: bool = False) -> list[dict[str, Any]]:
    document = read_json_object(text, is_base64=is_base64, headers=JSON_HEADERS)
    envelope = open_envelope(document, RECORD_NAMES)
    return check_records(envelope.records, envelope.pointers)


def point_at(document: Any, pointer: str) -> Any:
    """Follow a JSON pointer; a missing last member is fine, as that is what may be wrong."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for depth, part in enumerate(parts):
        if isinstance(document, list):
            document = document[int(part)]
        elif part in document or depth < len(parts) - 1:
            document = document[part]
    return document


@unhurried
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(RequestError):
        read(text)


@unhurried
@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with pytest.raises(RequestError):
        read(base64.b64encode(raw).decode(), is_base64=True)


json_texts = st.recursive(
    st.sampled_from(
        ["null", "true", "0", "-0", "1.0", "1e400", "NaN", "1" * 5000, '":"', '"\\u003a"', '"\\ud800"', '"é"']
    )
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers().map(str)
    | st.text().map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(st.sampled_from(['"dti"', '"a:b"', '"\\u0064ti"', '""']), inner), max_size=3).map(
            lambda members: "{" + ",".join(f"{name}: {value}" for name, value in members) + "}"
        )
    ),
)


def outcome(parse: Callable[[str], object], text: str) -> str:
    try:
        return repr(parse(text))
    except MalformedRequestError as error:
        return f"refused: {error.detail}"


@unhurried
@given(json_texts | st.text())
def test_the_fast_parser_reads_and_refuses_as_the_strict_one_does(text: str) -> None:
    assert outcome(request_body.parse, text) == outcome(request_body.parse_strictly, text)


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":1}', '{"a":{"b":1,"b":2}}', '{"a":[{"b":1,"c":3,"b":2}]}', '{"a":[[{"b":1,"b":2}]]}']
)
def test_a_key_that_comes_twice_is_seen_at_any_depth(text: str) -> None:
    with pytest.raises(MalformedRequestError, match="twice in one object"):
        request_body.parse(text)


def test_what_is_wrong_is_listed_by_record_and_misspelt_names_first() -> None:
    record = {field.name: 1 if field.type == "number" else "A" for field in FIELDS}
    wrong = {**record, "delinq_2yrs": 0.5, "loan_amnt": "1", "intrate": 0.1}
    del wrong["int_rate"]
    with pytest.raises(InvalidRequestError) as caught:
        check_records([record, wrong, {**record, "delinq_2yrs": 1.5}], RecordPointers("/instances"))
    assert [(violation.pointer, violation.code) for violation in caught.value.violations] == [
        ("/instances/1/intrate", "unknown_field"),
        ("/instances/1/loan_amnt", "wrong_type"),
        ("/instances/1/int_rate", "missing"),
        ("/instances/1/delinq_2yrs", "not_whole"),
        ("/instances/2/delinq_2yrs", "not_whole"),
    ]
    assert caught.value.violations[0].detail == "No field has this name. Did you mean 'int_rate'?"
    assert caught.value.violations[2].detail.startswith("This field is missing. Must be a number")


def test_empty_object_in_base64_is_read_and_its_record_refused() -> None:
    with pytest.raises(InvalidRequestError):
        read(base64.b64encode(b"{}").decode(), is_base64=True)


@unhurried
@given(
    st.dictionaries(
        names | st.text(),
        anything | st.lists(st.dictionaries(names, anything, max_size=4), max_size=4),
        max_size=6,
    )
)
def test_any_object_is_refused_with_pointers_that_lead_somewhere(document: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        read(json.dumps(document))
    for violation in caught.value.violations:
        point_at(document, violation.pointer)
        assert violation.code
        assert violation.detail


@unhurried
@given(st.lists(records, min_size=1, max_size=5), st.sampled_from(["instances", "dataframe_records"]))
def test_every_valid_record_is_read_as_it_is(sent: list[dict[str, Any]], envelope: str) -> None:
    assert read(json.dumps({envelope: sent})) == sent


@unhurried
@given(st.lists(records, min_size=1, max_size=5), st.permutations([field.name for field in FIELDS]))
def test_split_is_read_in_any_order_of_columns(sent: list[dict[str, Any]], columns: list[str]) -> None:
    data = [[record[name] for name in columns] for record in sent]
    assert read(json.dumps({"dataframe_split": {"columns": columns, "data": data}})) == sent


@unhurried
@given(records, st.sampled_from(FIELDS), anything)
def test_any_value_is_right_or_pointed_at(record: dict[str, Any], field: Field, value: Any) -> None:
    document = {"instances": [{**record, field.name: value}]}
    refusal: InvalidRequestError | None = None
    try:
        [checked] = read(json.dumps(document))
    except InvalidRequestError as error:
        refusal = error
    if refusal is None:
        assert checked[field.name] == value
        assert type(checked[field.name]) in ((float,) if field.type == "number" else (str,)) or value is None
    else:
        assert [violation.pointer for violation in refusal.violations] == [f"/instances/0/{field.name}"]


def test_numbers_become_floats() -> None:
    pointers = RecordPointers("/instances")
    record = {field.name: 1 if field.type == "number" else "A" for field in FIELDS}
    [checked] = check_records([record], pointers)
    assert {type(checked[field.name]) for field in FIELDS if field.type == "number"} == {float}


def test_two_lists_of_errors_are_cut_off_at_a_hundred() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_records([{}] * 50, RecordPointers("/instances"))
    assert len(caught.value.violations) == 100
    assert caught.value.detail == "500 things are wrong in 50 of 50 records. The first 100 are listed."


class CountedNames(tuple[str, ...]):
    """Names that count how often they are gone through: once for each suggestion."""

    times = 0

    def __iter__(self) -> Iterator[str]:
        self.times += 1
        return super().__iter__()


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"columns": [f"column {number}" for number in range(1000)], "data": [[1]]}},
        {"instances": [{}], **{f"member {number}": 1 for number in range(1010)}},
    ],
    ids=["columns", "members"],
)
def test_of_many_unknown_names_only_those_that_are_listed_are_compared(document: dict[str, Any]) -> None:
    names = CountedNames(RECORD_NAMES)
    with pytest.raises(InvalidRequestError) as caught:
        open_envelope(document, names)
    assert caught.value.detail == "1,010 things are wrong with the request. The first 20 are listed."
    assert len(caught.value.violations) == 20
    assert names.times < 50


def test_bare_record_keeps_its_companions_apart() -> None:
    envelope = open_envelope({"id": "a", "parameters": {"explain": True}, "dti": 1}, RECORD_NAMES)
    assert isinstance(envelope, Envelope)
    assert envelope.records == [{"dti": 1}]
    assert (envelope.request_name, envelope.wants_reasons) == ("a", True)


def test_envelope_beside_a_field_is_ambiguous() -> None:
    with pytest.raises(MalformedRequestError, match="at once"):
        open_envelope({"instances": [], "dti": 1}, RECORD_NAMES)


def test_pointers_are_escaped_and_lead_back() -> None:
    assert RecordPointers(None).field(0, "a/b~c") == "/a~1b~0c"
    assert RecordPointers(None).record(0) == ""
    assert RecordPointers("/instances").field(3, "dti") == "/instances/3/dti"
    split = RecordPointers("/dataframe_split/data", ["grade", "dti"])
    assert split.field(3, "dti") == "/dataframe_split/data/3/1"
    assert split.record(3) == "/dataframe_split/data/3"


@pytest.mark.parametrize(
    ("name", "similar"),
    [("DTI", "dti"), ("loan amount", "loan_amnt"), ("intrate", "int_rate"), ("xyz", None), ("d" * 65, None)],
)
def test_similar_name_is_found(name: str, similar: str | None) -> None:
    assert find_similar(name, RECORD_NAMES) == similar


def test_unknown_name_is_not_quoted() -> None:
    assert "secret" not in describe_unknown("field", "secret", RECORD_NAMES)
