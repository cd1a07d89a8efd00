"""What clients may throw at the API as a whole, and what it answers: faults 1, 2, 8 and 10."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from predict_api.http.openapi import openapi_document
from predict_api.http.request_body import MAX_BODY_BYTES
from tests.contract.predict_api.api_kit import RECORD, Function, assert_problem, event, split


@pytest.mark.fault(1)
@pytest.mark.parametrize(
    "body",
    [
        "",
        "   ",
        "null",
        "[]",
        "[1]",
        '"late"',
        "1",
        "true",
        '{"dti": 1',
        '{"dti": }',
        "{'dti': 1}",
        "{} {}",
        "[" * 50_000,
    ],
    ids=lambda body: body[:12] or "empty",
)
def test_fault_01_a_body_that_is_not_a_json_object_is_refused(function: Function, body: str) -> None:
    assert_problem(function.post(body), 400)


@pytest.mark.fault(1)
def test_fault_01_missing_body_is_refused(function: Function) -> None:
    assert_problem(function.send(event("POST", "/predict")), 400)


@pytest.mark.fault(1)
@pytest.mark.parametrize("raw", [b'{"purpose": "caf\xe9"}', b"\xff\xfe{\x00}\x00", b"\x80"])
def test_fault_01_invalid_utf_8_is_refused(function: Function, raw: bytes) -> None:
    assert_problem(function.post(base64.b64encode(raw).decode(), is_base64=True), 400)


@pytest.mark.fault(1)
def test_fault_01_lone_surrogates_are_refused(function: Function) -> None:
    assert_problem(function.post('{"dti": "\ud800"}'), 400)
    answer = function.post(json.dumps({"instances": [{**RECORD, "loan_id": "\ud800"}]}))
    assert_problem(answer, 422)
    assert answer.pointers == ["/instances/0/loan_id"]
    for body, pointer in (
        ({"\ud800": 1}, "/\ud800"),
        ({"instances": [{**RECORD, "a\udfff/": 1}]}, "/instances/0/a\udfff~1"),
    ):
        named = function.post(json.dumps(body))
        assert_problem(named, 422)
        assert (named.pointers, named.codes) == ([pointer], ["unknown_field"])


@pytest.mark.fault(1)
def test_fault_01_endless_name_with_a_lone_surrogate_is_not_repeated(function: Function) -> None:
    assert function.post(json.dumps({"\ud800" * 10_000: 1})).pointers == [""]


@pytest.mark.fault(2)
def test_fault_02_base64_body_is_decoded(function: Function) -> None:
    encoded = base64.b64encode(json.dumps(RECORD).encode()).decode()
    assert function.post(encoded, is_base64=True).json["predictions"] == function.post(RECORD).json["predictions"]


@pytest.mark.fault(2)
@pytest.mark.parametrize("body", [json.dumps(RECORD), "a", "e30=e30=", "é", "e30\n=="])
def test_fault_02_body_flagged_as_base64_that_is_not_is_refused(function: Function, body: str) -> None:
    assert_problem(function.post(body, is_base64=True), 400)


@pytest.mark.fault(8)
@pytest.mark.parametrize(("rows", "status"), [(0, 422), (1, 200), (1000, 200), (1001, 413)])
@pytest.mark.parametrize("envelope", ["instances", "dataframe_records", "dataframe_split"])
def test_fault_08_number_of_records(function: Function, envelope: str, rows: int, status: int) -> None:
    names = list(RECORD)
    body: dict[str, Any] = {envelope: [dict(RECORD)] * rows}
    if envelope == "dataframe_split":
        body = split(names, [[RECORD[name] for name in names]] * rows)
    answer = function.post(body)
    assert answer.status == status
    if status == 200:
        assert [entry["index"] for entry in answer.json["predictions"]] == list(range(rows))
    else:
        assert_problem(answer, status)


@pytest.mark.fault(8)
def test_fault_08_too_many_records_is_said_before_what_is_wrong_with_them(function: Function) -> None:
    rows = [[1]] * 1001
    for body in (
        split(["nothing"], rows),
        {"dataframe_split": {"data": rows}},
        {"dataframe_split": {"columns": ["dti"], "data": rows, "indexes": []}},
        {"instances": rows, "unknown": 1},
        {"dataframe_records": rows},
    ):
        assert_problem(function.post(body), 413)


@pytest.mark.fault(8)
@pytest.mark.parametrize("is_base64", [False, True])
@pytest.mark.parametrize(("extra", "status"), [(-1, 200), (0, 200), (1, 413)])
def test_fault_08_body_of_one_mebibyte(function: Function, extra: int, status: int, is_base64: bool) -> None:
    body = json.dumps(dict(RECORD)).ljust(MAX_BODY_BYTES + extra)
    sent = base64.b64encode(body.encode()).decode() if is_base64 else body
    assert function.post(sent, is_base64=is_base64).status == status


@pytest.mark.fault(8)
def test_fault_08_bytes_are_counted_and_not_characters(function: Function) -> None:
    body = json.dumps({**RECORD, "purpose": "é" * 10}, ensure_ascii=False)
    padded = body + " " * (MAX_BODY_BYTES - len(body.encode()))
    assert function.post(padded).status == 200
    assert function.post(padded + " ").status == 413


@pytest.mark.fault(8)
def test_fault_08_one_bad_record_refuses_a_thousand_and_is_pointed_at(function: Function) -> None:
    records = [dict(RECORD) for _ in range(1000)]
    records[17]["dti"] = -1
    answer = function.post({"instances": records})
    assert_problem(answer, 422)
    assert answer.pointers == ["/instances/17/dti"]


@pytest.mark.fault(8)
def test_fault_08_a_thousand_bad_records_are_answered_briefly(function: Function) -> None:
    records = [{f"field_{number}": number for number in range(10)}] * 1000
    answer = function.post({"instances": records})
    assert_problem(answer, 422)
    assert len(answer.json["errors"]) == 100
    assert "20,000 things are wrong in 1,000 of 1,000 records" in answer.json["detail"]
    assert len(answer.body) < 50_000


@pytest.mark.fault(10)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "get"])
def test_fault_10_wrong_method_on_predict(function: Function, method: str) -> None:
    answer = function.send(event(method, "/predict"))
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"


@pytest.mark.fault(10)
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/models/late-payer", "/models/x", "/openapi.json", "/docs"])
def test_fault_10_wrong_method_elsewhere(function: Function, path: str) -> None:
    answer = function.send(event("POST", path, body="{}"))
    assert_problem(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    "path",
    ["/", "/predict/", "/Predict", "/predict/x", "//predict", "/models", "/models/", "/models/a/b", "/é", "/%00"],
)
def test_fault_10_wrong_path(function: Function, path: str) -> None:
    for method in ("GET", "POST"):
        assert_problem(function.send(event(method, path, body="{}")), 404)


@pytest.mark.fault(10)
@pytest.mark.parametrize("path", ['/models/a"b', "/models/a#b", "/models/a%23b", "/models/a\\b"])
def test_fault_10_strange_name_of_a_model_is_not_found(function: Function, path: str) -> None:
    for method in ("GET", "HEAD"):
        assert function.send(event(method, path)).status == 404
    assert function.send(event("POST", path, body="{}")).status == 405


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "text/json"},
        {"content-type": ""},
        {"content-type": "application/json; charset=latin-1"},
        {"content-encoding": "gzip"},
    ],
)
def test_fault_10_what_is_declared_as_no_json_is_refused(function: Function, headers: dict[str, str]) -> None:
    assert_problem(function.post(RECORD, headers=headers), 415)


@pytest.mark.fault(10)
def test_fault_10_missing_content_type_is_refused(function: Function) -> None:
    sent = event("POST", "/predict", body=json.dumps(dict(RECORD)))
    del sent["headers"]
    assert_problem(function.send(sent), 415)


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", 'APPLICATION/JSON;charset="utf-8"'])
def test_json_may_name_its_charset_and_the_header_any_case(function: Function, content_type: str) -> None:
    sent = event("POST", "/predict", body=json.dumps(dict(RECORD)))
    sent["headers"] = {"Content-Type": content_type}
    assert function.send(sent).status == 200


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    "sent", [{}, None, [], "x", {"rawPath": "/predict"}, {"httpMethod": "GET", "path": "/livez"}, {"Records": []}]
)
def test_fault_10_an_event_that_is_not_of_an_http_api_is_a_problem_too(function: Function, sent: object) -> None:
    assert_problem(function.send(sent), 400)


def test_byte_order_mark_is_ignored(function: Function) -> None:
    assert function.post("\ufeff" + json.dumps(dict(RECORD))).status == 200


def test_duplicate_key_is_refused_at_any_depth(function: Function) -> None:
    record = json.dumps(dict(RECORD))
    twice = record[:-1] + ', "dti": 18.4}'
    for body in (twice, f'{{"instances": [{twice}]}}', f'{{"instances": [{record}], "instances": []}}'):
        answer = function.post(body)
        assert_problem(answer, 400)
        assert "twice" in answer.json["detail"]


def test_two_envelopes_at_once_are_refused(function: Function) -> None:
    assert_problem(function.post({"instances": [dict(RECORD)], "dataframe_records": [dict(RECORD)]}), 400)
    assert_problem(function.post({"instances": [dict(RECORD)], **RECORD}), 400)


@pytest.mark.parametrize("rows", [None, {}, "x", 3])
def test_envelope_that_holds_no_array_is_refused(function: Function, rows: object) -> None:
    for name in ("instances", "dataframe_records", "dataframe_split"):
        assert function.post({name: rows}).status in (400, 422)


@pytest.mark.parametrize("record", [None, 3, "x", True])
def test_record_that_is_not_an_object_is_pointed_at(function: Function, record: object) -> None:
    answer = function.post({"instances": [dict(RECORD), record]})
    assert (answer.status, answer.pointers) == (422, ["/instances/1"])


@pytest.mark.parametrize("name", [3, "", "x" * 129, "\ud800", ["a"]])
def test_id_must_be_a_sane_text(function: Function, name: object) -> None:
    answer = function.post({"id": name, "instances": [dict(RECORD)]})
    assert (answer.status, answer.pointers) == (422, ["/id"])


@pytest.mark.parametrize(
    "nulls",
    [
        {"parameters": None},
        {"parameters": {"explain": None}},
        {"parameters": {"explain": None, "other": None}},
        {"explain": None},
        {"id": None},
        {"signature_name": None},
        {"dataframe_split": None},
    ],
    ids=json.dumps,
)
def test_a_null_member_counts_as_not_given(function: Function, nulls: dict[str, Any]) -> None:
    body = {"instances": [{**RECORD, "loan_id": None}], **nulls}
    answer = function.post(body)
    assert answer.status == 200, answer.body
    assert answer.json["id"] == answer.headers["X-Request-Id"]
    request = {"$ref": "#/components/schemas/PredictRequest", "components": openapi_document()["components"]}
    Draft202012Validator(request).validate(body)


def test_null_companions_of_a_bare_record_and_a_split_count_as_not_given(function: Function) -> None:
    assert function.post({**RECORD, "id": None, "parameters": None}).status == 200
    body = split(list(RECORD), [list(RECORD.values())])
    body["dataframe_split"] |= {"index": None, "dtypes": None}
    assert function.post(body).status == 200


@pytest.mark.parametrize(
    ("body", "status", "pointers"),
    [
        ({"instances": None}, 422, ["/instances"]),
        ({**RECORD, "intrate": None}, 422, ["/intrate"]),
        ({"instances": [dict(RECORD)], "dti": None}, 400, []),
    ],
    ids=["no records", "a record's unknown field", "a record's own field"],
)
def test_null_is_not_ignored_where_it_may_be_a_mistake(
    function: Function, body: dict[str, Any], status: int, pointers: list[str]
) -> None:
    answer = function.post(body)
    assert (answer.status, answer.pointers) == (status, pointers)
