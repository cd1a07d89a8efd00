"""What can be wrong with a pickle, one type each, under one base. Knows no HTTP statuses and no exit codes."""

from __future__ import annotations


class ArtifactError(Exception):
    """Base of all errors about a model's pickle."""


class UnreadablePickleError(ArtifactError):
    """The bytes are no complete pickle: cut off, empty, another kind of file, or damaged."""


class DisallowedNameError(ArtifactError):
    """The pickle asks for something that no model needs; nothing of it was imported or called."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The pickle asks for {name!r}, which is not among the names that a model may use. Nothing of it was "
            "imported or called. If it is a part of your pipeline that you trust, add it to the server's allowed names."
        )
        self.name = name


class LibraryMismatchError(ArtifactError):
    """The model was pickled with another version of a library than the one that runs here."""

    def __init__(self, library: str, pickled_with: str, running: str) -> None:
        super().__init__(
            f"The model was pickled with {library} {pickled_with}, {library} {running} is running here. "
            f"Train it again with {library} {running}."
        )
        self.library = library
        self.pickled_with = pickled_with
        self.running = running


class UnsuitableModelError(ArtifactError):
    """The pickle holds something, but not a model that could serve."""


class NonFiniteOutputError(ArtifactError):
    """The model answered with something that is no probability."""

    def __init__(self, rows: int, of: int) -> None:
        super().__init__(
            f"The model gave {rows} of {of} records something that is no probability (NaN, infinite, below 0, above 1)."
        )
        self.rows = rows
        self.of = of


class NoReasonsError(ArtifactError):
    """This version can't give reasons: it is served from its pickle, or its manifest has no typical loan."""


class ProbeMismatchError(ArtifactError):
    """A probe record does not get the probability that it got when the version was published."""

    def __init__(self, probe: int, expected: float, actual: float) -> None:
        super().__init__(
            f"Probe record {probe} gets {actual!r}, the manifest says {expected!r}: the model does not compute here "
            "what it computed when it was published. Compare the library versions and the processor."
        )
        self.probe = probe
        self.expected = expected
        self.actual = actual
