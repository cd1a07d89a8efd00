"""Other servers' protocols give the same predictions as ``/predict``, in the words of their own clients."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.predict_api.api_kit import RECORD, Answer, Function, Registry, event, metrics

LOANS: list[dict[str, Any]] = [
    {"loan_id": "A-1", **RECORD},
    {"loan_id": "A-2", **RECORD, "grade": "F", "int_rate": 0.29, "emp_length": None, "purpose": "yacht"},
]
COLUMNS = {name: [loan[name] for loan in LOANS] for name in LOANS[0]}
V1 = "/v1/models/late-payer:predict"
V2 = "/v2/models/late-payer/infer"
MLFLOW_AND_V1 = pytest.mark.parametrize("path", ["/invocations", V1])


def post(function: Function, path: str, body: object, **changes: Any) -> Answer:
    return function.send(event("POST", path, body=json.dumps(body), **changes))


def tensor(name: str, values: list[Any], **changes: Any) -> dict[str, Any]:
    is_text = any(isinstance(value, str) for value in values)
    datatype = "BYTES" if is_text else "FP64"
    return {"name": name, "datatype": datatype, "shape": [len(values)], "data": values, **changes}


def tensors(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a tensor for each column, with the changes of some by name."""
    return [tensor(name, values, **changes.get(name, {})) for name, values in COLUMNS.items()]


def message(answer: Answer) -> str:
    """Return the message of an error in any of the protocols."""
    document = answer.json
    assert document.keys() in ({"error"}, {"error_code", "message"}), document
    return str(document.get("error") or document["message"])


@MLFLOW_AND_V1
@pytest.mark.parametrize(
    "body",
    [
        {"instances": LOANS},
        {"dataframe_records": LOANS},
        {"dataframe_split": {"columns": list(COLUMNS), "data": [list(loan.values()) for loan in LOANS]}},
        {"inputs": LOANS},
        {"inputs": COLUMNS},
    ],
    ids=lambda body: next(iter(body)),
)
def test_mlflow_and_kserve_v1_answer_predictions(function: Function, path: str, body: dict[str, Any]) -> None:
    expected = function.post({"instances": LOANS})
    answer = post(function, path, body)
    assert answer.status == 200, answer.body
    assert list(answer.json) == ["predictions"]
    assert answer.version == expected.version
    for prediction, other in zip(answer.json["predictions"], expected.json["predictions"], strict=True):
        codes = [warning["code"] for warning in prediction.pop("warnings")]
        assert codes == [warning["code"] for warning in other.pop("warnings")]
        assert prediction == other


def test_warning_about_a_column_points_into_the_column(function: Function) -> None:
    [first, second] = post(function, "/invocations", {"inputs": COLUMNS}).json["predictions"]
    assert not first["warnings"]
    assert {"code": "unseen_category", "pointer": "/inputs/purpose/1"} in second["warnings"]


def test_open_inference_answers_tensors(function: Function) -> None:
    expected = function.post({"instances": LOANS}).json
    # Triton's client asks for binary outputs, and KServe's names the model.
    extras = {"parameters": {"binary_data_output": True}, "model_name": "late-payer"}
    answer = post(function, V2, {**extras, "id": "42", "inputs": tensors()})
    assert answer.status == 200, answer.body
    document = answer.json
    assert (document["model_name"], document["model_version"], document["id"]) == ("late-payer", "1", "42")
    outputs = {output.pop("name"): output for output in document["outputs"]}
    probabilities = [prediction["late_probability"] for prediction in expected["predictions"]]
    assert outputs["late_probability"] == {"datatype": "FP64", "shape": [2], "data": probabilities}
    assert outputs["is_late"]["data"] == [prediction["is_late"] for prediction in expected["predictions"]]
    assert outputs["warnings"]["data"][0] == ""
    assert "purpose:unseen_category" in outputs["warnings"]["data"][1].split(" ")
    assert document["parameters"] == {"threshold": expected["predictions"][0]["threshold"]}


def test_open_inference_gives_the_outputs_that_are_asked_for(function: Function) -> None:
    answer = post(function, V2, {"inputs": tensors(), "outputs": [{"name": "is_late"}]})
    assert [output["name"] for output in answer.json["outputs"]] == ["is_late"]
    wrong = post(function, V2, {"inputs": tensors(), "outputs": [{"name": "is_early"}]})
    assert wrong.status == 400
    assert "/outputs/0/name: Must be one of late_probability, is_late, warnings." in message(wrong)


@pytest.mark.parametrize(
    "changes",
    [
        {name: {"shape": [2, 1]} for name in COLUMNS},
        {name: {"shape": [2, 1], "data": [[value] for value in values]} for name, values in COLUMNS.items()},
        {"emp_length": {"data": ["3 years", ""]}},
        {"delinq_2yrs": {"datatype": "INT64"}, "loan_amnt": {"datatype": "UINT32"}},
    ],
    ids=["column shape", "nested", "empty text for null", "whole numbers"],
)
def test_open_inference_takes_what_its_clients_write(function: Function, changes: dict[str, Any]) -> None:
    expected = post(function, V2, {"inputs": tensors()}).json["outputs"]
    assert post(function, V2, {"inputs": tensors(**changes)}).json["outputs"] == expected


def test_nullable_tensor_may_be_left_out(function: Function) -> None:
    without = [entry for entry in tensors() if entry["name"] != "emp_length"]
    nulls = tensors(emp_length={"data": [None, None]})
    answers = [post(function, V2, {"inputs": inputs}) for inputs in (without, nulls)]
    assert answers[0].json["outputs"] == answers[1].json["outputs"]
    refused = post(function, V2, {"inputs": [entry for entry in tensors() if entry["name"] != "dti"]})
    assert refused.status == 400
    assert "/inputs: The column 'dti' is missing." in message(refused)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"instances": LOANS}, "Send a tensor for each column"),
        ({"inputs": []}, "/inputs: Must be an array of tensors."),
        ({"inputs": {"dti": [1]}}, "/inputs: Must be an array of tensors."),
        ({"inputs": [3]}, "/inputs/0: Must be a tensor with a name."),
        ({"inputs": [*tensors(), tensor("dti", [1, 2])]}, "/inputs/11: This column comes twice."),
        ({"inputs": [tensor("dit", ["1", "2"])]}, "/inputs/0: No column has this name. Did you mean 'dti'?"),
        ({"inputs": tensors(dti={"datatype": "BYTES"})}, "/inputs/8/datatype: Must be FP64 or FP32 for 'dti'."),
        ({"inputs": tensors(grade={"datatype": "FP64"})}, "/inputs/4/datatype: Must be BYTES."),
        ({"inputs": tensors(dti={"data": None})}, "/inputs/8/data: Must be an array of values."),
        ({"inputs": tensors(dti={"shape": [3]})}, "/inputs/8/shape: Must be [n] or [n, 1]; the data have 2 values."),
        (
            {"inputs": tensors(dti={"shape": [1], "data": [1]})},
            "/inputs/8/data: Must be an array of 2 values, as the first column is.",
        ),
        ({"inputs": tensors(dti={"data": [1, -1]})}, "/inputs/8/data/1: Must be a number from 0 to 1000"),
        ({"inputs": [tensor(name, []) | {"datatype": "BYTES"} for name in ("grade",)]}, "The column 'dti' is missing."),
        ({"inputs": tensors(), "id": 4}, "/id: The id must be a text"),
        ({"inputs": tensors(), "outputs": 4}, "/outputs: Must be an array of objects"),
    ],
)
def test_open_inference_says_which_tensor_is_wrong(function: Function, body: dict[str, Any], expected: str) -> None:
    answer = post(function, V2, body)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/json"
    assert expected in message(answer)


def test_columns_without_values_hold_no_record(function: Function) -> None:
    assert "It holds no record." in message(post(function, "/invocations", {"inputs": {name: [] for name in COLUMNS}}))


@pytest.mark.parametrize("path", ["/invocations", V1, V2])
def test_too_many_records_are_refused(function: Function, path: str) -> None:
    columns = {name: [RECORD[name]] * 1001 for name in RECORD}
    inputs = [tensor(name, values) for name, values in columns.items()] if path == V2 else columns
    answer = post(function, path, {"inputs": inputs})
    assert answer.status == 413
    assert "1,001 records" in message(answer)


@pytest.mark.parametrize("path", ["/invocations", V1, V2])
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [("{", {}, 400), ("{}", {"content-type": "text/csv"}, 415), ('{"a": 1, "a": 2}', {}, 400)],
)
def test_problems_are_answered_in_the_protocols_own_form(
    function: Function, path: str, body: str, headers: dict[str, str], status: int
) -> None:
    answer = function.send(event("POST", path, body=body, headers=headers))
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/json"
    assert message(answer)
    if path == "/invocations":
        assert answer.json["error_code"] == "BAD_REQUEST"


@MLFLOW_AND_V1
def test_wrong_record_is_a_400_that_names_the_place(function: Function, path: str) -> None:
    answer = post(function, path, {"instances": [{**RECORD, "dti": -1}]})
    assert answer.status == 400
    assert "/instances/0/dti: Must be a number from 0 to 1000" in message(answer)


@pytest.mark.parametrize("path", ["/predict", "/invocations", V1])
@pytest.mark.parametrize(
    ("body", "form"),
    [
        ({"columns": list(COLUMNS), "index": [0], "data": [[1]]}, '{"dataframe_split":'),
        ({name: {"0": value} for name, value in RECORD.items()}, 'df.to_dict(orient="records")'),
        ({name: [value] for name, value in RECORD.items()}, 'df.to_dict(orient="records")'),
        ({str(number): loan for number, loan in enumerate(LOANS)}, 'df.to_dict(orient="records")'),
        ({"records": LOANS}, '{"instances": [{…}, …]}'),
        ({"data": [[1, 2]]}, '{"instances": [{…}, …]}'),
        ({"instances": COLUMNS}, 'df.to_dict(orient="records")'),
    ],
    ids=["split", "columns", "list", "index", "records", "data", "columns as instances"],
)
def test_other_form_of_body_gets_a_hint(function: Function, path: str, body: dict[str, Any], form: str) -> None:
    answer = post(function, path, body)
    assert answer.status in (400, 422)
    details = json.dumps(answer.json, ensure_ascii=False).replace('\\"', '"')
    assert form in details


@pytest.mark.parametrize("inputs", [LOANS, COLUMNS, tensors()])
def test_inputs_at_predict_get_a_hint(function: Function, inputs: object) -> None:
    answer = function.post({"inputs": inputs})
    assert answer.status == 400
    assert '{"instances": [{…}, …]}' in answer.json["detail"]
    assert "/v2/models/NAME/infer" in answer.json["detail"]


def test_a_record_with_one_wrong_value_is_no_other_form(function: Function) -> None:
    for value in ([1], {"a": 1}):
        assert function.post({**RECORD, "dti": value}).pointers == ["/dti"]


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/ping", {}),
        ("/v1/models", {"models": ["late-payer"]}),
        ("/v1/models/late-payer", {"name": "late-payer", "ready": True}),
        ("/v2", {"name": "peerloan", "version": "1", "extensions": []}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"live": True, "ready": True}),
        ("/v2/models/late-payer/ready", {"name": "late-payer", "ready": True}),
    ],
)
def test_health_and_metadata(function: Function, path: str, document: dict[str, Any]) -> None:
    assert function.get(path).json == document
    assert function.send(event("HEAD", path)).status == 200
    refused = function.send(event("POST", path, body="{}"))
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")
    assert message(refused)


def test_open_inference_describes_its_tensors(function: Function) -> None:
    document = function.get("/v2/models/late-payer").json
    inputs = {entry["name"]: (entry["datatype"], entry["shape"]) for entry in document["inputs"]}
    assert inputs["dti"] == ("FP64", [-1])
    assert inputs["grade"] == ("BYTES", [-1])
    assert [entry["name"] for entry in document["outputs"]] == ["late_probability", "is_late", "warnings"]
    form = function.get("/models/late-payer").json["versions"][0]["form"]
    assert document["platform"] == f"sklearn_{form}"


@pytest.mark.parametrize(
    "path", ["/v1/models/iris", "/v1/models/iris:predict", "/v2/models/iris", "/v2/models/iris/infer"]
)
def test_other_model_is_not_found(function: Function, path: str) -> None:
    answer = function.send(event("GET", path))
    assert answer.status == 404
    assert message(answer) == "This function has no model of this name. Its model is late-payer."


@pytest.mark.parametrize("path", ["/v1", "/v1/models/late-payer:explain", "/v2/models/late-payer/versions/1/infer"])
def test_other_path_of_a_protocol_is_not_found(function: Function, path: str) -> None:
    answer = function.send(event("POST", path, body="{}"))
    assert answer.status == 404
    assert message(answer)


@pytest.mark.parametrize(
    "path",
    ["/ping", "/v1/models/late-payer", "/v2/health/ready", "/v2/models/late-payer", "/v2/models/late-payer/ready"],
)
def test_no_verified_model_is_not_ready(path: str) -> None:
    answer = Function(Registry()).get(path)
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert message(answer)
    if path == "/ping":
        assert answer.json["error_code"] == "TEMPORARILY_UNAVAILABLE"


def test_open_inference_takes_json_without_a_content_type_and_no_binary_tensors(function: Function) -> None:
    sent = event("POST", V2, body=json.dumps({"inputs": tensors()}))
    del sent["headers"]["content-type"]
    assert function.send(sent).status == 200
    sent["headers"]["inference-header-content-length"] = "10"
    answer = function.send(sent)
    assert answer.status == 415
    assert "binary_data=False" in message(answer)


@pytest.mark.parametrize(
    ("path", "route"),
    [("/invocations", "/invocations"), (V1, "/v1/models/{name}:predict"), (V2, "/v2/models/{name}/infer")],
)
def test_predictions_of_every_protocol_are_measured(
    function: Function, path: str, route: str, capsys: pytest.CaptureFixture[str]
) -> None:
    post(function, path, {"inputs": tensors() if path == V2 else COLUMNS})
    [line] = metrics(capsys.readouterr().out, "Latency")
    assert (line["route"], line["rows"]) == (route, 2)


def test_message_names_ten_places_at_most(function: Function) -> None:
    text = message(post(function, V1, {"instances": [{**RECORD, "dti": -1}] * 30}))
    assert text.count("/dti: ") == 10
    assert "30 things are wrong in 30 of 30 records." in text
