"""Where CORS and Lambda authorizers differ."""

from __future__ import annotations

from tests.e2e.differential.allowance import Allowed, are
from tests.e2e.differential.exchange import ABSENT

_CORS = "API Gateway developer guide, Configure CORS for HTTP APIs"
_SERVER_ERROR = b'{"message":"Internal Server Error"}'
_SAM_FAILS = b'{"message":"Internal server error"}\n'
_SAM_NO_ROUTE = b'{"message":"Missing Authentication Token"}\n'
_ORIGIN, _METHODS = "https://example.com", "GET,POST"
_HTML, _JSON = "text/html; charset=utf-8", "application/json"

GUARDED = (
    Allowed(
        "CORS headers of an answer",
        sam="All that the policy has but `access-control-expose-headers`",
        here="Origin, credentials and `access-control-expose-headers`; the rest goes with preflights alone",
        aws=f"As here (assumed), as browsers read them; {_CORS}",
        parts={
            "header.access-control-allow-headers": are("content-type,authorization", ABSENT),
            "header.access-control-allow-methods": are("GET,OPTIONS,POST", ABSENT),
            "header.access-control-max-age": are("600", ABSENT),
            "header.access-control-expose-headers": are(ABSENT, "x-echo"),
        },
        cases=("an-allowed-origin", "options-that-is-no-preflight"),
    ),
    Allowed(
        "A preflight",
        sam="200, with `OPTIONS` among the methods",
        here="204, with the policy's methods",
        aws=f"204 (assumed), with the policy's methods: {_CORS}",
        parts={
            "status": are(200, 204),
            "header.access-control-allow-methods": are("GET,OPTIONS,POST", _METHODS),
            "header.content-type": are(_HTML, ABSENT),
        },
        cases=("preflight", "preflight-of-a-guarded-route"),
    ),
    Allowed(
        "A preflight of an origin that is not allowed",
        sam="200 without CORS headers",
        here="204 without CORS headers",
        aws="204 (assumed)",
        parts={"status": are(200, 204), "header.content-type": are(_HTML, ABSENT)},
        cases=("preflight-of-another-origin",),
    ),
    Allowed(
        "A preflight of a path without a route",
        sam="403",
        here="204: the API answers preflights of any path",
        aws="As here (assumed): the gateway answers before it looks for a route",
        parts={
            "status": are(403, 204),
            "body": are(_SAM_NO_ROUTE, b""),
            "header.content-type": are(_JSON, ABSENT),
            "header.access-control-allow-origin": are(ABSENT, _ORIGIN),
            "header.access-control-allow-credentials": are(ABSENT, "true"),
            "header.access-control-allow-headers": are(ABSENT, "content-type,authorization"),
            "header.access-control-allow-methods": are(ABSENT, _METHODS),
            "header.access-control-max-age": are(ABSENT, "600"),
        },
        cases=("preflight-of-no-route",),
    ),
    Allowed(
        "`OPTIONS` without `Access-Control-Request-Method`",
        sam="Answered as a preflight",
        here="A request like any other: 404 for a path without a route",
        aws=f"As here: {_CORS}",
        parts={
            "status": are(200, 404),
            "body": are(b"", b'{"message":"Not Found"}'),
            "header.content-type": are(_HTML, _JSON),
        },
        cases=("options-that-is-no-preflight",),
    ),
    Allowed(
        "The gateway's own 404, asked from an allowed origin",
        sam="403 without CORS headers",
        here="404 with CORS headers",
        aws="404; the headers are assumed",
        parts={
            "status": are(403, 404),
            "body": are(_SAM_NO_ROUTE, b'{"message":"Not Found"}'),
            "header.access-control-allow-origin": are(ABSENT, _ORIGIN),
            "header.access-control-allow-credentials": are(ABSENT, "true"),
            "header.access-control-expose-headers": are(ABSENT, "x-echo"),
        },
        cases=("no-route-with-an-origin",),
    ),
    Allowed(
        "An authorizer that says no",
        sam="403 `User is not authorized to access this resource`",
        here="403 `Forbidden`",
        aws="As here (assumed)",
        parts={
            "body": are(b'{"message":"User is not authorized to access this resource"}\n', b'{"message":"Forbidden"}')
        },
        cases=("deny",),
    ),
    Allowed(
        "An authorizer that fails or says neither yes nor no",
        sam="502",
        here="500 `Internal Server Error`",
        aws="As here: recorded answers",
        parts={"status": are(502, 500), "body": are(_SAM_FAILS, _SERVER_ERROR)},
        cases=("deny-in-a-string", "nothing", "an-empty-object", "a-word-that-makes-it-raise"),
    ),
    Allowed(
        "A request without the authorizer's identity source",
        sam="401 `Unauthorized`, with a line break after the JSON",
        here="401 `Unauthorized`",
        aws="As here: recorded answers",
        parts={"body": are(b'{"message":"Unauthorized"}\n', b'{"message":"Unauthorized"}')},
        cases=("no-identity", "an-empty-identity"),
    ),
)
