"""The doors that are compared: a project, the command that serves it, what is sent there and what may differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.differential import allowed, corpus, exchange
from tests.e2e.differential.allowance import Allowed
from tests.e2e.differential.case import Case
from tests.e2e.differential.guarded_corpus import GUARDED
from tests.e2e.differential.lambda_corpus import LAMBDA_API
from tests.e2e.differential.stage_corpus import STAGE

_PROJECTS = Path(__file__).parent / "projects"


# Each is itself alone: what it was answered is kept by it.
@dataclass(frozen=True, eq=False)
class Door:
    """One server of SAM CLI's and its counterpart.

    Parameters
    ----------
    name : str
        For the tests' names.
    project : Path
        The folder of a template and its handlers.
    command : str
        `sam local …` and `python -m emulator …`.
    cases : tuple of Case
        In the order in which they are sent.
    allowed : tuple of Allowed
        The differences that may be, and have to be.
    read_body : callable
        An answer's body → its parts.
    """

    name: str
    project: Path
    command: str
    cases: tuple[Case, ...]
    allowed: tuple[Allowed, ...]
    read_body: Callable[[bytes], dict[str, Any]] = exchange.http_body


DOORS = (
    Door("routes", _PROJECTS / "routes", "start-api", corpus.HTTP_API, allowed.HTTP_API),
    Door("stage", _PROJECTS / "stage", "start-api", STAGE, allowed.STAGE),
    Door("guarded", _PROJECTS / "guarded", "start-api", GUARDED, allowed.GUARDED),
    Door(
        "lambda", _PROJECTS / "routes", "start-lambda", LAMBDA_API, allowed.LAMBDA_API, read_body=exchange.lambda_body
    ),
)
