"""Lambda's operations as botocore's model of the service describes them. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

INVOKE = "Invoke"
CREATE = "CreateFunction"
UPDATE_CODE = "UpdateFunctionCode"
WITH_CODE = frozenset({CREATE, UPDATE_CODE})
# The model says 200; the service answers without a body.
_STATUS_OVER_MODEL = {"DeleteFunction": 204}
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def find_operation(method: str, path: str, query: Mapping[str, Sequence[str]]) -> tuple[Any, dict[str, str]] | None:
    """Return botocore's ``OperationModel`` of a request, and the decoded parameters of its path; None if unknown."""
    segments = path.strip("/").split("/")
    for pattern, required, operation in operations_by_form().get((method, len(segments)), ()):
        if all(value in query.get(name, ()) for name, value in required.items()):
            parameters = _match(pattern, segments)
            if parameters is not None:
                return operation, parameters
    return None


def status(operation: Any) -> int:
    """Return the HTTP status of an operation's answer if it isn't an error."""
    return _STATUS_OVER_MODEL.get(operation.name, int(operation.http.get("responseCode", 200)))


def snake_case(name: str) -> str:
    """Return ``max_items`` for ``MaxItems``, ``code_sha256`` for ``CodeSha256``."""
    return _WORD_START.sub("_", name).lower()


def message_member(code: str) -> str:
    """Return the member of an error that has its message: ``message``, or ``Message`` in some of the model's errors."""
    shape = next((shape for shape in _model().error_shapes if shape.name == code), None)
    return "Message" if shape is not None and "Message" in shape.members else "message"


@cache
def operations_by_form() -> Mapping[tuple[str, int], list[tuple[list[str], dict[str, str], Any]]]:
    """Return path, query and model of each operation by method and number of segments: a tenth of a second, once."""
    model = _model()
    operations = defaultdict(list)
    for operation in map(model.operation_model, model.operation_names):
        path, _, query = operation.http["requestUri"].partition("?")
        segments = path.strip("/").split("/")
        operations[operation.http["method"], len(segments)].append((segments, dict(parse_qsl(query)), operation))
    for alternatives in operations.values():
        # Operations with a query come first, so that they aren't taken for those without.
        alternatives.sort(key=lambda alternative: not alternative[1])
    return operations


@cache
def _model() -> Any:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model("lambda", "service-2"))


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    parameters = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            parameters[expected.strip("{}")] = unquote(segment)
        elif expected != segment:
            return None
    return parameters
