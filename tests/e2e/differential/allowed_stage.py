"""Where an API with a named stage and a ``$default`` route differs."""

from __future__ import annotations

from tests.e2e.differential.allowance import Allowed, are
from tests.e2e.differential.allowed_events import GUIDE
from tests.e2e.differential.exchange import ABSENT

_NOT_FOUND = b'{"message":"Not Found"}'


STAGE = (
    Allowed(
        "`pathParameters` of the route `$default`",
        sam="`any_path`, a name of its own",
        here="Left out",
        aws="As here (assumed): the route has no parameters",
        parts={"event.pathParameters.any_path": lambda sam, here: sam.startswith("v1") and here is ABSENT},
    ),
    Allowed(
        "A route below a named stage",
        sam="Not found there: the stage isn't part of the path, and `$default` answers",
        here="Found, below `/v1`",
        aws=f"As here: {GUIDE}",
        parts={
            "event.routeKey": are("$default", "GET /items/{id}"),
            "event.requestContext.routeKey": are("$default", "GET /items/{id}"),
            "event.pathParameters.id": are(ABSENT, "7"),
        },
        cases=("stage-and-named-route",),
    ),
    Allowed(
        "A path outside of the stage",
        sam="Answered",
        here="404 `Not Found`",
        aws="As here: the stage is the first segment of the path",
        parts={
            "status": are(200, 404),
            "body": are(ABSENT, _NOT_FOUND),
            "header.x-echo": are("event", ABSENT),
            "event.body": are("", ABSENT),
            "event.isBase64Encoded": are(False, ABSENT),
        },
        cases=("another-stage", "a-route-without-the-stage", "no-stage", "a-longer-name-than-the-stage"),
    ),
)
