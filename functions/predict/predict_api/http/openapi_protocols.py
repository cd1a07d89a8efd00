"""The OpenAPI document's part about other servers' protocols: MLflow's, KServe's V1 and the Open Inference Protocol."""

from __future__ import annotations

from typing import Any

from model_artifact.schema import FIELD_NAMES, FIELDS, LOAN_ID
from predict_api.http.open_inference import NUMBER_DATATYPES, OUTPUTS
from predict_api.http.openapi_operations import MODEL_HEADERS, MODEL_NAME, answer_of, operation
from predict_api.http.openapi_schemas import ON_TIME_RECORD, TEXT, array_of, object_of, ref
from predict_api.records.envelopes import MAX_RECORDS

_BOOLEAN = {"type": "boolean"}
_ERRORS = (400, 413, 415, 503, 504)


def protocol_paths() -> dict[str, Any]:
    """Return the paths of the other protocols."""
    records = {"instances": [{"loan_id": "A-123", **ON_TIME_RECORD}]}
    columns = {"inputs": {name: [value] for name, value in ON_TIME_RECORD.items()}}
    tensors = {"id": "42", "inputs": [_tensor_example(name, value) for name, value in ON_TIME_RECORD.items()]}
    live, ready = object_of({"live": _BOOLEAN}), object_of({"live": _BOOLEAN, "ready": _BOOLEAN})
    server = object_of({"name": TEXT, "version": TEXT, "extensions": {"type": "array", "items": TEXT}})
    return {
        "/invocations": _predict("invocations", "MLflow", "Predictions", "InputsRequest", columns, "MlflowError", 501),
        "/ping": _read("ping", "MLflow: whether a verified model is loaded", {"type": "object"}, "MlflowError"),
        "/v1/models": _read("v1_models", "KServe V1: the models' names", object_of({"models": array_of(TEXT)})),
        "/v1/models/{name}": _read("v1_ready", "KServe V1: whether the model is ready", ref("ModelReady")),
        "/v1/models/{name}:predict": _predict(
            "v1_predict", "KServe V1", "Predictions", "InputsRequest", records, "ProtocolError", 404, 501
        ),
        "/v2": _read("v2", "Open Inference Protocol: the server", server),
        "/v2/health/live": _read("v2_live", "Open Inference Protocol: whether the process answers", live),
        "/v2/health/ready": _read("v2_ready", "Open Inference Protocol: whether a verified model is loaded", ready),
        "/v2/models/{name}": _read("v2_model", "Open Inference Protocol: the model's tensors", ref("ModelMetadata")),
        "/v2/models/{name}/ready": _read(
            "v2_model_ready", "Open Inference Protocol: whether the model is ready", ref("ModelReady")
        ),
        "/v2/models/{name}/infer": _predict(
            "v2_infer", "Open Inference Protocol", "InferResponse", "InferRequest", tensors, "ProtocolError", 404
        ),
    }


def protocol_schemas() -> dict[str, Any]:
    """Return the schemas of the other protocols by name."""
    inputs = {
        "oneOf": [
            array_of(ref("Record"), maxItems=MAX_RECORDS),
            object_of({name: {"type": "array"} for name in (*FIELD_NAMES, LOAN_ID)}, FIELD_NAMES),
        ]
    }
    datatypes = {field.name: _datatypes(field.name) for field in FIELDS} | {LOAN_ID: ["BYTES"]}
    shape = {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "integer"}}
    tensor = {
        "type": "object",
        "properties": {"name": TEXT, "shape": shape, "data": {"type": "array"}},
        "required": ["name", "datatype", "shape", "data"],
        "oneOf": [
            {"properties": {"name": {"const": name}, "datatype": {"enum": allowed}}}
            for name, allowed in datatypes.items()
        ],
    }
    request = {
        "id": {"type": ["string", "null"]},
        "parameters": {"type": ["object", "null"], "description": "For extensions; ignored."},
        "inputs": {"type": "array", "minItems": 1, "items": tensor},
        "outputs": {"type": ["array", "null"], "items": {"properties": {"name": {"enum": list(OUTPUTS)}}}},
    }
    output = object_of({"name": {"enum": list(OUTPUTS)}, "datatype": TEXT, "shape": shape, "data": {"type": "array"}})
    response = {"model_name": TEXT, "model_version": TEXT, "id": TEXT, "parameters": {"type": "object"}}
    metadata = array_of(object_of({"name": TEXT, "datatype": TEXT, "shape": shape}))
    return {
        "InputsRequest": {"anyOf": [ref("PredictRequest"), {"properties": {"inputs": inputs}, "required": ["inputs"]}]},
        "Predictions": object_of({"predictions": array_of(ref("Prediction"))}),
        # Further members are ignored.
        "InferRequest": {"type": "object", "properties": request, "required": ["inputs"]},
        "InferResponse": object_of({**response, "outputs": array_of(output)}),
        "ModelReady": object_of({"name": TEXT, "ready": _BOOLEAN}),
        "ModelMetadata": object_of({"name": TEXT, "platform": TEXT, "inputs": metadata, "outputs": metadata}),
        "ProtocolError": object_of({"error": TEXT}),
        "MlflowError": object_of({"error_code": TEXT, "message": TEXT}),
    }


def _predict(
    operation_id: str, protocol: str, answer: str, request: str, example: object, error: str, *statuses: int
) -> dict[str, Any]:
    answered = answer_of("The predictions, in the order of the records", ref(answer), MODEL_HEADERS)
    predict = operation(
        operation_id, f"{protocol}: predict lateness", answered, *_ERRORS, *statuses, error_schema=error
    )
    content = {"schema": ref(request), "example": example}
    named = {"parameters": [MODEL_NAME]} if 404 in statuses else {}
    body = {"requestBody": {"required": True, "content": {"application/json": content}}}
    return {"post": {**predict, **named, **body}}


def _read(operation_id: str, summary: str, schema: dict[str, Any], error: str = "ProtocolError") -> dict[str, Any]:
    named = {"parameters": [MODEL_NAME]} if schema in (ref("ModelReady"), ref("ModelMetadata")) else {}
    statuses = (404, 503) if named else (503,)
    read = operation(operation_id, summary, answer_of(summary, schema), *statuses, error_schema=error)
    return {"get": {**read, **named}}


def _tensor_example(name: str, value: object) -> dict[str, Any]:
    return {"name": name, "datatype": _datatypes(name)[0], "shape": [1], "data": [value]}


def _datatypes(name: str) -> list[str]:
    is_number = any(field.name == name and field.type == "number" for field in FIELDS)
    return list(NUMBER_DATATYPES) if is_number else ["BYTES"]
