"""Lambda's operations as botocore's model of the service describes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

INVOKE = "Invoke"
UPDATE_CODE = "UpdateFunctionCode"
# The model says 200; the service answers without a body.
_STATUS_OVER_MODEL = {"DeleteFunction": 204}
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the service.

    Parameters
    ----------
    name : str
        AWS's name.
    method : str
        A verb in capitals.
    segments : tuple of str
        Of the path; one in braces is a parameter.
    query : mapping
        Values in the query that tell this operation from others of the same path.
    status : int
        Of an answer that isn't an error.
    input_shape : botocore.model.StructureShape or None
        Its parameters.
    """

    name: str
    method: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    status: int
    input_shape: Any


class OperationTable:
    """Finds the operation that a request means.

    Parameters
    ----------
    operations : iterable of Operation
        All of the service's.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._by_form: dict[tuple[str, int], list[Operation]] = {}
        # Operations with a query come first, so that they aren't taken for those without.
        for operation in sorted(operations, key=lambda operation: not operation.query):
            self._by_form.setdefault((operation.method, len(operation.segments)), []).append(operation)

    def find(self, method: str, path: str, query: Mapping[str, str]) -> tuple[Operation, dict[str, str]] | None:
        """Return the operation and the decoded parameters of its path; None for an unknown one."""
        segments = path.strip("/").split("/")
        for operation in self._by_form.get((method, len(segments)), ()):
            if all(query.get(name) == value for name, value in operation.query.items()):
                parameters = _match(operation.segments, segments)
                if parameters is not None:
                    return operation, parameters
        return None


@cache
def lambda_operations() -> OperationTable:
    """Return the operations of Lambda, from botocore's model of it: a tenth of a second, once."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    model = ServiceModel(Loader().load_service_model("lambda", "service-2"))
    return OperationTable(_from_model(model.operation_model(name)) for name in model.operation_names)


def snake_case(name: str) -> str:
    """Return ``max_items`` for ``MaxItems``, ``code_sha256`` for ``CodeSha256``."""
    return _WORD_START.sub("_", name).lower()


def _from_model(model: Any) -> Operation:
    path, _, query = model.http["requestUri"].partition("?")
    status = _STATUS_OVER_MODEL.get(model.name, int(model.http.get("responseCode", 200)))
    segments = tuple(path.strip("/").split("/"))
    return Operation(model.name, model.http["method"], segments, dict(parse_qsl(query)), status, model.input_shape)


def _match(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    parameters = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            parameters[expected.strip("{}")] = unquote(segment)
        elif expected != segment:
            return None
    return parameters
