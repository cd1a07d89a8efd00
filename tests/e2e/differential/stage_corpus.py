"""Requests to an API with a named stage and a ``$default`` route."""

from __future__ import annotations

from tests.e2e.differential.case import Case, all_named_once

_TEXT = (("Content-Type", "text/plain"),)

STAGE: tuple[Case, ...] = all_named_once(
    (
        Case("stage-and-default-route", "/v1/anything/at/all?a=1"),
        Case("stage-and-named-route", "/v1/items/7"),
        Case("stage-and-another-method", "/v1/items/7", "POST", _TEXT, b"body"),
        Case("stage-alone", "/v1"),
        Case("stage-and-a-slash", "/v1/"),
        Case("stage-and-encoded-path", "/v1/a%20b/%C3%A4"),
        Case("stage-and-options", "/v1/items/7", "OPTIONS"),
        Case("stage-and-trailing-slash", "/v1/items/7/"),
        Case("stage-and-dots", "/v1/items/../7"),
        Case("another-stage", "/v2/items/7", status=404),
        Case("a-route-without-the-stage", "/items/7", status=404),
        Case("no-stage", "/", status=404),
        Case("a-longer-name-than-the-stage", "/v10/items/7", status=404),
    )
)
