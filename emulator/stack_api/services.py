"""Answers what arrives at Lambda's port for another of AWS's services: imitated operations, and "not imitated"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from emulator.lambda_service.control_api.answers import ApiAnswer
from emulator.lambda_service.errors import LambdaApiError
from emulator.stack_api import http_apis, wire
from emulator.stack_api.http_apis import HttpApiOperations
from emulator.stack_api.wire import Call, Protocol

Operation = Callable[[Mapping[str, Any]], Mapping[str, Any]]
# What names a service: its signing name, the prefix of its targets, or the version of its query API.
CLOUDFORMATION = ("cloudformation", "2010-05-15")
LOGS = ("logs", "Logs_20140328")
_STS = ("sts", "2011-06-15")
_IAM = ("iam", "2010-05-08")
_CLOUD_CONTROL = ("cloudcontrolapi", "CloudApiService")
# Read without a signature, too; any other unsigned path is taken for Lambda's.
_API_PATHS = ("/v2/apis", "/restapis")
_log = logging.getLogger(__name__)
_REST = (Protocol.REST_JSON, Protocol.REST_XML)


class AwsServices:
    """The services beside Lambda.

    Parameters
    ----------
    tables : mapping
        The names of a service → its imitated operations.
    apis : HttpApiOperations
        API Gateway's.
    account_id : str
        The account, for those who ask who they are.
    """

    def __init__(
        self, tables: Mapping[tuple[str, ...], Mapping[str, Operation]], apis: HttpApiOperations, account_id: str
    ) -> None:
        self._apis = apis
        identity = {"UserId": account_id, "Account": account_id, "Arn": f"arn:aws:iam::{account_id}:root"}
        every: dict[tuple[str, ...], Mapping[str, Operation]] = {
            _STS: {"GetCallerIdentity": lambda _: identity},
            # SAM CLI looks up the ARNs of managed policies by their names.
            _IAM: {"ListPolicies": lambda _: {"Policies": [], "IsTruncated": False}},
            # SAM CLI asks here for the URLs of functions.
            _CLOUD_CONTROL: {"GetResource": _no_resource},
            **tables,
        }
        self._tables = {name: table for names, table in every.items() for name in names}

    async def answer(
        self, method: str, raw_path: str, headers: Mapping[str, str], body: bytes, request_id: str
    ) -> ApiAnswer | None:
        """Return the answer to a request of which Lambda has no operation; None if it is meant for Lambda."""
        call = wire.read_call(method, raw_path, headers, body)
        if call.service == "lambda" or (call.service is None and not call.path.startswith(_API_PATHS)):
            return None
        try:
            return wire.answered(call, await self._document(call), request_id)
        except LambdaApiError as error:
            return wire.refused(call, error, request_id)
        except Exception:  # noqa: BLE001 - any failure is answered in the call's own protocol
            _log.exception("%s failed", call.operation)
            failure = LambdaApiError("InternalFailure", 500, "The emulator has failed; its log says how.")
            return wire.refused(call, failure, request_id)

    async def _document(self, call: Call) -> Mapping[str, Any]:
        if call.protocol in _REST:
            document = self._apis.answer(call.operation) if call.protocol is Protocol.REST_JSON else None
            if document is None:
                raise wire.not_imitated(call, http_apis.IMITATED if call.service == "apigateway" else ())
            return document
        table = self._table(call)
        operation = table.get(call.operation)
        if operation is None or call.protocol is Protocol.CBOR:
            raise wire.not_imitated(call, table)
        # In a thread: some read files.
        return await asyncio.to_thread(operation, call.parameters)

    def _table(self, call: Call) -> Mapping[str, Operation]:
        """Return a service's operations; the signature names the service, or else the request itself."""
        names: Collection[str | None] = (call.service, call.path, call.parameters.get("Version"))
        return next((self._tables[name] for name in names if isinstance(name, str) and name in self._tables), {})


def _no_resource(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    name, kind = parameters.get("Identifier"), parameters.get("TypeName")
    raise LambdaApiError("ResourceNotFoundException", 400, f"The emulator has no {kind} of {name}")
