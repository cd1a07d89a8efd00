"""SnapStart as fork: the function is initialised once, and each environment is a fork of that process.

Fidelity: Lambda takes a snapshot of an initialised microVM and restores copies of it. A fork is the same to the
function: modules, clients and models in memory are there already, the snapshot hooks run around it, and
whatever was random before it is equal in every copy. What a fork can't copy is threads: where there are any,
the function is initialised in each environment instead, and that is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import select
import socket
from collections.abc import Callable, Mapping
from typing import Any

from emulator.lambda_service import invocations
from emulator.lambda_service.logs import LogPipe, LogSink, PlatformLog
from emulator.lambda_service.processes import (
    EnvironmentProcess,
    Launcher,
    ProcessPlan,
    SpawnedProcess,
    kill_group,
    watch_exit,
)

# Lambda gives the initialisation of a version with SnapStart 130 s, or the function's timeout if that is more.
SNAPSHOT_INIT_LIMIT_S = 130.0
_ATTEMPTS = 2
_STOPPED = invocations.error_payload("Runtime.ExitError", "stopped")


class SnapshotInitError(Exception):
    """The function can't be initialised; `payload` is what a caller is told."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        super().__init__(payload.decode(errors="replace"))


class UnforkableError(Exception):
    """The initialised process has threads, which a fork would lose."""

    def __init__(self, threads: list[str]) -> None:
        self.threads = threads
        super().__init__(", ".join(threads))


class TemplateGoneError(Exception):
    """The initialised process has ended."""


class ForkedProcess:
    """An environment's process that was forked from a template."""

    def __init__(self, output: LogPipe, life_fd: int) -> None:
        self.pid = 0
        self.output = output
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._life: int | None = life_fd
        self._pidfd: int | None = None

    def was_born(self, pid: int) -> None:
        """Note the process's id."""
        self.pid = pid
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(pid)

    def is_alive(self) -> bool:
        """See `EnvironmentProcess`."""
        if self.ended.done() or self._pidfd is None:
            return not self.ended.done()
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return not poll.poll(0)

    def kill(self) -> None:
        """End the process group at once."""
        self._let_go()
        if self.pid and not self.ended.done():
            kill_group(self.pid)

    def set_ended(self, status: int | None) -> None:
        """Note that the process is gone."""
        if self.ended.done():
            return
        kill_group(self.pid)
        self._let_go()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        self.output.finish()
        self.ended.set_result(status)

    def _let_go(self) -> None:
        # The kernel kills the group when this end closes, even before the fork has made itself a group.
        if self._life is not None:
            os.close(self._life)
            self._life = None


class TemplateProcess:
    """An initialised process that forks on request.

    Parameters
    ----------
    plan : ProcessPlan
        How to start it.
    sink : LogSink
        Where its output goes, and that of its forks.
    """

    def __init__(self, plan: ProcessPlan, sink: LogSink) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._control.setblocking(False)
        with theirs:
            settings = {**plan.settings, "role": "template", "control_fd": theirs.fileno()}
            full = ProcessPlan(settings, plan.environment, plan.folder)
            self._process = SpawnedProcess(full, sink, inherit=(theirs.fileno(),))
        self._rest = b""
        self._answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._forking = asyncio.Lock()
        self._newborn: ForkedProcess | None = None
        self._forks: dict[int, ForkedProcess] = {}
        self._loop.add_reader(self._control.fileno(), self._read)
        self._process.ended.add_done_callback(self._template_ended)

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked to fork."""
        return not self._process.ended.done()

    async def wait_ready(self, limit_s: float) -> None:
        """Wait for the initialisation.

        Raises
        ------
        SnapshotInitError
            The function raised, exited or took too long.
        UnforkableError
            It started threads.
        """
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._answer
        except TimeoutError:
            self.kill()
            raise SnapshotInitError(invocations.timed_out("", limit_s)) from None
        except TemplateGoneError:
            status = self._process.ended.result() if self._process.ended.done() else None
            raise SnapshotInitError(invocations.exited("", status)) from None
        if "error" in answer:
            self._process.output.drain()
            raise SnapshotInitError(json.dumps(answer["error"]).encode())
        if "threads" in answer:
            raise UnforkableError(answer["threads"])

    async def fork(self, environment: Mapping[str, str]) -> EnvironmentProcess:
        """Fork an environment.

        Raises
        ------
        TemplateGoneError
            The process has ended.
        UnforkableError
            It has started threads since.
        """
        async with self._forking:
            if not self.is_alive:
                raise TemplateGoneError
            life_read, life_write = os.pipe()
            output = LogPipe(self._sink)
            self._newborn = ForkedProcess(output, life_write)
            self._answer = self._loop.create_future()
            message = json.dumps({"environment": dict(environment)}).encode()
            try:
                socket.send_fds(self._control, [message], [life_read, output.write_fd])
            except OSError as error:
                self._newborn.kill()
                output.finish()
                raise TemplateGoneError from error
            finally:
                os.close(life_read)
                output.close_write_end()
            newborn = self._newborn
            try:
                answer = await self._answer
            except TemplateGoneError:
                newborn.kill()
                output.finish()
                raise
            if "threads" in answer:
                newborn.kill()
                output.finish()
                raise UnforkableError(answer["threads"])
            return newborn

    def kill(self) -> None:
        """End the process; its forks live on."""
        self._process.kill()

    async def wait_ended(self) -> None:
        """Wait until the process is gone."""
        await asyncio.shield(self._process.ended)

    def _read(self) -> None:
        try:
            data = self._control.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._control.fileno())
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "ended" in message:
            fork = self._forks.pop(message["ended"], None)
            if fork is not None:
                fork.set_ended(message["status"])
            return
        if "pid" in message and self._newborn is not None:
            # Noted here and not where the answer is awaited: its end may be the next message.
            self._newborn.was_born(message["pid"])
            self._forks[message["pid"]] = self._newborn
        if not self._answer.done():
            self._answer.set_result(message)

    def _template_ended(self, _: asyncio.Future[int | None]) -> None:
        self._read_what_is_left()
        self._control.close()
        if not self._answer.done():
            self._answer.set_exception(TemplateGoneError())
            self._answer.exception()
        for pid, fork in self._forks.items():
            if hasattr(os, "pidfd_open"):
                watch_exit(pid, functools.partial(fork.set_ended, None))
            else:
                fork.kill()
                fork.set_ended(None)
        self._forks.clear()

    def _read_what_is_left(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := self._control.recv(65_536):
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
        with contextlib.suppress(OSError, ValueError):
            self._loop.remove_reader(self._control.fileno())


class SnapshotLauncher:
    """Gets environments by forking a template, which it makes when first needed and again when it is gone.

    Parameters
    ----------
    plan : callable
        Returns how to start a template.
    sink : LogSink
        Where output goes.
    log : PlatformLog
        Where a fallback is said.
    fallback : Launcher
        For a function that can't be forked.
    limit_s : float
        How long the initialisation may take.
    """

    def __init__(
        self, plan: Callable[[], ProcessPlan], sink: LogSink, log: PlatformLog, fallback: Launcher, limit_s: float
    ) -> None:
        self._plan = plan
        self._sink = sink
        self._log = log
        self._fallback = fallback
        self._limit_s = limit_s
        self._making = asyncio.Lock()
        # The ready one; and the one made last, ready or not, which `close` must end.
        self._template: TemplateProcess | None = None
        self._newest: TemplateProcess | None = None
        self._is_forkable = True
        self._is_closed = False

    async def prepare(self) -> None:
        """Initialise the function now, so that the first request need not wait; errors come with that request."""
        with contextlib.suppress(SnapshotInitError, UnforkableError, OSError):
            await self._ready_template()

    async def launch(self, environment: Mapping[str, str]) -> EnvironmentProcess:
        """Fork a process.

        Raises
        ------
        SnapshotInitError
            The function can't be initialised, or this is closed.
        """
        for _ in range(_ATTEMPTS):
            if not self._is_forkable:
                break
            try:
                return await (await self._ready_template()).fork(environment)
            except TemplateGoneError:
                self._log.note("the snapshot's process has ended; making another one")
            except UnforkableError as error:
                self._fall_back(error)
        if self._is_closed:
            raise SnapshotInitError(_STOPPED)
        return await self._fallback.launch(environment)

    def refuse(self) -> None:
        """Make no more environments; who waits for the initialisation is told now that it has stopped."""
        self._is_closed = True
        if self._newest is not None and self._newest is not self._template:
            self._newest.kill()

    async def close(self) -> None:
        """End the template. Its forks have better ended before: it is what reaps them."""
        self.refuse()
        if self._newest is not None:
            self._newest.kill()
            await self._newest.wait_ended()

    async def _ready_template(self) -> TemplateProcess:
        async with self._making:
            if self._is_closed:
                raise SnapshotInitError(_STOPPED)
            if self._template is not None and self._template.is_alive:
                return self._template
            self._template = None
            self._newest = template = TemplateProcess(self._plan(), self._sink)
            try:
                await template.wait_ready(self._limit_s)
            except BaseException:  # Being cancelled, too: nobody would know then whether it is ready.
                template.kill()
                raise
            self._template = template
            return template

    def _fall_back(self, error: UnforkableError) -> None:
        if self._is_forkable:
            self._is_forkable = False
            if self._template is not None:
                self._template.kill()
            self._log.note(
                f"SnapStart: threads are alive after initialisation ({error}), which a fork would lose, so each "
                "environment initialises by itself. OMP_NUM_THREADS=1 among the function's variables is the usual cure."
            )
