"""A function whose versions tests deploy and call, without a socket."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from emulator.lambda_service.data_plane.invoke_service import LambdaService, Limits, open_service
from emulator.lambda_service.invocation import InvocationResult
from emulator.lambda_service.log_groups.sink import LogSink
from emulator.template.project import FunctionSpec

GENEROUS_S = 30
NAME = "hello"
APP = """
import os, time

TEXT = {text!r}

def handler(event, context):
    if "began" in event:
        open(event["began"], "w").close()
        while not os.path.exists(event["until"]):
            time.sleep(0.01)
    import lazy
    return {{"text": TEXT, "lazy": lazy.TEXT, "arn": context.invoked_function_arn,
             "version": context.function_version, "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]}}
"""


def write_code(folder: Path, text: str, broken: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "app.py").write_text(broken + APP.format(text=text))
    (folder / "lazy.py").write_text(f"TEXT = {text!r}\n")
    return folder


@dataclasses.dataclass
class Project:
    """One function of a template, and its source folder."""

    folder: Path
    spec: FunctionSpec
    sink: LogSink

    @property
    def source(self) -> Path:
        return self.spec.code_dir

    @asynccontextmanager
    async def serve(self, draw: Callable[[], float] = random.random, **limits: Any) -> AsyncIterator[LambdaService]:
        service = open_service(
            {self.spec.logical_id: self.spec}, self.sink, dict(os.environ), region="eu-west-1", draw=draw,
            account_id="123456789012", limits=Limits(**limits), state_dir=self.folder / "state",
        )  # fmt: skip
        try:
            service.start()
            await service.deployed()
            yield service
        finally:
            await service.close()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def within_limit() -> None:
        async with asyncio.timeout(4 * GENEROUS_S):
            await scenario

    asyncio.run(within_limit())


async def answer(result: Awaitable[InvocationResult]) -> Any:
    done = await result
    assert done.function_error is None, done.payload
    return json.loads(done.payload)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(GENEROUS_S):
        while not condition():
            await asyncio.sleep(0.01)


class Load:
    """Callers of an alias, each of which sends one request after the other until `stop`."""

    def __init__(self, service: LambdaService, callers: int = 3) -> None:
        self._service = service
        self._stopping = False
        self.results: list[Any] = []
        self._tasks = [asyncio.create_task(self._call()) for _ in range(callers)]

    async def _call(self) -> None:
        while not self._stopping:
            done = await self._service.submit(NAME, b"{}", "live")
            assert done.function_error is None, done.payload
            self.results.append(json.loads(done.payload))

    async def more(self, count: int = 30) -> None:
        """Wait until `count` more requests have been answered."""
        enough = len(self.results) + count
        await until(lambda: len(self.results) >= enough or any(task.done() for task in self._tasks))

    async def stop(self) -> list[Any]:
        """Return every answer; a request that was lost raises here."""
        self._stopping = True
        await asyncio.gather(*self._tasks)
        return self.results
