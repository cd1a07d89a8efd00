"""What the API's answers hold: predictions, headers, request ids and reasons."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from model_artifact.reasons import WORDED_CODES_VERSION
from model_registry.manifest import Wording
from predict_api.http.openapi import openapi_document
from tests.contract.predict_api.api_kit import (
    RECORD,
    Function,
    Registry,
    assert_problem,
    candidate,
    event,
    inspect_and_compile,
    split,
)
from tests.contract.predict_api.loans_kit import pickled


def test_every_envelope_gives_the_same_prediction(function: Function) -> None:
    loan = {"loan_id": "A-123", **RECORD}
    bodies = [
        loan,
        {"id": "mine", **loan},
        {"instances": [loan]},
        {"dataframe_records": [loan], "parameters": {}},
        {**split(list(loan), [list(loan.values())]), "parameters": {"explain": False}},
        {"dataframe_split": {"index": [7], "columns": list(loan), "data": [list(loan.values())]}},
    ]
    answers = [function.post(body) for body in bodies]
    assert {answer.status for answer in answers} == {200}
    assert len({json.dumps(answer.json["predictions"]) for answer in answers}) == 1
    assert answers[1].json["id"] == "mine"
    assert answers[0].json["id"] == answers[0].headers["X-Request-Id"]
    assert answers[0].json["predictions"][0]["loan_id"] == "A-123"


def test_answer_has_what_the_api_promises(function: Function) -> None:
    answer = function.post(RECORD)
    assert list(answer.json) == ["id", "model", "predictions"]
    assert list(answer.json["model"]) == ["name", "version", "alias", "sha256"]
    prediction = answer.json["predictions"][0]
    assert list(prediction) == ["index", "late_probability", "is_late", "threshold", "warnings"]
    assert prediction["is_late"] == (prediction["late_probability"] >= prediction["threshold"])
    assert answer.headers["X-Model-Version"] == "1"
    assert answer.headers["X-Model-Form"] in ("pickle", "arrays")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Server-Timing"].startswith("parse;dur=")


@pytest.mark.parametrize("offered", ["abc-123", "Root=1-67891233-abcdef012345678912345678", "x" * 128])
def test_sane_request_id_is_echoed(function: Function, offered: str) -> None:
    answer = function.post(RECORD, headers={"x-request-id": offered})
    assert answer.headers["X-Request-Id"] == offered
    assert function.post("", headers={"x-request-id": offered}).json["instance"] == offered


@pytest.mark.parametrize("offered", ["", "two words", "x" * 129, "a\nb", "é", '"quoted"', "{}"])
def test_other_request_ids_are_replaced(function: Function, offered: str) -> None:
    assert function.post(RECORD, headers={"x-request-id": offered}).headers["X-Request-Id"].startswith("invocation-")


@pytest.mark.parametrize("offered", ["abc-123", "x" * 128, "", "two words", "x" * 129, "-a", "é", '"quoted"', "a\n"])
def test_the_document_accepts_exactly_the_request_ids_that_are_echoed(function: Function, offered: str) -> None:
    [schema] = [
        parameter["schema"]
        for parameter in openapi_document()["paths"]["/predict"]["post"]["parameters"]
        if parameter["name"] == "X-Request-Id"
    ]
    # JSON Schema's $ is the text's end alone, Python's also the place before a last line feed.
    is_valid = Draft202012Validator(schema).is_valid(offered) and not offered.endswith("\n")
    echoed = function.post(RECORD, headers={"x-request-id": offered}).headers["X-Request-Id"]
    assert (echoed == offered) == is_valid


def test_head_is_answered_as_get_without_a_body(function: Function) -> None:
    for path in ("/livez", "/readyz", "/models/late-payer", "/openapi.json", "/docs"):
        answer = function.send(event("HEAD", path))
        assert (answer.status, answer.body) == (200, "")
        assert answer.headers["Content-Type"] == function.get(path).headers["Content-Type"]


def test_unknown_model_is_not_found(function: Function) -> None:
    assert_problem(function.get("/models/early-payer"), 404)


def test_reasons_are_given_by_arrays_and_refused_by_pickles(function: Function) -> None:
    worse = {**RECORD, "grade": "F", "int_rate": 0.29, "annual_inc": 20000, "purpose": "small_business"}
    answer = function.post({"instances": [worse, dict(RECORD)], "parameters": {"explain": True}})
    if function.get("/models/late-payer").json["versions"][0]["form"] == "pickle":
        assert_problem(answer, 501)
        return
    again = function.post({"instances": [worse, dict(RECORD)], "parameters": {"explain": True}})
    assert answer.json["predictions"] == again.json["predictions"]
    first = answer.json["predictions"][0]
    effects = [reason["effect"] for reason in first["reasons"]]
    assert 1 <= len(effects) <= 4
    assert effects == sorted(effects, reverse=True)
    assert first["reasons"][0]["code"] == "LENDER_PRICING"
    assert first["reasons"][0]["is_lender_pricing"]
    assert sum(effects) >= 0
    plain = function.post({"instances": [worse]}).json["predictions"][0]
    assert plain["late_probability"] == first["late_probability"]
    assert "reasons" not in plain


def test_a_version_gives_its_publishers_own_reasons(registry: Registry) -> None:
    """An excluded code is never given; the next strongest takes its place. A worded code has its own text."""
    worse = {**RECORD, "grade": "F", "int_rate": 0.29, "annual_inc": 20000, "purpose": "small_business"}
    body = {"instances": [worse], "parameters": {"explain": True}}
    plain = candidate(pickled("boosted"))
    assert plain.reasons is not None
    wording = Wording({"ANNUAL_INC_LOW": "We count on a higher income."}, ("LENDER_PRICING",))
    own = replace(plain, reasons=replace(plain.reasons, codes_version=WORDED_CODES_VERSION, wording=wording))
    answers = []
    for entry in (plain, own):
        bucket = Registry(inspector=inspect_and_compile)
        bucket.writer.assign("live", bucket.writer.publish(entry).manifest.version)
        answers.append(Function(bucket).post(body).json["predictions"][0])
    before, after = (prediction.pop("reasons") for prediction in answers)
    assert answers[0] == answers[1]
    assert before[0]["code"] == "LENDER_PRICING"
    assert [reason["code"] for reason in after][: len(before) - 1] == [reason["code"] for reason in before[1:]]
    texts = {reason["code"]: reason["text"] for reason in after}
    assert texts["ANNUAL_INC_LOW"] == "We count on a higher income."


@pytest.mark.parametrize("explain", [1, "true", [], {}])
def test_explain_must_be_true_or_false(function: Function, explain: object) -> None:
    answer = function.post({"instances": [dict(RECORD)], "parameters": {"explain": explain}})
    assert (answer.status, answer.pointers) == (422, ["/parameters/explain"])


def test_time_that_is_nearly_used_up_is_a_problem_and_not_a_killed_environment(function: Function) -> None:
    assert_problem(function.post(RECORD, remaining_ms=100), 504)
    assert function.post(RECORD).status == 200
