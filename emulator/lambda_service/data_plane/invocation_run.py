"""One invocation in the environment that it was given to: its clock, its log and its end."""

from __future__ import annotations

import time

from emulator.lambda_service.data_plane.initialisation import Initialisation
from emulator.lambda_service.function_version import FunctionVersion
from emulator.lambda_service.invocation import UNHANDLED, ApiError, Invocation, InvocationResult
from emulator.lambda_service.sandbox.logs import LogTail
from emulator.lambda_service.sandbox.platform_log import PlatformLog
from emulator.lambda_service.sandbox.runtime_api import RuntimeApi


class InvocationRun:
    """An invocation from the moment that an environment takes it.

    Parameters
    ----------
    invocation : Invocation
        What was asked for.
    function : FunctionVersion
        What runs.
    log : PlatformLog
        START, END and REPORT.
    """

    __slots__ = ("_began", "_function", "_is_logged", "_log", "invocation", "is_delivered", "tail")

    def __init__(self, invocation: Invocation, function: FunctionVersion, log: PlatformLog) -> None:
        self.invocation = invocation
        self.is_delivered = False
        """Whether the runtime has it: then it fails if the process does."""
        self.tail = LogTail() if invocation.want_log_tail else None
        self._function = function
        self._log = log
        self._is_logged = False
        self._began = time.perf_counter()

    def begin(self) -> None:
        """Write START, unless that is written."""
        if not self._is_logged:
            self._is_logged = True
            self._log.started(self.invocation.request_id, self.tail)

    def delay_left_s(self) -> float:
        """Return how much later a fault on purpose wants it delivered."""
        return self._began + self.invocation.delay_s - time.perf_counter()

    def deliver(self, runtime: RuntimeApi) -> None:
        """Hand it to the runtime, which waits for it."""
        self.is_delivered = True
        self.begin()
        invocation = self.invocation
        left_s = self._function.spec.timeout_s - (time.perf_counter() - self._began)
        deadline_ms = int((time.time() + left_s) * 1000)
        runtime.send_invocation(
            invocation.request_id,
            invocation.payload,
            deadline_ms,
            invocation.arn,
            invocation.trace_id,
            invocation.client_context,
        )

    def end(
        self,
        payload: bytes,
        failure: str | None,
        peak_memory_mb: int | None,
        initialisation: Initialisation,
        *,
        error_type: str | None = None,
        api_error: ApiError | None = None,
    ) -> None:
        """Write END and REPORT, and give the caller the answer.

        Parameters
        ----------
        payload : bytes
            The function's answer, or the error.
        failure : str or None
            ``error`` or ``timeout``; None for an answer.
        peak_memory_mb : int or None
            For the report.
        initialisation : Initialisation
            What it took, which the first report after it says.
        error_type, api_error
            See `PlatformLog.ended` and `InvocationResult`.
        """
        self._log.ended(
            self.invocation.request_id,
            (time.perf_counter() - self._began) * 1000,
            peak_memory_mb,
            init_ms=initialisation.init_ms,
            restore_ms=initialisation.restore_ms,
            status="success" if failure is None else failure,
            error_type=error_type,
            tail=self.tail,
        )
        initialisation.init_ms = initialisation.restore_ms = None
        if not self.invocation.result.done():
            error = None if failure is None else UNHANDLED
            log_tail = None if self.tail is None else self.tail.value
            result = InvocationResult(payload, error, self._function.version, log_tail, api_error)
            self.invocation.result.set_result(result)
