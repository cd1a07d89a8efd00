"""What can go wrong on the command line, and the one table of exit codes."""

from __future__ import annotations

from collections.abc import Sequence

from model_artifact.errors import ArtifactError
from model_registry.errors import InvalidAliasError, InvalidNameError, RegistryError
from training.errors import TrainingError

EXIT_FAILED = 1
EXIT_USAGE = 2


class CommandError(Exception):
    """Base of the command line's own errors; the message says what, and what to do."""


class UsageError(CommandError):
    """The command was called with words that can't be right."""


class StackError(CommandError):
    """A part of the local stack did not start, or ended by itself."""


class PortTakenError(StackError):
    """Somebody else listens on a port that the stack needs."""

    def __init__(self, port: int, flag: str) -> None:
        super().__init__(
            f"Port {port} is taken. Stop what listens there, or choose another port with {flag} "
            f"(make run {flag.lstrip('-').upper().replace('-', '_')}=...)."
        )
        self.port = port
        self.flag = flag


class NoLiveVersionError(CommandError):
    """Versions are published, and no alias says which of them serves."""

    def __init__(self, alias: str, versions: Sequence[int]) -> None:
        super().__init__(
            f"Alias {alias!r} is not set, and there are versions {', '.join(map(str, versions))}: which one is to "
            f"serve? Run 'peerloan up --no-api', and beside it 'peerloan alias set {alias} --version NUMBER'."
        )
        self.alias = alias
        self.versions = tuple(versions)


class StackRunsError(StackError):
    """A stack of the same folder runs already."""

    def __init__(self, url: str, pid: int) -> None:
        super().__init__(
            f"A stack of this folder runs already, at {url} (process {pid}). Use it, stop it, or choose another folder "
            "with peerloan --state-dir."
        )
        self.url = url
        self.pid = pid


class DeploymentError(CommandError):
    """The function's code could not be deployed."""


class ServiceError(CommandError):
    """The API refused a request or could not be reached."""


# The first row that fits decides. What is in no row is a bug and keeps its trace.
EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (UsageError, EXIT_USAGE),
    (InvalidNameError, EXIT_USAGE),
    (InvalidAliasError, EXIT_USAGE),
    (CommandError, EXIT_FAILED),
    (RegistryError, EXIT_FAILED),
    (ArtifactError, EXIT_FAILED),
    (TrainingError, EXIT_FAILED),
)


def exit_code(error: Exception) -> int | None:
    """Return the exit code of an error that a user can do something about, or None for a bug."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), None)
