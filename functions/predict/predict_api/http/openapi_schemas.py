"""The JSON Schemas of the OpenAPI document: of requests, of answers and of problems."""

from __future__ import annotations

from typing import Any

from model_artifact.schema import FIELDS, LOAN_ID, MAX_LOAN_ID_LENGTH, MAX_TEXT_LENGTH, Field
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

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_COUNT = {"type": "integer", "minimum": 0}


def schemas() -> dict[str, Any]:
    """Return the document's JSON Schemas by name."""
    return {**_request_schemas(), **_answer_schemas(), **_document_schemas()}


def _request_schemas() -> dict[str, Any]:
    fields = {field.name: _field_schema(field) for field in FIELDS}
    fields[LOAN_ID] = {
        "type": ["string", "null"],
        "minLength": 1,
        "maxLength": MAX_LOAN_ID_LENGTH,
        "description": "Echoed, and decides the version while two share the traffic.",
    }
    companions = {
        "id": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": envelopes.MAX_ID_LENGTH,
            "description": "Echoed.",
        },
        "parameters": {
            **_with_nulls(_object({"explain": {"type": ["boolean", "null"], "default": False}}, required=())),
            "type": ["object", "null"],
        },
    }
    required = [field.name for field in FIELDS]
    records = {
        "type": "array",
        "minItems": 1,
        "maxItems": envelopes.MAX_RECORDS,
        "items": {"$ref": "#/components/schemas/Record"},
    }
    bodies = {
        "BareRecord": _object({**fields, **companions}, required),
        "Instances": _with_nulls(_object({"instances": records, **companions}, ["instances"])),
        "DataframeRecords": _with_nulls(_object({"dataframe_records": records, **companions}, ["dataframe_records"])),
        "DataframeSplit": _with_nulls(_object({"dataframe_split": _split_schema(), **companions}, ["dataframe_split"])),
    }
    one_of = [{"$ref": f"#/components/schemas/{name}"} for name in bodies]
    return {"PredictRequest": {"oneOf": one_of}, **bodies, "Record": _object(fields, required)}


def _field_schema(field: Field) -> dict[str, Any]:
    document: dict[str, Any] = {"description": field.description}
    if field.type == "number":
        document |= {"type": "number", "minimum": field.hard_min, "maximum": field.hard_max}
        if field.whole:
            document["multipleOf"] = 1
    else:
        document |= {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH}
    if field.unit is not None:
        document["description"] += f" Unit: {field.unit}."
    if field.nullable:
        document["type"] = [document["type"], "null"]
    return document


def _split_schema() -> dict[str, Any]:
    names = [field.name for field in FIELDS]
    columns = {
        "type": "array",
        "uniqueItems": True,
        "items": {"enum": [*names, LOAN_ID]},
        "allOf": [{"contains": {"const": name}} for name in names],
    }
    cell = {"type": ["number", "string", "null"]}
    rows = {
        "type": "array",
        "minItems": 1,
        "maxItems": envelopes.MAX_RECORDS,
        "items": {"type": "array", "items": cell},
    }
    members = {"columns": columns, "data": rows, "index": {"type": ["array", "null"]}}
    return _with_nulls(_object(members, ["columns", "data"]))


def _answer_schemas() -> dict[str, Any]:
    model = {"name": _TEXT, "version": {"type": "integer", "minimum": 1}, "alias": _TEXT, "sha256": _sha256()}
    warning = {"code": {"enum": ["unseen_category", "out_of_training_range"]}, "pointer": _TEXT}
    prediction = {
        "index": _COUNT,
        "loan_id": _TEXT,
        "late_probability": {"type": "number", "minimum": 0, "maximum": 1},
        "is_late": {"type": "boolean", "description": "Whether the probability reaches the threshold."},
        "threshold": {"type": "number", "minimum": 0, "maximum": 1},
        "reasons": {
            "type": "array",
            "maxItems": 4,
            "description": "Only where parameters.explain is true: what raises the probability, the weightiest first.",
            "items": {"$ref": "#/components/schemas/Reason"},
        },
        "warnings": {"type": "array", "items": {"$ref": "#/components/schemas/Warning"}},
    }
    response = {
        "id": _TEXT,
        "model": {"$ref": "#/components/schemas/Model"},
        "predictions": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Prediction"}},
    }
    reason = {
        "code": _TEXT,
        "feature": _TEXT,
        "effect": {"type": "number", "description": "By how much it raises the probability."},
        "text": _TEXT,
        "is_lender_pricing": {"type": "boolean", "description": "Whether it is the lender's own rate and grade."},
    }
    violation = {"pointer": _TEXT, "code": _TEXT, "detail": _TEXT}
    problem = {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "instance": {"type": "string", "description": "The request id."},
        "max_records": {"type": "integer", "minimum": 1, "description": "How many records would fit (413)."},
        "errors": {"type": "array", "items": _object(violation)},
    }
    return {
        "PredictResponse": _object(response),
        "Model": _object(model),
        "Prediction": _object(prediction, required=[name for name in prediction if name not in (LOAN_ID, "reasons")]),
        "Reason": _object(reason),
        "Warning": _object(warning),
        "Problem": _object(problem, required=[name for name in problem if name not in ("errors", "max_records")]),
    }


def _document_schemas() -> dict[str, Any]:
    alias = {"name": _TEXT, "revision": _COUNT, "updated_at": _TEXT}
    version = {
        "version": {"type": "integer", "minimum": 1},
        "weight": {"type": "number", "minimum": 0, "maximum": 1, "description": "Its share of the requests."},
        "form": _TEXT,
        "sha256": _sha256(),
        "threshold": _object({"value": _NUMBER, "how": _TEXT}),
        "classes": {"type": "array", "items": {"type": "integer"}},
        "metrics": {"type": "object"},
        "environment": {"type": "object", "additionalProperties": _TEXT},
        "git_commit": {"type": ["string", "null"]},
        "created_at": _TEXT,
        "description": _TEXT,
    }
    description = {
        "name": _TEXT,
        "alias": _object(alias),
        "versions": {"type": "array", "minItems": 1, "items": _object(version)},
        "schema": {"type": "array", "items": {"type": "object"}, "description": "The main version's columns."},
    }
    models = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Model"}}
    return {
        "Liveness": _object({"status": {"const": "alive"}}),
        "Readiness": _object({"status": {"const": "ready"}, "models": models}),
        "ModelDescription": _object(description),
    }


def _object(properties: dict[str, Any], required: Any = None) -> dict[str, Any]:
    """Return the schema of an object that may have only these members; ``required`` says which it must have (all)."""
    document: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    names = list(properties if required is None else required)
    return {**document, "required": names} if names else document


def _with_nulls(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with further members allowed that are null, since those count as absent."""
    return {**schema, "additionalProperties": {"type": "null"}}


def _sha256() -> dict[str, Any]:
    return {"type": "string", "pattern": "^[0-9a-f]{64}$"}
