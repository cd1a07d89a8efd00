"""The operations of API Gateway v2 that read an API and its stages, and the addresses that APIs have here. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from emulator.lambda_service.errors import LambdaApiError
from emulator.template.http_api_spec import HttpApi, HttpStage

_ADDRESS = re.compile(r"(https://)?\b([A-Za-z0-9-]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com")
IMITATED = ("GetApis", "GetApi", "GetStages", "GetStage")


class LocalUrls:
    """The HTTP APIs' addresses, by their ids; ``urls`` returns them, since they are known only once all ports are."""

    def __init__(self, urls: Callable[[], Mapping[str, str]]) -> None:
        self._urls = urls

    def of(self, api_id: str) -> str | None:
        """Return an API's address without a path, or None if it isn't served."""
        return self._urls().get(api_id)

    def localised(self, text: str) -> str:
        """Return a text, such as an output's value, with each served API's address on AWS replaced."""
        return _ADDRESS.sub(self._replacement, text)

    def _replacement(self, match: re.Match[str]) -> str:
        scheme, api_id = match.groups()
        url = self.of(api_id)
        if url is None:
            return match[0]
        return url if scheme else url.partition("://")[2]


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
