"""The command line's errors, and the one table of exit codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from batch_scoring.errors import BatchScoringError, UnusableFileError
from model_artifact.errors import ArtifactError
from model_registry.errors import InvalidAliasError, InvalidNameError, RegistryError
from model_rollout.plan import InvalidPlanError
from training.errors import TrainingError

EXIT_FAILED = 1
EXIT_USAGE = 2
# By the monitor's verdict. A line of cron tells from them what is to be done.
EXIT_BY_VERDICT = {"ok": 0, "recalibrate": 3, "refit": 4, "look": 5, "not enough data": 6}


class CommandError(Exception):
    """Base of the command line's own errors; the message says what is wrong and what to do."""


class UsageError(CommandError):
    """The command's arguments can't be right."""


class StackError(CommandError):
    """A process of the local stack didn't start, or ended by itself."""


class PortTakenError(StackError):
    """Another process listens on a port that the stack needs."""

    def __init__(self, port: int, flag: str) -> None:
        super().__init__(
            f"Port {port} is taken. Stop the process that listens there, or choose another port with {flag} "
            f"(make run {flag.lstrip('-').upper().replace('-', '_')}=...)."
        )
        self.port = port
        self.flag = flag


class NoLiveVersionError(CommandError):
    """Several versions are published, and the default alias points at none of them."""

    def __init__(self, alias: str, versions: Sequence[int]) -> None:
        super().__init__(
            f"Alias {alias!r} is not set, and there are versions {', '.join(map(str, versions))}. Say which one "
            f"serves: run 'peerloan up --no-api', and beside it 'peerloan alias set {alias} --version NUMBER'."
        )
        self.alias = alias
        self.versions = tuple(versions)


class StackRunsError(StackError):
    """A stack of the same folder runs already. ``notes`` is that stack's running.json, empty while it starts."""

    def __init__(self, state_dir: Path, notes: Mapping[str, Any]) -> None:
        self.url = notes.get("api_url") or notes.get("bucket_url")
        self.pid = notes.get("pid")
        where = f"at {self.url} (process {self.pid})" if self.url else f"and is about to start, in {state_dir}"
        super().__init__(
            f"A stack of this folder runs already, {where}. Use it, stop it, or choose another folder "
            "with peerloan --state-dir."
        )


class StackNotRunningError(StackError):
    """No local stack of the folder runs. ``otherwise`` says how to name something else than the local stack."""

    def __init__(self, state_dir: Path, otherwise: str) -> None:
        super().__init__(f"No local stack of {state_dir} runs. Start it with make run; or {otherwise}.")
        self.state_dir = state_dir


class DeploymentError(CommandError):
    """The function's code could not be deployed."""


class ServiceError(CommandError):
    """The API refused a request or could not be reached."""


# The first row that fits decides. An error in no row is a bug and keeps its traceback.
EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (UsageError, EXIT_USAGE),
    (UnusableFileError, EXIT_USAGE),
    (InvalidNameError, EXIT_USAGE),
    (InvalidAliasError, EXIT_USAGE),
    (InvalidPlanError, EXIT_USAGE),
    (CommandError, EXIT_FAILED),
    (RegistryError, EXIT_FAILED),
    (ArtifactError, EXIT_FAILED),
    (BatchScoringError, EXIT_FAILED),
    (TrainingError, EXIT_FAILED),
)


def exit_code(error: Exception) -> int | None:
    """Return the exit code of an error that a user can do something about, or None for a bug."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), None)
