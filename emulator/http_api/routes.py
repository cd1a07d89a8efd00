"""Finds the route of an HTTP API that answers a request. Pure.

Source: API Gateway developer guide, "Create routes for HTTP APIs": a full match of method and path takes
precedence over a greedy variable, and that over ``$default``; a named method over ``ANY``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from emulator.template.http_api_spec import ANY_METHOD, DEFAULT_ROUTE, HttpRoute

# Kinds of a route's segments; more specific ones are smaller and tried first.
_PLAIN, _PARAMETER, _GREEDY = range(3)


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """A route, and the decoded values of its path parameters."""

    route: HttpRoute
    path_parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    name: str


class RouteTable:
    """Finds the routes of one stage; its name begins every path, unless it is ``$default``."""

    def __init__(self, routes: Iterable[HttpRoute], stage: str = DEFAULT_ROUTE) -> None:
        self._prefix = "" if stage == DEFAULT_ROUTE else f"/{stage}"
        self._default: HttpRoute | None = None
        entries: list[tuple[list[_Segment], HttpRoute]] = []
        for route in routes:
            if route.path == DEFAULT_ROUTE:
                self._default = route
            else:
                entries.append((_segments(route.path), route))
        self._entries = sorted(entries, key=_specificity)
        # Paths without variables, which nearly all requests have, take one look-up.
        self._plain: dict[tuple[str, str], HttpRoute] = {}
        for segments, route in reversed(self._entries):
            if all(segment.kind == _PLAIN for segment in segments):
                self._plain[route.method, route.path] = route

    def find(self, method: str, raw_path: str) -> RouteMatch | None:
        """Return the route for a method in capitals and a percent-encoded path, or None if the stage has none."""
        if self._prefix:
            if raw_path != self._prefix and not raw_path.startswith(self._prefix + "/"):
                return None
            raw_path = raw_path[len(self._prefix) :] or "/"
        plain = self._plain.get((method, raw_path)) or self._plain.get((ANY_METHOD, raw_path))
        if plain is not None:
            return RouteMatch(plain, {})
        parts = raw_path.split("/")[1:]
        for segments, route in self._entries:
            if route.method in {method, ANY_METHOD}:
                parameters = _match(segments, parts)
                if parameters is not None:
                    return RouteMatch(route, parameters)
        return None if self._default is None else RouteMatch(self._default, {})


def _segments(path: str) -> list[_Segment]:
    return [_segment(text) for text in path.split("/")[1:]]


def _segment(text: str) -> _Segment:
    if text.startswith("{") and text.endswith("+}"):
        return _Segment(_GREEDY, text[1:-2])
    if text.startswith("{") and text.endswith("}"):
        return _Segment(_PARAMETER, text[1:-1])
    return _Segment(_PLAIN, unquote(text))


def _specificity(entry: tuple[list[_Segment], HttpRoute]) -> tuple[bool, list[int], bool]:
    segments, route = entry
    kinds = [segment.kind for segment in segments]
    # Of two greedy routes the longer one is more specific: [0, 2] before [2].
    return _GREEDY in kinds, kinds, route.method == ANY_METHOD


def _match(segments: list[_Segment], parts: list[str]) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    for position, segment in enumerate(segments):
        if segment.kind == _GREEDY:
            remaining_path = "/".join(parts[position:])
            if not remaining_path:
                return None
            parameters[segment.name] = unquote(remaining_path, errors="replace")
            return parameters
        if position >= len(parts):
            return None
        text = unquote(parts[position], errors="replace")
        if segment.kind == _PARAMETER and text:
            parameters[segment.name] = text
        elif segment.kind == _PARAMETER or text != segment.name:
            return None
    return parameters if len(segments) == len(parts) else None
