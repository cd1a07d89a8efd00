"""Adds the headers of an API's CORS policy to answers, and answers preflight requests. Pure.

Source: API Gateway developer guide, "Configure CORS for HTTP APIs". Assumed: what a preflight request of an origin
that isn't allowed gets (204 without headers), and that the gateway's own errors carry the headers as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.http_api.responses import HttpResponse
from emulator.template.http_api_spec import CorsPolicy

_PREFIX = "access-control-"


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether AWS takes a request for a browser's preflight; look-ups in the headers ignore case."""
    return method == "OPTIONS" and "Origin" in headers and "Access-Control-Request-Method" in headers


def answer_preflight(policy: CorsPolicy, origin: str) -> HttpResponse:
    """Return the answer to a preflight request; no function is called."""
    allowed = _allowed_origin(policy, origin)
    if allowed is None:
        return HttpResponse(204, (), b"")
    headers = [("access-control-allow-origin", allowed)]
    for name, values in (("methods", policy.allow_methods), ("headers", policy.allow_headers)):
        if values:
            headers.append((f"access-control-allow-{name}", ",".join(values)))
    if policy.allow_credentials:
        headers.append(("access-control-allow-credentials", "true"))
    if policy.max_age_s is not None:
        headers.append(("access-control-max-age", str(policy.max_age_s)))
    return HttpResponse(204, tuple(headers), b"")


def with_cors(policy: CorsPolicy, origin: str | None, response: HttpResponse) -> HttpResponse:
    """Return a response with the policy's CORS headers in place of the function's own; none for a foreign origin."""
    headers = [(name, value) for name, value in response.headers if not name.lower().startswith(_PREFIX)]
    allowed = None if origin is None else _allowed_origin(policy, origin)
    if allowed is not None:
        headers.append(("access-control-allow-origin", allowed))
        if policy.expose_headers:
            headers.append(("access-control-expose-headers", ",".join(policy.expose_headers)))
        if policy.allow_credentials:
            headers.append(("access-control-allow-credentials", "true"))
    return HttpResponse(response.status, tuple(headers), response.body)


def _allowed_origin(policy: CorsPolicy, origin: str) -> str | None:
    if "*" in policy.allow_origins:
        return "*"
    for pattern in policy.allow_origins:
        # https://* stands for every origin of a scheme.
        if origin == pattern or (pattern.endswith("://*") and origin.startswith(pattern[:-1])):
            return origin
    return None
