"""The operations of API Gateway v2 that read an API and its stages. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from emulator.lambda_service.errors import LambdaApiError
from emulator.stack_api.local_urls import LocalUrls
from emulator.template.http_api_spec import HttpApi, HttpStage

IMITATED = ("GetApis", "GetApi", "GetStages", "GetStage")


class HttpApiOperations:
    """The operations on a template's HTTP APIs that are served here, which were created at the start."""

    def __init__(self, apis: Sequence[HttpApi], urls: LocalUrls, created: dt.datetime) -> None:
        self._apis = {api.logical_id: api for api in apis}
        self._urls = urls
        self._created = f"{created:%Y-%m-%dT%H:%M:%SZ}"

    def answer(self, operation: str) -> Mapping[str, Any] | None:
        """Return the answer to ``GET /v2/apis…``; None if this isn't imitated, and an error if it doesn't exist."""
        method, _, path = operation.partition(" ")
        match method, *map(unquote, path.strip("/").split("/")):
            case "GET", "v2", "apis":
                return {"items": [self._api(api) for api in self._apis.values()]}
            case "GET", "v2", "apis", api_id:
                return self._api(self._found(api_id))
            case "GET", "v2", "apis", api_id, "stages":
                return {"items": [self._stage(stage) for stage in self._found(api_id).stages]}
            case "GET", "v2", "apis", api_id, "stages", name:
                for stage in self._found(api_id).stages:
                    if stage.name == name:
                        return self._stage(stage)
                raise _not_found(f"Unable to find Stage by name {name} within the provided RestApi")
            # Fidelity: an account without REST APIs, since those of the template aren't served.
            case "GET", "restapis":
                return {"item": []}
            case "GET", "restapis", api_id, *_:
                raise _not_found(f"Invalid API identifier specified {api_id}: the emulator serves no REST APIs")
            case _:
                return None

    def _found(self, api_id: str) -> HttpApi:
        if api_id not in self._apis:
            raise _not_found(f"Invalid API identifier specified {api_id}: the emulator serves no such HTTP API")
        return self._apis[api_id]

    def _api(self, api: HttpApi) -> dict[str, Any]:
        return {
            "apiId": api.logical_id,
            "name": api.logical_id,
            "protocolType": "HTTP",
            "apiEndpoint": self._urls.of(api.logical_id),
            "routeSelectionExpression": "$request.method $request.path",
            "apiKeySelectionExpression": "$request.header.x-api-key",
            "disableExecuteApiEndpoint": False,
            "createdDate": self._created,
            "tags": {},
        }

    def _stage(self, stage: HttpStage) -> dict[str, Any]:
        return {
            "stageName": stage.name,
            "autoDeploy": True,
            "createdDate": self._created,
            "stageVariables": {},
            "tags": {},
        }


def _not_found(message: str) -> LambdaApiError:
    return LambdaApiError("NotFoundException", 404, message)
