"""Selection expressions: which part of a request an authorizer decides by. Pure.

Source: API Gateway developer guide, "Control access to HTTP APIs with AWS Lambda authorizers".
"""

from __future__ import annotations

_PARTS = {
    "$request.header.": "headers",
    "$request.querystring.": "queryStringParameters",
    "$stageVariables.": "stageVariables",
}
# Where the request context has what an expression names.
_IN_CONTEXT = {
    "$context.accountId": ("accountId",),
    "$context.apiId": ("apiId",),
    "$context.domainName": ("domainName",),
    "$context.domainPrefix": ("domainPrefix",),
    "$context.httpMethod": ("http", "method"),
    "$context.identity.sourceIp": ("http", "sourceIp"),
    "$context.identity.userAgent": ("http", "userAgent"),
    "$context.path": ("http", "path"),
    "$context.protocol": ("http", "protocol"),
    "$context.requestId": ("requestId",),
    "$context.routeKey": ("routeKey",),
    "$context.stage": ("stage",),
}


class IdentitySourceError(ValueError):
    """The emulator doesn't imitate this selection expression."""


def path_in_event(source: str) -> tuple[str, ...]:
    """Return the keys that lead to an identity source's value in an event of payload format 2.0.

    Raises
    ------
    IdentitySourceError
        The selection expression isn't imitated.
    """
    for prefix, part in _PARTS.items():
        name = source.removeprefix(prefix)
        if name and name != source:
            return part, name.lower() if part == "headers" else name
    if source not in _IN_CONTEXT:
        raise IdentitySourceError(f"the identity source {source!r} is not imitated")
    return "requestContext", *_IN_CONTEXT[source]
