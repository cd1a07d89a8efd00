"""Getting an environment's process to the point where it asks for its first invocation, or knowing why it does not.

Source: "Understanding the Lambda execution environment lifecycle" and "Lambda SnapStart" in the developer guide.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from emulator.lambda_service import invocation
from emulator.lambda_service.invocation import SNAP_START_ERROR, SNAP_START_TIMEOUT, ApiError
from emulator.lambda_service.sandbox.platform_log import PlatformLog
from emulator.lambda_service.sandbox.processes import EnvironmentProcess, Launcher
from emulator.lambda_service.sandbox.snapshot_process import SnapshotInitError

ON_DEMAND = "on-demand"
PROVISIONED = "provisioned-concurrency"
OUT_OF_MEMORY = "Runtime.OutOfMemory"


class InitFailure(NamedTuple):
    """Why a process did not become ready.

    Parameters
    ----------
    payload : bytes
        What a caller is told.
    status : str
        ``error`` or ``timeout``.
    error_type : str or None
        For the log, where it differs from the payload's.
    api_error : ApiError or None
        Where Invoke itself fails.
    is_final : bool
        Whether Lambda does not try again inside the invocation.
    """

    payload: bytes
    status: str = "error"
    error_type: str | None = None
    api_error: ApiError | None = None
    is_final: bool = False

    @property
    def said_type(self) -> str | None:
        """The type of error that the log names; of a timeout it names none."""
        if self.status == "timeout":
            return None
        return self.error_type or invocation.error_type(self.payload)


STOPPED = InitFailure(invocation.error_payload("Runtime.ExitError", "stopped"), is_final=True)


class Initialisation:
    """One environment's initialisations, one after the other.

    Parameters
    ----------
    launcher : Launcher
        Where processes come from.
    log : PlatformLog
        INIT_START and INIT_REPORT, RESTORE_START and RESTORE_REPORT.
    restore_limit_s : float
        How long what runs after a restore may take.
    """

    def __init__(self, launcher: Launcher, log: PlatformLog, restore_limit_s: float) -> None:
        self._launcher = launcher
        self._log = log
        self._restore_limit_s = restore_limit_s
        self._outcome: asyncio.Future[InitFailure | None] | None = None
        self.init_ms: float | None = None
        """How long the last one took, if it was from scratch and outside of an invocation."""
        self.restore_ms: float | None = None
        """How long the last one took, if it was from a snapshot."""

    @property
    def is_under_way(self) -> bool:
        """Whether a process is being waited for."""
        return self._outcome is not None

    def end(self, failure: InitFailure | None) -> None:
        """Say how it has ended: None is for a process that is ready. Only the first word counts."""
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(failure)

    async def run(
        self,
        variables: Mapping[str, str],
        limit_s: float,
        phase: str,
        launched: Callable[[EnvironmentProcess], None],
    ) -> InitFailure | None:
        """Start a process and wait until `end` is called.

        Parameters
        ----------
        variables : mapping
            The process's.
        limit_s : float
            How long it may take; a restore has a limit of its own.
        phase : str
            ``init``, or ``invoke`` inside an invocation.
        launched : callable
            Told the process as soon as there is one.
        """
        kind = variables["AWS_LAMBDA_INITIALIZATION_TYPE"]
        self.init_ms = self.restore_ms = None
        self._outcome = asyncio.get_running_loop().create_future()
        try:
            process = await self._launcher.launch(variables)
        except SnapshotInitError as error:
            self._outcome = None
            return InitFailure(error.payload, error.status, is_final=True)
        except OSError as error:
            self._outcome = None
            payload = invocation.error_payload("Runtime.StartFailed", f"the process can't be started: {error}")
            return InitFailure(payload, is_final=True)
        launched(process)
        if process.is_restored:
            return await self._wait_restored(process)
        self._log.init_started(kind, phase)
        failure = await self._wait(process, limit_s)
        took_ms = (time.perf_counter() - process.began) * 1000
        if failure is not None:
            self._log.init_ended(kind, phase, took_ms, failure.status, failure.said_type)
        elif kind == PROVISIONED:
            self._log.init_ended(kind, phase, took_ms, "success")
        elif phase == "init":
            self.init_ms = took_ms
        return failure

    async def _wait_restored(self, process: EnvironmentProcess) -> InitFailure | None:
        self._log.restore_started()
        failure = await self._wait(process, self._restore_limit_s)
        took_ms = (time.perf_counter() - process.began) * 1000
        if failure is None:
            self._log.restore_ended(took_ms, "success")
            self.restore_ms = took_ms
            return None
        self._log.restore_ended(took_ms, failure.status, failure.said_type)
        if failure is STOPPED:
            return failure
        error = SNAP_START_TIMEOUT if failure.status == "timeout" else SNAP_START_ERROR
        return failure._replace(api_error=error, is_final=True)

    async def _wait(self, process: EnvironmentProcess, limit_s: float) -> InitFailure | None:
        assert self._outcome is not None
        timed_out = InitFailure(invocation.timed_out("", limit_s), "timeout")
        timer = asyncio.get_running_loop().call_later(limit_s, self.end, timed_out)
        try:
            failure = await self._outcome
        finally:
            timer.cancel()
            self._outcome = None
        if failure is not None:
            process.kill()
            process.output.drain()
        return failure
