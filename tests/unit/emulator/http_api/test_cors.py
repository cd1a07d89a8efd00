"""Answers of an API with a CORS policy."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from emulator.http_api.cors import answer_preflight, is_preflight, with_cors
from emulator.http_api.responses import HttpResponse
from emulator.template.http_api_spec import CorsPolicy

ORIGIN = "https://app.example.test"
POLICY = CorsPolicy(
    allow_origins=(ORIGIN, "http://*"),
    allow_methods=("GET", "POST"),
    allow_headers=("x-a", "content-type"),
    expose_headers=("x-b",),
    allow_credentials=True,
    max_age_s=300,
)


def test_a_preflight_request_has_an_origin_and_names_a_method() -> None:
    both = CIMultiDict({"origin": ORIGIN, "access-control-request-method": "PUT"})
    assert is_preflight("OPTIONS", both)
    assert not is_preflight("GET", both)
    assert not is_preflight("OPTIONS", CIMultiDict({"Origin": ORIGIN}))
    assert not is_preflight("OPTIONS", CIMultiDict({"Access-Control-Request-Method": "PUT"}))


def test_the_answer_to_a_preflight_request() -> None:
    answer = answer_preflight(POLICY, ORIGIN)
    assert (answer.status, answer.body) == (204, b"")
    assert dict(answer.headers) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "x-a,content-type",
        "access-control-allow-credentials": "true",
        "access-control-max-age": "300",
    }
    assert answer_preflight(POLICY, "https://else.test") == HttpResponse(204, (), b"")
    assert answer_preflight(CorsPolicy(("*",)), ORIGIN).headers == (("access-control-allow-origin", "*"),)


@pytest.mark.parametrize(
    ("origin", "added"),
    [
        (ORIGIN, ORIGIN),
        ("http://any.test", "http://any.test"),
        ("https://any.test", None),
        ("null", None),
        (None, None),
    ],
)
def test_the_policys_headers_replace_the_functions_own(origin: str | None, added: str | None) -> None:
    own = HttpResponse(200, (("Access-Control-Allow-Origin", "mine"), ("X-A", "1")), b"b")
    answer = with_cors(POLICY, origin, own)
    headers = dict(answer.headers)
    assert headers.pop("X-A") == "1"
    if added is None:
        assert headers == {}
    else:
        assert headers == {
            "access-control-allow-origin": added,
            "access-control-expose-headers": "x-b",
            "access-control-allow-credentials": "true",
        }
