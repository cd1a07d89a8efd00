"""One function's environments without a service around them: a real pool of real processes."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from emulator.lambda_service.data_plane.environment import ExecutionEnvironment
from emulator.lambda_service.data_plane.initialisation import EnvironmentSettings
from emulator.lambda_service.data_plane.pool import EnvironmentPool
from emulator.lambda_service.function_version import FunctionVersion, common_variables, environment_variables
from emulator.lambda_service.invocation import Invocation, InvocationResult
from emulator.lambda_service.log_groups.sink import LogSink
from emulator.lambda_service.sandbox.base_process import BaseProcess
from emulator.lambda_service.sandbox.logs import LogOutput
from emulator.lambda_service.sandbox.platform_log import EnvironmentLog, PlatformLog
from emulator.lambda_service.sandbox.processes import EnvironmentProcess, SpawnLauncher
from emulator.lambda_service.sandbox.snapshots import SnapshotLauncher
from emulator.lambda_service.sandbox.temporary_folders import TemporaryFolders
from emulator.template.project import FunctionSpec

GENEROUS_S = 30.0


@dataclass(frozen=True)
class _ForkLauncher:
    base: BaseProcess
    spawn: SpawnLauncher

    async def launch(self, environment: Mapping[str, str], output: LogOutput) -> EnvironmentProcess:
        return await self.base.fork(self.spawn, environment, output)


class Rig:
    """One function's pool, and its log."""

    def __init__(
        self,
        folder: Path,
        code: Path,
        *,
        snap_start: bool = False,
        from_scratch: bool = False,
        base_variables: Mapping[str, str] = MappingProxyType({}),
        init_s: float = 10.0,
        **changes: Any,
    ) -> None:
        spec = FunctionSpec(
            "F", "f", code, "worker.handler", "python3.13", snap_start=snap_start,
            **{"timeout_s": 15, "memory_mb": 256, **changes},
        )  # fmt: skip
        self.log_path = folder / "log.txt"
        self._log_file = os.open(self.log_path, os.O_CREAT | os.O_WRONLY)
        self._sink = LogSink(self._log_file)
        self._folders = TemporaryFolders(folder)
        self._function = FunctionVersion(spec, "1" if snap_start else "$LATEST", "arn")
        self._spec = spec
        arguments = {"function": "f", "handler": spec.handler, "path": [str(code)], "site_first": False}
        self.base = BaseProcess({**common_variables(os.environ), **base_variables}, self._sink)
        spawn = SpawnLauncher(arguments, code)
        self._launcher: Any = spawn if from_scratch else _ForkLauncher(self.base, spawn)
        if snap_start:
            self._launcher = SnapshotLauncher(spawn, lambda: self._variables("", "s"), self._open_log(), 30)
        settings = EnvironmentSettings(
            self._function, self._launcher, self._variables, self._open_log, self._folders, init_s
        )
        self.pool = EnvironmentPool(
            "f",
            self._function.version,
            lambda pool: ExecutionEnvironment(pool, settings),
        )

    def _open_log(self) -> EnvironmentLog:
        output, memory_mb = self._sink.stream("/aws/lambda/f", uuid4().hex), self._spec.memory_mb
        platform = PlatformLog(output, "Text", self._function.version, memory_mb, lambda: dt.datetime.now(dt.UTC))
        return EnvironmentLog(output.name, output, platform)

    def _variables(self, runtime_api: str, stream: str) -> dict[str, str]:
        return environment_variables(self._function, os.environ, region="r", log_stream=stream, runtime_api=runtime_api)

    async def call(self, **event: Any) -> InvocationResult:
        future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        more = {name: event.pop(name) for name in ("want_log_tail", "client_context", "delay_s") if name in event}
        self.pool.submit(Invocation(str(uuid4()), json.dumps(event).encode(), "arn", "", future, **more))
        async with asyncio.timeout(GENEROUS_S):
            return await future

    async def result(self, **event: Any) -> Any:
        done = await self.call(**event)
        assert done.function_error is None, done.payload
        return json.loads(done.payload)["result"]

    async def log_line(self, text: str) -> str:
        """Wait until the log has a line with this text, and return the line."""
        return await until(lambda: next((line for line in self.log.splitlines() if text in line), None))

    def finish_log(self) -> None:
        """Have all output so far written into the log; what is printed later isn't."""
        self._sink.close()
        self._sink._thread.join()

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    async def end_snapshot(self) -> None:
        """End the process that environments are forked from, as the emulator does once it can't be forked any more."""
        snapshot = self._launcher._snapshot
        snapshot.kill()
        await snapshot.wait_ended()

    async def close(self) -> None:
        await self.pool.close()
        if isinstance(self._launcher, SnapshotLauncher):
            await self._launcher.close()
        await self.base.close()
        self._sink.close()
        self._folders.close()
        os.close(self._log_file)


async def until(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(GENEROUS_S):
        while not (value := condition()):
            await asyncio.sleep(0.01)
    return value
