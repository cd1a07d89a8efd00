"""What may be wrong with the records that clients send: faults 3 to 7 and 9."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_artifact.schema import FIELD_NAMES, FIELDS, NUMERIC_NAMES
from tests.contract.predict_api.api_kit import RECORD, Function, assert_problem, split

NOT_NULLABLE = [field.name for field in FIELDS if not field.nullable]
CATEGORIES = [name for name in FIELD_NAMES if name not in NUMERIC_NAMES]


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in RECORD.items() if name not in names}


@pytest.mark.fault(3)
@pytest.mark.parametrize("name", FIELD_NAMES)
def test_fault_03_missing_field_is_pointed_at(function: Function, name: str) -> None:
    bare = function.post(without(name))
    assert_problem(bare, 422)
    assert (bare.pointers, bare.codes) == ([f"/{name}"], ["missing"])
    listed = function.post({"instances": [dict(RECORD), without(name)]})
    assert listed.pointers == [f"/instances/1/{name}"]


@pytest.mark.fault(3)
def test_fault_03_all_fields_missing_is_a_pointer_each(function: Function) -> None:
    answer = function.post({})
    assert_problem(answer, 422)
    assert answer.pointers == [f"/{name}" for name in FIELD_NAMES]


@pytest.mark.fault(4)
@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("DTI", "dti"), ("anual_inc", "annual_inc"), ("homeOwnership", "home_ownership"), ("emp-length", "emp_length")],
)
def test_fault_04_misspelt_field_gets_a_suggestion(function: Function, wrong: str, meant: str) -> None:
    answer = function.post({"instances": [{**without(meant), wrong: RECORD[meant]}]})
    assert_problem(answer, 422)
    details = {entry["pointer"]: entry for entry in answer.json["errors"]}
    assert details[f"/instances/0/{wrong}"]["code"] == "unknown_field"
    assert f"Did you mean {meant!r}?" in details[f"/instances/0/{wrong}"]["detail"]
    assert details[f"/instances/0/{meant}"]["code"] == "missing"


@pytest.mark.fault(4)
def test_fault_04_unlike_any_field_is_answered_with_the_known_ones(function: Function) -> None:
    answer = function.post({**RECORD, "zzz": 1})
    assert answer.pointers == ["/zzz"]
    assert "loan_amnt" in answer.json["errors"][0]["detail"]
    endless = function.post({**RECORD, "z" * 100_000: 1})
    assert endless.pointers == [""]
    assert len(endless.body) < 2000


@pytest.mark.fault(4)
def test_fault_04_unknown_members_of_the_envelope_get_a_suggestion(function: Function) -> None:
    misspelt = function.post({"instances": [dict(RECORD)], "parameter": {}})
    assert (misspelt.status, misspelt.pointers) == (422, ["/parameter"])
    assert "'parameters'" in misspelt.json["errors"][0]["detail"]
    unknown = function.post({"instances": [dict(RECORD)], "parameters": {"explian": True}})
    assert (unknown.status, unknown.pointers) == (422, ["/parameters/explian"])
    instance = function.post({"instance": [dict(RECORD)]})
    assert "'instances'" in instance.body


@pytest.mark.fault(5)
@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity"])
def test_fault_05_tokens_that_json_does_not_have_are_refused(function: Function, token: str) -> None:
    assert_problem(function.post(json.dumps(dict(RECORD)).replace("18.4", token)), 400)


@pytest.mark.fault(5)
@pytest.mark.parametrize("value", ["12000", True, False, [1], {}, ""])
@pytest.mark.parametrize("name", NUMERIC_NAMES)
def test_fault_05_a_value_that_is_not_a_number_is_refused(function: Function, name: str, value: object) -> None:
    answer = function.post({"instances": [{**RECORD, name: value}]})
    assert_problem(answer, 422)
    assert (answer.pointers, answer.codes) == ([f"/instances/0/{name}"], ["wrong_type"])


@pytest.mark.fault(5)
@pytest.mark.parametrize("token", ["1e999", "-1e999", "1" + "0" * 400])
def test_fault_05_numbers_beyond_a_double_are_refused(function: Function, token: str) -> None:
    assert_problem(function.post(json.dumps(dict(RECORD)).replace("18.4", token)), 422)


@pytest.mark.fault(5)
def test_fault_05_number_of_thousands_of_digits_is_refused(function: Function) -> None:
    assert_problem(function.post(json.dumps(dict(RECORD)).replace("18.4", "1" * 5000)), 400)


@pytest.mark.fault(5)
@pytest.mark.parametrize("value", [3, 1.5, True, ["A"], {}])
@pytest.mark.parametrize("name", CATEGORIES)
def test_fault_05_a_value_that_is_not_a_text_is_refused(function: Function, name: str, value: object) -> None:
    answer = function.post({**RECORD, name: value})
    assert_problem(answer, 422)
    assert answer.pointers == [f"/{name}"]


@pytest.mark.fault(6)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loan_amnt", -5),
        ("loan_amnt", 0),
        ("int_rate", 13.56),
        ("int_rate", -0.01),
        ("annual_inc", -1),
        ("revol_util", 54),
        ("dti", -0.1),
        ("dti", 100_000),
        ("delinq_2yrs", -1),
    ],
)
def test_fault_06_out_of_hard_bounds_is_refused(function: Function, name: str, value: float) -> None:
    answer = function.post({**RECORD, name: value})
    assert_problem(answer, 422)
    assert (answer.pointers, answer.codes) == ([f"/{name}"], ["out_of_range"])
    assert str(value) not in answer.json["errors"][0]["detail"].split("from")[0]


@pytest.mark.fault(6)
def test_fault_06_part_of_a_delinquency_is_refused(function: Function) -> None:
    for value in (1.5, 2.0000000001, 1e-300):
        answer = function.post({**RECORD, "delinq_2yrs": value})
        assert (answer.status, answer.codes) == (422, ["not_whole"])
    assert function.post({**RECORD, "delinq_2yrs": 1.0}).status == 200


@pytest.mark.fault(6)
@pytest.mark.parametrize(("name", "value"), [("annual_inc", 250_000_000), ("dti", 90.5), ("revol_util", 3.0)])
def test_fault_06_out_of_the_training_range_is_answered_with_a_warning(
    function: Function, name: str, value: float
) -> None:
    prediction = function.post({"instances": [{**RECORD, name: value}]}).json["predictions"][0]
    assert prediction["warnings"] == [{"code": "out_of_training_range", "pointer": f"/instances/0/{name}"}]
    assert 0 <= prediction["late_probability"] <= 1


@pytest.mark.fault(7)
@pytest.mark.parametrize("name", CATEGORIES)
def test_fault_07_unseen_category_is_answered_with_a_warning(function: Function, name: str) -> None:
    prediction = function.post({**RECORD, name: "never seen"}).json["predictions"][0]
    assert prediction["warnings"] == [{"code": "unseen_category", "pointer": f"/{name}"}]
    assert 0 <= prediction["late_probability"] <= 1


@pytest.mark.fault(7)
@pytest.mark.parametrize("name", NOT_NULLABLE)
def test_fault_07_null_where_nothing_is_imputed_is_refused(function: Function, name: str) -> None:
    answer = function.post({"dataframe_records": [{**RECORD, name: None}]})
    assert_problem(answer, 422)
    assert (answer.pointers, answer.codes) == ([f"/dataframe_records/0/{name}"], ["null_not_allowed"])


@pytest.mark.fault(7)
def test_fault_07_null_where_gaps_are_filled_is_answered(function: Function) -> None:
    answer = function.post({**RECORD, "revol_util": None, "emp_length": None})
    assert answer.status == 200
    assert answer.json["predictions"][0]["warnings"] == []


@pytest.mark.fault(9)
def test_fault_09_order_of_the_columns_changes_nothing(function: Function) -> None:
    names = list(RECORD)
    expected = function.post(RECORD).json["predictions"][0]["late_probability"]
    for order in (names[::-1], sorted(names)):
        shuffled = {name: RECORD[name] for name in order}
        for body in (shuffled, {"instances": [shuffled]}, split(order, [list(shuffled.values())])):
            assert function.post(body).json["predictions"][0]["late_probability"] == expected


@pytest.mark.fault(9)
def test_fault_09_duplicate_column_is_refused(function: Function) -> None:
    names = [*RECORD, "dti"]
    answer = function.post(split(names, [[*RECORD.values(), 18.4]]))
    assert_problem(answer, 422)
    assert (answer.pointers, answer.codes) == (["/dataframe_split/columns/10"], ["duplicate_column"])


@pytest.mark.fault(9)
def test_fault_09_missing_column_is_refused(function: Function) -> None:
    record = without("dti", "grade")
    answer = function.post(split(list(record), [list(record.values())]))
    assert_problem(answer, 422)
    assert answer.codes == ["missing", "missing"]
    assert "'dti'" in answer.body
    assert "'grade'" in answer.body


@pytest.mark.fault(9)
def test_fault_09_cells_and_rows_of_a_split_are_pointed_at(function: Function) -> None:
    names = list(RECORD)
    row = list(RECORD.values())
    wrong = [*row[:7], "18.4", *row[8:]]
    assert names[7] == "dti"
    assert function.post(split(names, [row, row, row, wrong])).pointers == ["/dataframe_split/data/3/7"]
    short = function.post(split(names, [row, row[:-1]]))
    assert (short.status, short.pointers) == (422, ["/dataframe_split/data/1"])


@pytest.mark.fault(9)
@pytest.mark.parametrize("index", [7, "x", {}])
def test_fault_09_index_of_a_split_must_be_an_array(function: Function, index: object) -> None:
    body = split(list(RECORD), [list(RECORD.values())])
    body["dataframe_split"]["index"] = index
    answer = function.post(body)
    assert_problem(answer, 422)
    assert (answer.pointers, answer.codes) == (["/dataframe_split/index"], ["wrong_type"])


@pytest.mark.fault(9)
def test_fault_09_rows_without_column_names_are_refused(function: Function) -> None:
    assert_problem(function.post({"instances": [list(RECORD.values())]}), 400)
    assert_problem(function.post({"dataframe_split": {"data": [list(RECORD.values())]}}), 400)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("int_rate", "13.56%", "Write a percentage as a fraction: 0.1356 for 13.56%."),
        ("int_rate", 13.56, "Write a percentage as a fraction: 0.1356 for 13.56%."),
        ("loan_amnt", "12,000", "Write the number without commas between the thousands: 12000."),
        ("revol_util", "n/a", "Write null for a missing value."),
    ],
)
def test_number_in_another_form_gets_a_hint(function: Function, name: str, value: object, hint: str) -> None:
    [violation] = function.post({**RECORD, name: value}).json["errors"]
    assert violation["detail"].endswith(hint)
