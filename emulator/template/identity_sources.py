"""Selection expressions: which part of a request an authorizer decides by. Pure.

Source: API Gateway developer guide, "Control access to HTTP APIs with AWS Lambda authorizers".
"""

from __future__ import annotations

from typing import Any

HEADER, QUERY, STAGE_VARIABLE = "$request.header.", "$request.querystring.", "$stageVariables."
CONTEXT = "$context."
# Where the request context has what an expression names.
CONTEXT_PATHS: dict[str, tuple[str, ...]] = {
    "accountId": ("accountId",),
    "apiId": ("apiId",),
    "domainName": ("domainName",),
    "domainPrefix": ("domainPrefix",),
    "httpMethod": ("http", "method"),
    "identity.sourceIp": ("http", "sourceIp"),
    "identity.userAgent": ("http", "userAgent"),
    "path": ("http", "path"),
    "protocol": ("http", "protocol"),
    "requestId": ("requestId",),
    "routeKey": ("routeKey",),
    "stage": ("stage",),
}


class IdentitySourceError(ValueError):
    """The emulator doesn't imitate this selection expression."""


def check_identity_source(source: Any) -> None:
    """Raise `IdentitySourceError` for a selection expression that isn't imitated."""
    text = str(source)
    is_imitated = any(text.startswith(prefix) and text != prefix for prefix in (HEADER, QUERY, STAGE_VARIABLE))
    if not is_imitated and text.removeprefix(CONTEXT) not in CONTEXT_PATHS:
        raise IdentitySourceError(f"the identity source {text!r} is not imitated")
