"""The API's HTTP client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import requests

from peerloan.access import Access
from peerloan.errors import ServiceError

_TIMEOUT_S = (5.0, 35.0)


class ApiClient:
    """A connection to a deployed or local API at an address without a path. ``access`` authenticates its requests."""

    def __init__(self, url: str, access: Access | None = None) -> None:
        self.url = url.rstrip("/")
        self._access = access
        self._session = requests.Session()

    def send(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """Send a request and return the JSON document of its answer.

        Raises
        ------
        ServiceError
            If the API can't be reached, or its status isn't 2xx. The message has the problem's details.
        """
        try:
            answer = self._session.request(
                method,
                self.url + path,
                data=body,
                headers=dict(headers or {}),
                auth=self._authenticate,
                timeout=_TIMEOUT_S,
            )
        except requests.RequestException as error:
            raise ServiceError(
                f"Nothing answers at {self.url} ({type(error).__name__}). Is it running? "
                "The local stack starts with: make run"
            ) from error
        try:
            document = answer.json()
        except ValueError:
            document = {"title": answer.text[:200]}
        if not answer.ok:
            raise ServiceError(_explain(answer.status_code, document))
        return document

    def _authenticate(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # The request as it is sent: a signature is of its very address and body.
        if self._access is not None:
            body = request.body.encode() if isinstance(request.body, str) else request.body
            request.headers.update(self._access.headers(str(request.method), str(request.url), body))
        return request

    def predict(self, document: object) -> Any:
        """POST a JSON document to /predict and return the answer."""
        return self.send("POST", "/predict", json_bytes(document), {"Content-Type": "application/json"})


def json_bytes(document: object) -> bytes:
    """Return compact JSON. NaN and Infinity raise ``ValueError``, since JSON can't hold them."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    # JSON can hold half a surrogate pair, as an escape; UTF-8 can't.
    return text.encode("utf-8", "backslashreplace")


def _explain(status: int, problem: Any) -> str:
    if not isinstance(problem, dict):
        return f"The API answered {status}."
    if status in (401, 403):
        return f"The API answered {status}: {problem.get('message')}. It wants another signature or token: docs/api.md."
    parts = [
        f"The API answered {status}:",
        str(problem.get("detail") or problem.get("title") or problem.get("message")),
    ]
    for error in problem.get("errors", []):
        parts.append(f"\n  {error.get('pointer')}: {error.get('detail')} [{error.get('code')}]")
    return " ".join(parts)
