"""Requests to an API with CORS and a Lambda authorizer."""

from __future__ import annotations

from tests.e2e.differential.case import Case, all_named_once

_HERE, _ELSEWHERE = ("Origin", "https://example.com"), ("Origin", "https://elsewhere.example")
_ASKING = ("Access-Control-Request-Method", "GET")


def _knocking(word: str, *, status: int = 200) -> Case:
    return Case(word, "/closed", headers=(("Authorization", word),), status=status)


CORS = (
    Case("an-allowed-origin", "/open", headers=(_HERE,)),
    Case("another-origin", "/open", headers=(_ELSEWHERE,)),
    Case("no-origin", "/open"),
    Case("preflight", "/open", "OPTIONS", (_HERE, _ASKING), status=204),
    Case("preflight-of-another-origin", "/open", "OPTIONS", (_ELSEWHERE, _ASKING), status=204),
    Case("preflight-of-a-guarded-route", "/closed", "OPTIONS", (_HERE, _ASKING), status=204),
    Case("preflight-of-no-route", "/nothing", "OPTIONS", (_HERE, _ASKING), status=204),
    Case("options-that-is-no-preflight", "/open", "OPTIONS", (_HERE,), status=404),
    Case("no-route-with-an-origin", "/nothing", headers=(_HERE,), status=404),
)

AUTHORIZER = (
    _knocking("allow"),
    _knocking("allow-with-context"),
    _knocking("deny", status=403),
    _knocking("deny-in-a-string", status=500),
    _knocking("nothing", status=500),
    _knocking("an-empty-object", status=500),
    _knocking("a-word-that-makes-it-raise", status=500),
    Case("no-identity", "/closed", status=401),
    Case("an-empty-identity", "/closed", headers=(("Authorization", ""),), status=401),
)

GUARDED: tuple[Case, ...] = all_named_once(CORS, AUTHORIZER)
