"""Route matching: the examples of API Gateway's guide, and properties."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.http_api.routes import RouteTable
from emulator.template.http_api_spec import HttpRoute

GUIDE = ["GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default"]


def table(*keys: str, stage: str = "$default") -> RouteTable:
    methods = (("ANY", key) if key == "$default" else key.split(" ", 1) for key in keys)
    return RouteTable([HttpRoute(method, path, "F") for method, path in methods], stage)


def find(routes: RouteTable, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    match = routes.find(method, path)
    return None if match is None else (match.route.key, match.path_parameters)


@pytest.mark.parametrize(
    ("request_line", "key", "parameters"),
    [
        ("GET /pets/dog/1", "GET /pets/dog/1", {}),
        ("GET /pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("GET /pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
        ("POST /test/5", "ANY /{proxy+}", {"proxy": "test/5"}),
        ("POST /pets/dog/1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}),
        ("GET /", "$default", {}),
    ],
)
@pytest.mark.fidelity("route-precedence")
def test_the_guides_example(request_line: str, key: str, parameters: dict[str, str]) -> None:
    assert find(table(*GUIDE), *request_line.split(" ")) == (key, parameters)


def test_order_of_routes_does_not_matter() -> None:
    for keys in (GUIDE, GUIDE[::-1]):
        assert find(table(*keys), "GET", "/pets/dog/1") == ("GET /pets/dog/1", {})


@pytest.mark.parametrize(
    ("keys", "request_line", "expected"),
    [
        (["ANY /a", "GET /a"], "GET /a", "GET /a"),
        (["ANY /a", "GET /a"], "PUT /a", "ANY /a"),
        (["GET /a"], "PUT /a", None),
        (["GET /a"], "GET /a/", None),
        (["GET /a/{x}"], "GET /a/", None),
        (["GET /{x+}"], "GET /", None),
        (["GET /{a}/b", "GET /x/{p+}"], "GET /x/b", "GET /{a}/b"),
        (["GET /{p+}", "GET /x/{p+}"], "GET /x/y/z", "GET /x/{p+}"),
        (["GET /{a}", "GET /fixed"], "GET /fixed", "GET /fixed"),
        (["GET /{a}", "ANY /fixed"], "GET /fixed", "ANY /fixed"),
        (["GET /"], "GET /", "GET /"),
    ],
)
@pytest.mark.fidelity("route-precedence")
def test_precedence(keys: list[str], request_line: str, expected: str | None) -> None:
    match = find(table(*keys), *request_line.split(" "))
    assert (None if match is None else match[0]) == expected


@pytest.mark.fidelity("raw-path")
def test_parameters_are_decoded_after_matching() -> None:
    routes = table("GET /items/{id}", "GET /files/{p+}")
    assert find(routes, "GET", "/items/a%2Fb%20c") == ("GET /items/{id}", {"id": "a/b c"})
    assert find(routes, "GET", "/files/a/%C3%BC") == ("GET /files/{p+}", {"p": "a/ü"})
    assert find(routes, "GET", "/items/%FF") == ("GET /items/{id}", {"id": "\ufffd"})


def test_stage_is_part_of_the_path() -> None:
    routes = table("GET /a", "$default", stage="dev")
    assert find(routes, "GET", "/dev/a") == ("GET /a", {})
    assert find(routes, "GET", "/dev") == ("$default", {})
    assert find(routes, "GET", "/a") is None
    assert find(routes, "GET", "/device/a") is None


segment = st.text(string.ascii_letters + string.digits + " ü%/?#", min_size=1, max_size=6)


@given(st.lists(segment, min_size=1, max_size=4))
def test_any_path_reaches_a_greedy_route_whole(segments: list[str]) -> None:
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    assert find(table("ANY /{all+}"), "PATCH", path) == ("ANY /{all+}", {"all": "/".join(segments)})


@given(st.lists(segment, min_size=1, max_size=4))
def test_named_parameters_take_one_segment_each(segments: list[str]) -> None:
    key = "GET /" + "/".join(f"{{p{number}}}" for number in range(len(segments)))
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    assert find(table(key), "GET", path) == (key, {f"p{number}": segment for number, segment in enumerate(segments)})
    assert find(table(key), "GET", path + "/more") is None
