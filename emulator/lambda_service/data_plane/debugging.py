"""The one function that runs under a debugger (``-d PORT``): one environment, and no limits of time.

Its process listens for the debugger before it imports the function, and waits there until one attaches.
"""

from __future__ import annotations

import asyncio
import dataclasses
import weakref
from collections.abc import Callable
from pathlib import Path

from emulator.lambda_service.data_plane.pool import EnvironmentPool
from emulator.lambda_service.function_version import FunctionVersion
from emulator.template.project import FunctionSpec

DEBUGGER_HOST = "127.0.0.1"
# As good as no limit for somebody at a breakpoint, and a time that every clock can add.
NO_LIMIT_S = 7 * 24 * 3600
# What debugpy takes in the function's process and beside it; it doesn't count as the function's memory.
DEBUGGER_MB = 512
_LOOK_AGAIN_S = 0.05


class Debugger:
    """The debugger's port, which the environment of one version at a time can listen on.

    Parameters
    ----------
    spec : FunctionSpec
        The function in the template: its folders are where breakpoints are set.
    port : int
        On this machine's own address.
    """

    def __init__(self, spec: FunctionSpec, port: int) -> None:
        self.spec = spec
        self.port = port
        self._pools: weakref.WeakSet[EnvironmentPool] = weakref.WeakSet()

    def add(self, pool: EnvironmentPool) -> None:
        """Note a version's environments, of which only one may have the port."""
        self._pools.add(pool)

    async def free_port(self, pool: EnvironmentPool) -> None:
        """Wait until no other version of the function has an environment; idle ones are ended."""
        while others := [other for other in self._pools if other is not pool and other.size]:
            for other in others:
                other.vacate()
            await asyncio.sleep(_LOOK_AGAIN_S)

    def run_as(self, function: FunctionVersion, is_copy_of: Callable[[str, Path], bool]) -> FunctionVersion:
        """Return a version as it runs under the debugger.

        Without limits of time, and without a snapshot, which would wait for the debugger. Its modules come from the
        template's own folders, where the editor has set breakpoints, if these still hold the version's code.
        `is_copy_of` says whether the copy of a digest has the same content as a folder.
        """
        sources = (self.spec.code_dir, *self.spec.layer_dirs)

        def source_of(copy: Path) -> Path:
            return next((folder.resolve() for folder in sources if is_copy_of(copy.name, folder)), copy)

        spec = dataclasses.replace(
            function.spec,
            code_dir=source_of(function.spec.code_dir),
            layer_dirs=tuple(map(source_of, function.spec.layer_dirs)),
            timeout_s=NO_LIMIT_S,
            snap_start=False,
        )
        return FunctionVersion(spec, function.version, function.arn)
