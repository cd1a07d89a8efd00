"""Starts, watches and ends the processes of functions; each has a pipe for its output and one that ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from emulator.lambda_service.sandbox.bootstrap import become_subreaper
from emulator.lambda_service.sandbox.logs import LogOutput, LogPipe
from emulator.lambda_service.sandbox.process_tree import end_orphans_of, kill_group, kill_tree, spare_environment

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")


class EnvironmentProcess:
    """A function's process: started from scratch by `SpawnLauncher`, or forked from an initialised one.

    A fork isn't a child of the emulator: the process that it was forked from reports its start and its end.
    """

    def __init__(self, output: LogOutput, *, is_restored: bool = False) -> None:
        self.pid = 0
        self.is_restored = is_restored
        """Whether it is forked from a snapshot, so that only the hooks after the restore have to run."""
        self.began = time.perf_counter()
        """When the emulator asked for it."""
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        """Done when it has ended: its exit status, negative for a signal, None if it isn't known."""
        self.output = LogPipe(output)
        self._life: int | None
        # The process dies when the emulator's end of this pipe is closed.
        self.life_fd, self._life = os.pipe()
        self._pidfd: int | None = None

    def close_handed_over(self) -> None:
        """Close the emulator's copies of the descriptors that the process has got."""
        os.close(self.life_fd)
        os.close(self.output.write_fd)

    def set_pid(self, pid: int) -> None:
        """Note the id of the process, which has begun."""
        self.pid = pid
        # A fork becomes a child of the emulator if the process that it was forked from ends.
        spare_environment(pid)
        with contextlib.suppress(AttributeError, OSError):  # Only Linux has pidfds.
            self._pidfd = os.pidfd_open(pid)

    def is_alive(self) -> bool:
        """Return whether it still runs; `ended` is set a moment after the end."""
        if self.ended.done() or self._pidfd is None:
            return not self.ended.done()
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return not poll.poll(0)

    def kill(self, spare: Collection[int] = ()) -> None:
        """End the process and all below it at once, without the children in `spare`."""
        if self.pid and self.is_alive():
            kill_tree(self.pid, spare)
        self._close_life_pipe()

    def set_ended(self, status: int | None) -> None:
        """Note that the process is gone, or never began."""
        if self.ended.done():
            return
        end_orphans_of(self.pid)
        self._close_life_pipe()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        self.output.finish()
        self.ended.set_result(status)

    def _close_life_pipe(self) -> None:
        # The kernel kills the group when this end closes, even before a fork has made itself a group.
        if self._life is not None:
            os.close(self._life)
            self._life = None


class Launcher(Protocol):
    """A way to get an environment's process."""

    async def launch(self, environment: Mapping[str, str], output: LogOutput) -> EnvironmentProcess:
        """Start a process with these variables; it initialises by itself from here on, and prints to ``output``."""


@dataclass(frozen=True, slots=True)
class SpawnLauncher:
    """Starts each environment from scratch; it imports the function's modules by itself."""

    settings: Mapping[str, Any]  # The JSON argument of `bootstrap`, without role and descriptors
    folder: Path

    async def launch(self, environment: Mapping[str, str], output: LogOutput) -> EnvironmentProcess:
        """Start a process."""
        return self.spawn(environment, output, {"role": "environment"})

    def spawn(
        self, environment: Mapping[str, str], output: LogOutput, role: Mapping[str, Any], inherit: Sequence[int] = ()
    ) -> EnvironmentProcess:
        """Start a process in a role of `bootstrap`; it inherits the descriptors in `inherit`."""
        become_subreaper()
        process = EnvironmentProcess(output)
        settings = {**self.settings, **role, "life_fd": process.life_fd}
        # A debugger can't stop in modules that are frozen into the interpreter.
        options = ["-X", "frozen_modules=off"] if settings.get("debug_port") else []
        try:
            # -P: the folder of bootstrap.py must not be on the function's path.
            child = subprocess.Popen(
                [sys.executable, "-P", *options, str(_BOOTSTRAP), json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=process.output.write_fd,
                stderr=process.output.write_fd,
                cwd=self.folder,
                env=dict(environment),
                pass_fds=(process.life_fd, *inherit),
                start_new_session=True,
            )
        except BaseException as error:
            process.set_ended(None)
            if isinstance(error, ValueError):  # A variable that can't exist, such as one with a NUL.
                raise OSError(errno.EINVAL, str(error)) from error
            raise
        finally:
            process.close_handed_over()
        process.set_pid(child.pid)

        def reap() -> None:
            # The rest of its group ends with it. Before the wait below, no other group can have this id.
            kill_group(child.pid)
            process.set_ended(child.wait())

        watch_exit(child.pid, reap, otherwise=child.wait)
        return process


def watch_exit(pid: int, ended: Callable[[], object], otherwise: Callable[[], object] | None = None) -> None:
    """Call `ended` on the event loop, once, when a process has ended.

    Without pidfds, which only Linux has, it must be a child of this process: `otherwise` waits for its end in a thread.
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
