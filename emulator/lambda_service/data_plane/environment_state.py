"""What an environment may be doing, and what it tells its owner."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

from emulator.lambda_service.invocation import ApiError

if TYPE_CHECKING:
    from emulator.lambda_service.data_plane.environment import ExecutionEnvironment


class State(enum.Enum):
    """What an environment is doing."""

    STARTING = "starting"
    """Its process initialises the function; it has never been ready."""
    IDLE = "idle"
    """It waits for an invocation, or is about to: its last answer is out."""
    BUSY = "busy"
    """It has an invocation."""
    RESET = "reset"
    """Its process has failed; its next invocation begins with initialising."""
    STOPPED = "stopped"
    """Its process is gone or going; it takes nothing any more."""


class EnvironmentOwner(Protocol):
    """The pool, as an environment sees it."""

    def environment_is_free(self, environment: ExecutionEnvironment) -> None:
        """It became ready, or has answered; it may be given an invocation now."""

    def environment_was_reset(self, environment: ExecutionEnvironment) -> None:
        """Its process is gone; it may be given an invocation, which will have to wait for another one."""

    def environment_failed_to_start(
        self, environment: ExecutionEnvironment, payload: bytes, error: ApiError | None
    ) -> None:
        """It never became ready; `payload` is what a caller is told, `error` what Invoke answers."""
