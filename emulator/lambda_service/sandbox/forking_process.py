"""A process that is forked for each environment: a snapshot, in which a function is initialised once, or the base.

The process and the emulator exchange JSON messages over a socket, one a line. The process reports that it is ready or
why it isn't, forks on request (it gets the new process's pipes as descriptors), and reports each fork's start and end.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from emulator.lambda_service import invocation
from emulator.lambda_service.invocation import InitFailure
from emulator.lambda_service.sandbox.logs import LogOutput
from emulator.lambda_service.sandbox.process_tree import collect, kill_group
from emulator.lambda_service.sandbox.processes import EnvironmentProcess, SpawnLauncher, watch_exit


class SnapshotInitError(Exception):
    """The function, or the base, raised, exited or took too long while it was initialised."""

    def __init__(self, failure: InitFailure) -> None:
        self.failure = failure._replace(is_final=True)
        super().__init__(failure.payload.decode(errors="replace"))


class UnforkableError(Exception):
    """The process has threads, which a fork would lose."""

    def __init__(self, threads: list[str]) -> None:
        self.threads = threads
        super().__init__(", ".join(threads))


class ForkingProcessGoneError(Exception):
    """The process has ended, and forks no more."""


class ForkingProcess:
    """A process that forks on request, in a role of `bootstrap`; `environment` holds all of its variables.

    What it prints goes to ``output``; each fork has another one.
    """

    def __init__(
        self, launcher: SpawnLauncher, environment: Mapping[str, str], output: LogOutput, role: str = "snapshot"
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._control, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._control.setblocking(False)
        settings = {"role": role, "control_fd": far_end.fileno()}
        try:
            with far_end:
                self._process = launcher.spawn(environment, output, settings, inherit=(far_end.fileno(),))
        except BaseException:
            self._control.close()
            raise
        self._unfinished_line = b""
        self._answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._forking = asyncio.Lock()
        self._starting_fork: EnvironmentProcess | None = None
        self._forks: dict[int, EnvironmentProcess] = {}
        self._loop.add_reader(self._control.fileno(), self._read)
        self._process.ended.add_done_callback(self._process_ended)

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked to fork."""
        return not self._process.ended.done()

    async def wait_ready(self, limit_s: float) -> None:
        """Wait for the initialisation; raise `SnapshotInitError`, or `UnforkableError` if it has started threads."""
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._answer
        except TimeoutError:
            self.kill()
            raise SnapshotInitError(InitFailure(invocation.timed_out("", limit_s), "timeout")) from None
        except ForkingProcessGoneError:
            status = self._process.ended.result() if self._process.ended.done() else None
            raise SnapshotInitError(InitFailure(invocation.exited("", status))) from None
        self._process.output.end_line()
        if "error" in answer:
            payload = json.dumps(answer["error"]).encode()
            if len(payload) > invocation.MAX_ANSWER_BYTES:
                payload = invocation.too_large(len(payload))
            raise SnapshotInitError(InitFailure(payload))
        if "threads" in answer:
            raise UnforkableError(answer["threads"])

    async def fork(
        self, environment: Mapping[str, str], output: LogOutput, settings: Mapping[str, Any] | None = None
    ) -> EnvironmentProcess:
        """Fork an environment, which a snapshot has initialised; with `settings`, it initialises by itself.

        Raise `ForkingProcessGoneError`, or `UnforkableError` if threads have been started since.
        """
        async with self._forking:
            if not self.is_alive:
                raise ForkingProcessGoneError
            fork = self._starting_fork = EnvironmentProcess(output, is_restored=settings is None)
            self._answer = self._loop.create_future()
            try:
                self._ask_for(fork, {"environment": dict(environment), "settings": settings})
                answer = await self._answer
                if "threads" in answer:
                    raise UnforkableError(answer["threads"])
            except (ForkingProcessGoneError, UnforkableError):
                fork.set_ended(None)
                raise
            return fork

    def kill(self) -> None:
        """End the process; its forks live on."""
        self._process.kill(spare=self._forks)

    async def wait_ended(self) -> None:
        """Wait until the process is gone."""
        await asyncio.shield(self._process.ended)

    def _ask_for(self, fork: EnvironmentProcess, request: Mapping[str, Any]) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], [fork.life_fd, fork.output.write_fd])
        except OSError as error:
            raise ForkingProcessGoneError from error
        finally:
            fork.close_handed_over()

    def _read(self) -> None:
        """Take the messages that have arrived."""
        while True:
            try:
                data = self._control.recv(65_536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._loop.remove_reader(self._control.fileno())
                return
            *lines, self._unfinished_line = (self._unfinished_line + data).split(b"\n")
            for line in lines:
                self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "ended" in message:
            fork = self._forks.pop(message["ended"], None)
            if fork is not None:
                fork.set_ended(message["status"])
            return
        if "pid" in message and self._starting_fork is not None:
            # Noted here, not by `fork`: the next message in the same read may report that the fork has ended.
            self._starting_fork.set_pid(message["pid"])
            self._forks[message["pid"]] = self._starting_fork
        if not self._answer.done():
            self._answer.set_result(message)

    def _process_ended(self, _: asyncio.Future[int | None]) -> None:
        self._read()
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        if not self._answer.done():
            self._answer.set_exception(ForkingProcessGoneError())
            self._answer.exception()
        for pid, fork in self._forks.items():
            if hasattr(os, "pidfd_open"):
                # From here on it is a child of the emulator, which collects it.
                watch_exit(pid, functools.partial(_collect, fork))
            else:
                fork.kill()
                fork.set_ended(None)
        self._forks.clear()


def _collect(fork: EnvironmentProcess) -> None:
    kill_group(fork.pid)
    fork.set_ended(collect(fork.pid))
