"""The Open Inference Protocol (KServe's V2): named tensors, one for each column, as JSON.

Source: specification/protocol/inference_rest.md of kserve/open-inference-protocol. Its extension for binary tensors
isn't taken. A request's ``parameters`` are for extensions, and are ignored, as are further members: KServe's client
sends the model's name in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_artifact.schema import FIELDS, LOAN_ID
from predict_api.http.errors import MalformedRequestError, Violation
from predict_api.http.exchange import Exchange
from predict_api.http.protocols import Document, Protocol, read_model_ready, write_error
from predict_api.records.columns import Column, open_columns
from predict_api.records.envelopes import Envelope, read_id
from predict_api.records.violations import invalid_request
from predict_api.service import PredictionService

_TEXT = "BYTES"
NUMBER_DATATYPES = ("FP64", "FP32", "FP16", *(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)))
_NUMBER_NAMES = frozenset(field.name for field in FIELDS if field.type == "number")
_NULLABLE = tuple(field.name for field in FIELDS if field.nullable)
OUTPUTS = {"late_probability": "FP64", "is_late": "BOOL", "warnings": _TEXT}
_FORM = (
    'Send a tensor for each column: {"inputs": [{"name": "dti", "datatype": "FP64", "shape": [1], "data": [9.5]}, …]}.'
)


def _open_request(document: Document, field_names: Sequence[str]) -> Envelope:
    if document.get("inputs") is None:
        raise MalformedRequestError(f"The body has no inputs. {_FORM} Records go to /predict.")
    _check_outputs(document.get("outputs"))
    inputs = document["inputs"]
    if not isinstance(inputs, list) or not inputs:
        raise invalid_request(Violation("/inputs", "wrong_type", f"Must be an array of tensors. {_FORM}"))
    columns = [_read_tensor(tensor, f"/inputs/{position}") for position, tensor in enumerate(inputs)]
    records, pointers = open_columns(columns, field_names, "/inputs", _NULLABLE)
    return Envelope(records, pointers, read_id(document), wants_reasons=False)


def _read_tensor(tensor: object, pointer: str) -> Column:
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise invalid_request(Violation(pointer, "wrong_type", f"Must be a tensor with a name. {_FORM}"))
    name, data, shape = tensor["name"], tensor.get("data"), tensor.get("shape")
    allowed = NUMBER_DATATYPES if name in _NUMBER_NAMES else (_TEXT,)
    if tensor.get("datatype") not in allowed:
        detail = f"Must be {' or '.join(allowed[:2])} for {name!r}." if name in _NUMBER_NAMES else "Must be BYTES."
        raise invalid_request(Violation(f"{pointer}/datatype", "wrong_type", detail))
    if not isinstance(data, list):
        detail = "Must be an array of values. Clients that send binary tensors have an option for JSON."
        raise invalid_request(Violation(f"{pointer}/data", "wrong_type", detail))
    if shape not in ([len(data)], [len(data), 1]):
        detail = f"Must be [n] or [n, 1]; the data have {len(data)} values."
        raise invalid_request(Violation(f"{pointer}/shape", "wrong_length", detail))
    if all(isinstance(row, list) and len(row) == 1 for row in data):
        data = [row[0] for row in data]
    if name in (*_NULLABLE, LOAN_ID) and allowed == (_TEXT,):
        # Clients of this protocol can't write null among texts, and write an empty one.
        data = [None if text == "" else text for text in data]
    return Column(name, data, pointer, f"{pointer}/data")


def _check_outputs(outputs: object) -> None:
    if outputs is None:
        return
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise invalid_request(Violation("/outputs", "wrong_type", "Must be an array of objects with a name."))
    for position, output in enumerate(outputs):
        if output.get("name") not in tuple(OUTPUTS):
            detail = f"Must be one of {', '.join(OUTPUTS)}."
            raise invalid_request(Violation(f"/outputs/{position}/name", "unknown_field", detail))


def _write_answer(answer: Document, document: Document) -> Document:
    predictions = answer["predictions"]
    data: Mapping[str, list[Any]] = {
        "late_probability": [prediction["late_probability"] for prediction in predictions],
        "is_late": [prediction["is_late"] for prediction in predictions],
        "warnings": [_warnings(prediction, document["inputs"]) for prediction in predictions],
    }
    names = [output["name"] for output in document.get("outputs") or []] or list(OUTPUTS)
    return {
        "model_name": answer["model"]["name"],
        "model_version": str(answer["model"]["version"]),
        "id": answer["id"],
        "parameters": {"threshold": predictions[0]["threshold"]},
        "outputs": [
            {"name": name, "datatype": OUTPUTS[name], "shape": [len(predictions)], "data": data[name]} for name in names
        ],
    }


def _warnings(prediction: Document, inputs: Sequence[Document]) -> str:
    """Return the warnings of one record as a text, such as ``purpose:unseen_category``."""
    # A pointer is /inputs/TENSOR/data/ROW.
    places = ((warning["code"], int(warning["pointer"].split("/")[2])) for warning in prediction["warnings"])
    return " ".join(f"{inputs[position]['name']}:{code}" for code, position in places)


def _read_ready(service: PredictionService, exchange: Exchange) -> dict[str, Any]:
    # The specification answers "live" here, and KServe's own client looks for "ready".
    service.check_ready(exchange)
    return {"live": True, "ready": True}


def _read_model(service: PredictionService, exchange: Exchange) -> dict[str, Any]:
    form = service.describe(service.model, exchange)["versions"][0]["form"]
    inputs = _tensors({field.name: _TEXT if field.type == "category" else "FP64" for field in FIELDS})
    return {"name": service.model, "platform": f"sklearn_{form}", "inputs": inputs, "outputs": _tensors(OUTPUTS)}


def _tensors(datatypes: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in datatypes.items()]


OPEN_INFERENCE = Protocol(
    "/v2/models/{name}/infer",
    _open_request,
    _write_answer,
    write_error,
    {
        "/v2": lambda _service, _exchange: {"name": "peerloan", "version": "1", "extensions": []},
        "/v2/health/live": lambda _service, _exchange: {"live": True},
        "/v2/health/ready": _read_ready,
        "/v2/models/{name}": _read_model,
        "/v2/models/{name}/ready": read_model_ready,
    },
    takes_no_content_type=True,
)
