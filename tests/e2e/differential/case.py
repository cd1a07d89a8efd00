"""One request of the corpus, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

# Sent with every request, so that only what a case is about differs from the next.
HOST = "api.example.com"
USER_AGENT = "differential/1.0"


@dataclass(frozen=True)
class Case:
    """A request, and the status that AWS answers it with.

    Parameters
    ----------
    name : str
        What is special about it; unique in its corpus.
    target : str
        The path and the query, as they go onto the request line.
    method : str
        In capitals.
    headers : tuple of (str, str)
        Beyond ``Host``, ``User-Agent`` and ``Content-Length``; in this order and spelling, duplicates allowed.
    body : bytes or None
        None sends neither a body nor its length.
    is_chunked : bool
        The body goes in two chunks, without a length.
    status : int
        AWS's status, which the emulator has to answer.
    """

    name: str
    target: str = "/echo"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    is_chunked: bool = False
    status: int = 200


def posting(name: str, content_type: str | None, body: bytes, *headers: tuple[str, str], **more: Any) -> Case:
    """Return a POST of a body to the function that answers its event."""
    typed = () if content_type is None else (("Content-Type", content_type),)
    return Case(name, method="POST", headers=(*typed, *headers), body=body, **more)


def answering(name: str, answer: Any, *, status: int = 200, method: str = "POST") -> Case:
    """Return a request that the function answers with ``answer``, which is all that it says."""
    return Case(
        name,
        "/answer",
        method,
        (("Content-Type", "application/json"),),
        json.dumps(answer).encode(),
        status=status,
    )


def all_named_once(*groups: tuple[Case, ...]) -> tuple[Case, ...]:
    """Return the groups as one corpus.

    Raises
    ------
    ValueError
        Two cases have one name: the table of differences could not tell them apart.
    """
    cases = [case for group in groups for case in group]
    names = [case.name for case in cases]
    if len(names) != len(set(names)):
        raise ValueError(f"named twice: {sorted({name for name in names if names.count(name) > 1})}")
    return tuple(cases)
