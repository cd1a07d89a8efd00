"""Where the events that SAM CLI makes differ from the emulator's, and why the emulator's are AWS's.

Page: docs/emulator-fidelity.md, which `python -m tests.fidelity` brings up to date.
"""

from __future__ import annotations

import base64
import binascii
import time
from typing import Any

from tests.e2e.differential.allowance import Allowed, are, like
from tests.e2e.differential.case import HOST, USER_AGENT
from tests.e2e.differential.exchange import ABSENT

GUIDE = "API Gateway developer guide, Lambda proxy integrations for HTTP APIs"
_SAM_FAILS = b'{"message":"Internal server error"}\n'


def _are_names_lowered(sam: Any, here: Any) -> bool:
    return any(name != name.lower() for name in sam) and all(name == name.lower() for name in here)


def _is_client_added(sam: Any, here: Any) -> bool:
    return bool(here == ("127.0.0.1" if sam is ABSENT else f"{sam}, 127.0.0.1"))


def _is_dropped(sam: Any, here: Any) -> bool:
    return isinstance(sam, str) and here is ABSENT


def _is_milliseconds_now(sam: Any, here: Any) -> bool:
    now = time.time()
    return 0 < now - sam < 3600 and 0 < now - here / 1000 < 3600 and isinstance(here, int)


def _is_base64_of_text(sam: Any, here: Any) -> bool:
    return isinstance(sam, str) and bool(here == base64.b64encode(sam.encode()).decode())


def _is_base64_here_alone(sam: Any, here: Any) -> bool:
    try:
        return sam is ABSENT and bool(base64.b64decode(here, validate=True))
    except (binascii.Error, TypeError):
        return False


# In every event.
ALWAYS = (
    Allowed(
        "Names of headers",
        sam="As HTTP libraries spell them: `User-Agent`",
        here="Lower case",
        aws=f"Lower case: {GUIDE}",
        parts={"event.headers": _are_names_lowered},
    ),
    Allowed(
        "`x-forwarded-for`",
        sam="Absent, or the client's own",
        here="The client's address, after what the client sent",
        aws="As here: recorded events",
        parts={"event.headers.x-forwarded-for": _is_client_added},
    ),
    Allowed(
        "`content-length` where the client sends none",
        sam="Absent",
        here="The body's length: `0` without one",
        aws="`0` without a body: recorded events; of a chunked one, assumed",
        parts={"event.headers.content-length": lambda sam, here: sam is ABSENT and here.isdecimal()},
    ),
    Allowed(
        "`x-amzn-trace-id`",
        sam="Absent",
        here="A new one for each request that brings none",
        aws="As here: recorded events",
        parts={"event.headers.x-amzn-trace-id": like(None, "Root=1-[0-9a-f]{8}-[0-9a-f]{24}")},
    ),
    Allowed(
        "`requestId`",
        sam="One for the life of the process",
        here="A new one for each request, the same as in `Apigw-Requestid`",
        aws="As here: recorded events and answers",
        parts={"event.requestContext.requestId": like("[0-9a-f-]{36}", "[A-Za-z0-9_-]{15}=")},
    ),
    Allowed(
        "`time` and `timeEpoch`",
        sam="When the process began, in seconds",
        here="When the request came, in milliseconds",
        aws=f"As here: {GUIDE}",
        parts={
            "event.requestContext.time": like(*[r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000"] * 2),
            "event.requestContext.timeEpoch": _is_milliseconds_now,
        },
    ),
    Allowed(
        "`userAgent`",
        sam="`Custom User Agent String`",
        here="The client's",
        aws=f"As here: {GUIDE}",
        parts={"event.requestContext.http.userAgent": are("Custom User Agent String", USER_AGENT)},
    ),
    Allowed(
        "`domainName`, `domainPrefix`",
        sam="`localhost`",
        here="Of the `Host` header",
        aws="The API's domain, which is what `Host` says there",
        parts={
            "event.requestContext.domainName": are("localhost", HOST),
            "event.requestContext.domainPrefix": are("localhost", HOST.partition(".")[0]),
        },
    ),
    Allowed(
        "`apiId`",
        sam="`1234567890`",
        here="The API's logical id",
        aws="The id that the API got when it was made",
        parts={"event.requestContext.apiId": are("1234567890", "Api")},
    ),
    Allowed(
        "`cookies` and `body` without content",
        sam='`cookies: []`, `body: ""`',
        here="Left out",
        aws="Left out: recorded events",
        parts={"event.cookies": are([], ABSENT), "event.body": are("", ABSENT)},
    ),
)

NO_PARAMETERS = Allowed(
    "`pathParameters` of a route without parameters",
    sam="`{}`",
    here="Left out",
    aws="Left out: recorded events",
    parts={"event.pathParameters": are({}, ABSENT)},
)

NO_VARIABLES = Allowed(
    "`stageVariables` of a stage without variables",
    sam="`null`",
    here="Left out",
    aws="Left out: recorded events",
    parts={"event.stageVariables": are(None, ABSENT)},
)

# In events of odd requests.
EVENTS = (
    Allowed(
        "`Cookie`",
        sam="Kept among the headers, too",
        here="In `cookies` alone",
        aws=f"As here: {GUIDE}",
        parts={"event.headers.cookie": _is_dropped},
        cases=("a-cookie", "several-cookies", "cookies-in-two-headers", "an-empty-cookie-header", "odd-cookies"),
    ),
    Allowed(
        "Headers of one connection",
        sam="`Connection`, `Keep-Alive`, `TE` reach the function",
        here="They end at the gateway",
        aws="As here (assumed), by RFC 9110, section 7.6.1: they are for the next hop",
        parts={
            "event.headers.connection": _is_dropped,
            "event.headers.keep-alive": _is_dropped,
            "event.headers.te": _is_dropped,
        },
        cases=("hop-by-hop-headers",),
    ),
    Allowed(
        "`Transfer-Encoding: chunked`",
        sam="Reaches the function, whose body has no chunks any more",
        here="Ends at the gateway",
        aws="As here (assumed), by RFC 9112, section 6.1",
        parts={"event.headers.transfer-encoding": are("chunked", ABSENT)},
        cases=("a-chunked-body",),
    ),
    Allowed(
        "A header's name with an underscore",
        sam="The header is dropped",
        here="It reaches the function",
        aws="As here: recorded in aws/aws-sam-cli issue 1860",
        parts={"event.headers.x_under_score": are(ABSENT, "one")},
        cases=("a-header-with-an-underscore",),
    ),
    Allowed(
        "Spaces after a header's value",
        sam="Kept",
        here="Taken off",
        aws="As here, by RFC 9110, section 5.5: they aren't part of the value",
        parts={"event.headers.x-spaces": are("one  two  ", "one  two")},
        cases=("a-header-with-spaces-around",),
    ),
    Allowed(
        "A header in UTF-8",
        sam="Read as Latin-1",
        here="Read as UTF-8",
        aws="Assumed",
        parts={"event.headers.x-unicode": are("\u20ac".encode().decode("latin-1"), "\u20ac")},
        cases=("a-header-in-utf-8",),
    ),
    Allowed(
        "Several `Cookie` headers",
        sam="One cookie with a comma in it",
        here="One cookie each",
        aws="As here (assumed), by RFC 6265, section 4.2.1: a comma separates nothing",
        parts={"event.cookies": are(["a=1,b=2"], ["a=1", "b=2"])},
        cases=("cookies-in-two-headers",),
    ),
    Allowed(
        "Quoted, bare and repeated cookies",
        sam="Parsed and written anew: quotes and repetitions lost, `bare` becomes `bare=`",
        here="As they came",
        aws=f"As here (assumed): {GUIDE} shows them as they came",
        parts={
            "event.cookies": are(
                ["quoted=a b", "empty=", "bare=", "a=1", "equals=b=c", "enc=%20"],
                ['quoted="a b"', "empty=", "bare", "a=1", "a=2", "equals=b=c", "enc=%20"],
            )
        },
        cases=("odd-cookies",),
    ),
    Allowed(
        "`routeKey` of a route for any method",
        sam="The request's method: `GET /echo`",
        here="The route's own key: `ANY /echo`",
        aws=f"As here: {GUIDE}",
        parts={
            "event.routeKey": lambda sam, here: here == f"ANY {sam.partition(' ')[2]}",
            "event.requestContext.routeKey": lambda sam, here: here == f"ANY {sam.partition(' ')[2]}",
        },
    ),
    Allowed(
        "A query that is not UTF-8",
        sam="Left encoded: `%FF`",
        here="Decoded, with U+FFFD for bytes that aren't UTF-8; `rawQueryString` has the client's text",
        aws="Decoded; what becomes of such bytes is assumed",
        parts={"event.queryStringParameters.a": are("%FF", "\ufffd")},
        cases=("a-query-that-is-not-utf-8",),
    ),
    Allowed(
        "Forms and octets that are text",
        sam="As text",
        here="As base64",
        aws="As base64, as every type that is not text: recorded events",
        parts={"event.body": _is_base64_of_text, "event.isBase64Encoded": are(False, True)},
        cases=("a-form", "a-multipart-form", "octets-that-are-text"),
    ),
    Allowed(
        "Bodies that are not UTF-8, whatever their type says",
        sam="502: binary bodies aren't supported",
        here="As base64",
        aws="As base64: recorded events; for what calls itself text, assumed",
        parts={
            "status": are(502, 200),
            "body": are(_SAM_FAILS, ABSENT),
            "header.x-echo": are(ABSENT, "event"),
            "event.body": _is_base64_here_alone,
            "event.isBase64Encoded": are(ABSENT, True),
        },
        cases=(
            "text-in-latin-1",
            "octets",
            "an-image",
            "no-content-type-and-binary",
            "gzip",
            "a-megabyte-of-octets",
        ),
    ),
)
