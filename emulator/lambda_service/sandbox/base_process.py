"""The base: one process that has started Python and no function, forked for each environment without SnapStart.

Starting Python and importing the runtime client takes most of the time of a small function's cold start. Here both are
done once. A fork imports the client and the function by itself, so that each environment has an init phase of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from emulator.lambda_service.sandbox.forking_process import (
    ForkingProcess,
    ForkingProcessGoneError,
    SnapshotInitError,
    UnforkableError,
)
from emulator.lambda_service.sandbox.logs import LogOutput
from emulator.lambda_service.sandbox.processes import EnvironmentProcess, SpawnLauncher

_READY_LIMIT_S = 30.0
_ATTEMPTS = 2


class BaseProcess:
    """Forks the environments of all functions; started at the first need, and again after its end.

    `variables` are those that every function has. What the base itself prints goes to ``output``.
    """

    def __init__(self, variables: Mapping[str, str], output: LogOutput) -> None:
        self._variables = variables
        self._output = output
        self._process: ForkingProcess | None = None
        self._starting = asyncio.Lock()
        self._is_forkable = True

    async def fork(
        self, launcher: SpawnLauncher, environment: Mapping[str, str], output: LogOutput
    ) -> EnvironmentProcess:
        """Fork a process that does what `launcher` would start from scratch; start it so if the base can't fork."""
        settings = {**launcher.settings, "role": "environment", "folder": str(launcher.folder)}
        for _ in range(_ATTEMPTS if self._is_forkable else 0):
            try:
                return await (await self._ready()).fork(environment, output, settings)
            except ForkingProcessGoneError:
                continue
            except UnforkableError:
                # Another base would have the same threads: no function has run in this one.
                self._is_forkable = False
                break
            except (SnapshotInitError, OSError):
                break
        return await launcher.launch(environment, output)

    async def close(self) -> None:
        """End the process. Its forks should have ended before, since it collects them."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait_ended()

    async def _ready(self) -> ForkingProcess:
        async with self._starting:
            if self._process is None or not self._process.is_alive:
                launcher = SpawnLauncher({}, Path("/"))
                self._process = ForkingProcess(launcher, self._variables, self._output, "base")
                await self._process.wait_ready(_READY_LIMIT_S)
            return self._process
