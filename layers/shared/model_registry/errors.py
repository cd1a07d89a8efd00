"""The registry's errors, one type for each thing that can go wrong.

They carry facts as attributes; the message says what is wrong, which value, and what to do. Whoever catches them
chooses the HTTP status or the exit code.
"""

from __future__ import annotations

from collections.abc import Sequence


class RegistryError(Exception):
    """Base of all errors of the registry."""


class ObjectNotFoundError(RegistryError):
    """The bucket has no object under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The bucket has no object {key!r}.")
        self.key = key


class PreconditionFailedError(RegistryError):
    """A conditional write lost: the object exists already, or has changed since it was read."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The object {key!r} was written by somebody else in between.")
        self.key = key


class StoreUnavailableError(RegistryError):
    """The bucket failed to read or write, after bounded retries."""

    def __init__(self, operation: str, key: str, reason: str) -> None:
        super().__init__(f"The bucket failed to {operation} {key!r}: {reason}. Check that it runs and you have access.")
        self.operation = operation
        self.key = key
        self.reason = reason


class AccessDeniedError(StoreUnavailableError):
    """The bucket lets this role not read an object. S3 says so of a missing object too, if the role may not list it."""


class ObjectTooLargeError(RegistryError):
    """An object has more bytes than it may have; no more than these were read."""

    def __init__(self, key: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"{key!r} has {size_bytes:,} bytes or more, and at most {limit_bytes:,} are read. Publish it again."
        )
        self.key = key
        self.size_bytes = size_bytes


class InvalidNameError(RegistryError):
    """A model or alias name that isn't allowed."""


class InvalidManifestError(RegistryError):
    """A manifest that can't be read, or whose format is newer than this code."""


class InvalidAliasError(RegistryError):
    """An alias document or a routing configuration that breaks the rules."""


class VersionNotFoundError(RegistryError):
    """The version was never published, or it was deleted."""

    def __init__(self, model: str, version: int) -> None:
        super().__init__(f"Model {model!r} has no version {version}. See which exist: peerloan versions.")
        self.model = model
        self.version = version


class VersionDamagedError(RegistryError):
    """A published version lacks a file: it was removed from the bucket by hand, or by a lifecycle rule."""

    def __init__(self, model: str, version: int, key: str) -> None:
        super().__init__(
            f"Version {version} of {model!r} is damaged: its file {key!r} is missing. "
            "Restore the file, publish the model again, or choose another version."
        )
        self.model = model
        self.version = version
        self.key = key


class AliasNotFoundError(RegistryError):
    """The alias was never set."""

    def __init__(self, model: str, alias: str) -> None:
        super().__init__(
            f"Model {model!r} has no alias {alias!r}. See which exist: peerloan versions. "
            f"Make it: peerloan alias set {alias} --version NUMBER."
        )
        self.model = model
        self.alias = alias


class NoEarlierVersionError(RegistryError):
    """The alias has no earlier version to roll back to."""


class VersionInUseError(RegistryError):
    """A version that an alias uses can't be deleted."""

    def __init__(self, model: str, version: int, aliases: Sequence[str]) -> None:
        super().__init__(
            f"Version {version} of {model!r} is used by alias {', '.join(map(repr, aliases))}. "
            "Move the alias away first."
        )
        self.model = model
        self.version = version
        self.aliases = tuple(aliases)


class ArtifactMismatchError(RegistryError):
    """A version's stored file isn't the one that the manifest describes."""

    def __init__(self, model: str, version: int, what: str, expected: object, actual: object) -> None:
        super().__init__(
            f"A file of {model!r} version {version} has {what} {actual}, its manifest says {expected}. "
            "It wasn't unpickled. Publish the model again."
        )
        self.model = model
        self.version = version
        self.what = what
        self.expected = expected
        self.actual = actual


class CandidateRefusedError(RegistryError):
    """The pickle isn't a model that can serve; nothing was published."""
