"""A pool of one function's environments, and a function with versions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.log_groups.sink import LogSink
from emulator.template.project import FunctionSpec
from tests.integration.emulator.lambda_service.environment_rig import Rig
from tests.integration.emulator.lambda_service.versions_rig import GENEROUS_S, NAME, Project, write_code


@pytest.fixture
def run(tmp_path: Path, functions: Path) -> Callable[..., None]:
    """Return a function that runs a scenario with a rig."""

    def _run(scenario: Callable[[Rig], Coroutine[Any, Any, None]], **options: Any) -> None:
        @asynccontextmanager
        async def rig() -> AsyncIterator[Rig]:
            made = Rig(tmp_path, (functions / "environments" / "code").resolve(), **options)
            try:
                yield made
            finally:
                await made.close()

        async def whole() -> None:
            async with rig() as made:
                await scenario(made)

        asyncio.run(whole())

    return _run


@pytest.fixture(params=[True, False], ids=["snap-start", "on-demand"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    source = write_code(tmp_path / "source", "one")
    spec = FunctionSpec(
        "Hello", NAME, source, "app.handler", "python3.13", timeout_s=GENEROUS_S, memory_mb=512,
        snap_start=request.param, alias="live",
    )  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        sink = LogSink(log.fileno())
        yield Project(tmp_path, spec, sink)
        sink.close()
