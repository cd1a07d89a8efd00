"""The JSON Schemas of the OpenAPI document: of requests, of answers and of problems."""

from __future__ import annotations

from typing import Any

from model_artifact.schema import FIELD_NAMES, FIELDS, LOAN_ID, MAX_LOAN_ID_LENGTH, MAX_TEXT_LENGTH, Field
from predict_api.records import envelopes

# Made up, not taken from any data.
ON_TIME_RECORD: dict[str, Any] = {
    "loan_amnt": 6000,
    "int_rate": 0.0667,
    "purpose": "credit_card",
    "grade": "A",
    "annual_inc": 150000,
    "revol_util": 0.12,
    "emp_length": "10+ years",
    "dti": 6.2,
    "delinq_2yrs": 0,
    "home_ownership": "MORTGAGE",
}

TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_COUNT = {"type": "integer", "minimum": 0}
_VERSION = {"type": "integer", "minimum": 1}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_BOOLEAN = {"type": "boolean"}
_SHA256 = {**TEXT, "pattern": "^[0-9a-f]{64}$"}


def schemas() -> dict[str, Any]:
    """Return the document's JSON Schemas by name."""
    return {**_request_schemas(), **_prediction_schemas(), **_document_schemas()}


def ref(name: str) -> dict[str, Any]:
    """Return a reference to one of ``schemas``."""
    return {"$ref": f"#/components/schemas/{name}"}


def _request_schemas() -> dict[str, Any]:
    fields = {field.name: _field_schema(field) for field in FIELDS}
    fields[LOAN_ID] = {
        **_text(MAX_LOAN_ID_LENGTH, "Echoed, and decides the version while two share the traffic."),
        "type": ["string", "null"],
    }
    explain = {"type": ["boolean", "null"], "default": False}
    companions = {
        "id": {**_text(envelopes.MAX_ID_LENGTH, "Echoed."), "type": ["string", "null"]},
        "parameters": {**_with_nulls({"explain": explain}), "type": ["object", "null"]},
    }
    records = array_of(ref("Record"), maxItems=envelopes.MAX_RECORDS)
    contents = {
        "Instances": ("instances", records),
        "DataframeRecords": ("dataframe_records", records),
        "DataframeSplit": ("dataframe_split", _split_schema()),
    }
    bodies = {
        "BareRecord": object_of({**fields, **companions}, FIELD_NAMES),
        **{name: _with_nulls({member: of, **companions}, [member]) for name, (member, of) in contents.items()},
    }
    return {
        "PredictRequest": {"oneOf": [ref(name) for name in bodies]},
        **bodies,
        "Record": object_of(fields, FIELD_NAMES),
    }


def _field_schema(field: Field) -> dict[str, Any]:
    description = field.description if field.unit is None else f"{field.description} Unit: {field.unit}."
    document = _text(MAX_TEXT_LENGTH, description)
    if field.type == "number":
        document = _described(_NUMBER, description) | {"minimum": field.hard_min, "maximum": field.hard_max}
        if field.whole:
            document["multipleOf"] = 1
    return {**document, "type": [document["type"], "null"]} if field.nullable else document


def _split_schema() -> dict[str, Any]:
    columns = {
        "type": "array",
        "uniqueItems": True,
        "items": {"enum": [*FIELD_NAMES, LOAN_ID]},
        "allOf": [{"contains": {"const": name}} for name in FIELD_NAMES],
    }
    row = {"type": "array", "items": {"type": ["number", "string", "null"]}}
    rows = array_of(row, maxItems=envelopes.MAX_RECORDS)
    return _with_nulls({"columns": columns, "data": rows, "index": {"type": ["array", "null"]}}, ["columns", "data"])


def _prediction_schemas() -> dict[str, Any]:
    prediction = {
        "index": _COUNT,
        LOAN_ID: TEXT,
        "late_probability": _SHARE,
        "is_late": _described(_BOOLEAN, "Whether the probability reaches the threshold."),
        "threshold": _SHARE,
        "reasons": {
            "type": "array",
            "maxItems": 4,
            "description": "Only where parameters.explain is true: what raises the probability, the weightiest first.",
            "items": ref("Reason"),
        },
        "warnings": {"type": "array", "items": ref("Warning")},
    }
    reason = {
        "code": TEXT,
        "feature": TEXT,
        "effect": _described(_NUMBER, "By how much it raises the probability."),
        "text": _described(TEXT, "The code in words: the publisher's own, where the version has them."),
        "is_lender_pricing": _described(_BOOLEAN, "Whether it is the lender's own rate and grade."),
    }
    return {
        "PredictResponse": object_of({"id": TEXT, "model": ref("Model"), "predictions": array_of(ref("Prediction"))}),
        "Model": object_of({"name": TEXT, "version": _VERSION, "alias": TEXT, "sha256": _SHA256}),
        "Prediction": object_of(prediction, [name for name in prediction if name not in (LOAN_ID, "reasons")]),
        "Reason": object_of(reason),
        "Warning": object_of({"code": {"enum": ["unseen_category", "out_of_training_range"]}, "pointer": TEXT}),
    }


def _document_schemas() -> dict[str, Any]:
    problem = {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "instance": _described(TEXT, "The request id."),
        "max_records": _described(_VERSION, "How many records would fit (413)."),
        "errors": {"type": "array", "items": object_of({"pointer": TEXT, "code": TEXT, "detail": TEXT})},
    }
    version = {
        "version": _VERSION,
        "weight": _described(_SHARE, "Its share of the requests."),
        "form": TEXT,
        "why_no_serving_form": _described(
            {"type": ["string", "null"]}, "Why it is served from its pickle; null where it is served from arrays."
        ),
        "sha256": _SHA256,
        "threshold": object_of({"value": _NUMBER, "how": TEXT}),
        "classes": {"type": "array", "items": {"type": "integer"}},
        "metrics": {"type": "object"},
        "environment": {"type": "object", "additionalProperties": TEXT},
        "git_commit": {"type": ["string", "null"]},
        "created_at": TEXT,
        "description": TEXT,
    }
    description = {
        "name": TEXT,
        "alias": object_of({"name": TEXT, "revision": _COUNT, "updated_at": TEXT}),
        "versions": array_of(object_of(version)),
        "schema": {"type": "array", "items": {"type": "object"}, "description": "The main version's columns."},
    }
    return {
        "Problem": object_of(problem, [name for name in problem if name not in ("errors", "max_records")]),
        "Liveness": object_of({"status": {"const": "alive"}}),
        "Readiness": object_of({"status": {"const": "ready"}, "models": array_of(ref("Model"))}),
        "ModelDescription": object_of(description),
    }


def object_of(properties: dict[str, Any], required: Any = None) -> dict[str, Any]:
    """Return the schema of an object that may have only these members; ``required`` says which it must have (all)."""
    document: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    names = list(properties if required is None else required)
    return {**document, "required": names} if names else document


def _with_nulls(properties: dict[str, Any], required: Any = ()) -> dict[str, Any]:
    """Return the same, with further members allowed that are null, since those count as absent."""
    return {**object_of(properties, required), "additionalProperties": {"type": "null"}}


def array_of(items: dict[str, Any], **limits: int) -> dict[str, Any]:
    """Return the schema of an array that isn't empty."""
    return {"type": "array", "minItems": 1, **limits, "items": items}


def _text(max_length: int, description: str) -> dict[str, Any]:
    return {**TEXT, "minLength": 1, "maxLength": max_length, "description": description}


def _described(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description}
