"""Starts, watches and ends the processes of functions; each has a pipe for its output and one that ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from emulator.lambda_service.sandbox.logs import LogPipe, LogSink
from emulator.lambda_service.sandbox.process_tree import (
    adopt_orphans,
    end_orphans_of,
    kill_group,
    kill_tree,
    spare_environment,
)

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")


class EnvironmentProcess(Protocol):
    """A process that runs one environment."""

    pid: int
    output: LogPipe
    ended: asyncio.Future[int | None]
    """Done when the process has ended: its exit status, negative for a signal, None if it isn't known."""
    began: float
    """When the emulator asked for it, by `time.perf_counter`."""
    is_restored: bool
    """Whether it was forked from a snapshot, so that only the hooks after the restore have to run."""

    def is_alive(self) -> bool:
        """Whether it still runs; `ended` is set a moment after the end."""

    def kill(self) -> None:
        """End the process and all that it has started, at once."""


class Launcher(Protocol):
    """A way to get an environment's process."""

    async def launch(self, environment: Mapping[str, str]) -> EnvironmentProcess:
        """Start a process with these variables; it initialises by itself from here on."""


@dataclass(frozen=True, slots=True)
class SpawnLauncher:
    """Starts each environment from scratch; it imports the function's modules by itself."""

    settings: Mapping[str, Any]  # The JSON argument of `bootstrap`, without role and descriptors
    folder: Path
    sink: LogSink

    async def launch(self, environment: Mapping[str, str]) -> EnvironmentProcess:
        """Start a process."""
        return SpawnedProcess(self, environment, {"role": "environment"})


class SpawnedProcess:
    """A process that was started from scratch, in a role of `bootstrap`; it inherits the descriptors in `inherit`."""

    is_restored = False

    def __init__(
        self,
        launcher: SpawnLauncher,
        environment: Mapping[str, str],
        role: Mapping[str, Any],
        *,
        inherit: Sequence[int] = (),
    ) -> None:
        adopt_orphans()
        self.began = time.perf_counter()
        life_read, self._life = os.pipe()
        self.output = LogPipe(launcher.sink)
        settings = {**launcher.settings, **role, "life_fd": life_read}
        try:
            # -P: the folder of bootstrap.py must not be on the function's path.
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_BOOTSTRAP), json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=self.output.write_fd,
                stderr=self.output.write_fd,
                cwd=launcher.folder,
                env=dict(environment),
                pass_fds=(life_read, *inherit),
                start_new_session=True,
            )
        except BaseException as error:
            os.close(self._life)
            self.output.finish()
            if isinstance(error, ValueError):  # A variable that can't exist, such as one with a NUL.
                raise OSError(errno.EINVAL, str(error)) from error
            raise
        finally:
            os.close(life_read)
            self.output.close_write_end()
        self.pid = self._process.pid
        spare_environment(self.pid)
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        watch_exit(self.pid, self._reap, otherwise=self._process.wait)

    def is_alive(self) -> bool:
        """See `EnvironmentProcess`."""
        # Without collecting it: until `_reap` does, no other process or group can get its id.
        if not hasattr(os, "waitid"):
            return self._process.poll() is None
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        return False

    def kill(self, spare: Collection[int] = ()) -> None:
        """End the process and all below it at once, without the children in `spare`."""
        if not self.ended.done():
            kill_tree(self.pid, spare)

    def _reap(self) -> None:
        # The rest of its group ends with it. Before the wait below, no other group can have this id.
        kill_group(self.pid)
        status = self._process.wait()
        end_orphans_of(self.pid)
        os.close(self._life)
        self.output.finish()
        if not self.ended.done():
            self.ended.set_result(status)


def watch_exit(pid: int, ended: Callable[[], object], otherwise: Callable[[], object] | None = None) -> None:
    """Call `ended` on the event loop, once, when a process has ended.

    Parameters
    ----------
    pid : int
        Any process if the system has pidfds, else a child of this process.
    ended : callable
        Called without arguments.
    otherwise : callable, optional
        Waits for the end; it runs in a thread if the system has no pidfds.
    """
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        if otherwise is not None:
            threading.Thread(target=_wait_in_thread, args=(otherwise, loop, ended), daemon=True).start()
        else:
            loop.call_soon(ended)
        return

    def readable() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        ended()

    loop.add_reader(descriptor, readable)


def _wait_in_thread(wait: Callable[[], object], loop: asyncio.AbstractEventLoop, ended: Callable[[], object]) -> None:
    wait()
    with contextlib.suppress(RuntimeError):  # The loop is closed: the emulator has ended.
        loop.call_soon_threadsafe(ended)
