"""The errors of model files, one type for each thing that can go wrong. They know no HTTP statuses."""

from __future__ import annotations


class ArtifactError(Exception):
    """Base of all errors about a model's pickle."""


class UnreadablePickleError(ArtifactError):
    """The bytes aren't a complete pickle: they are cut off, empty, damaged, or another kind of file."""


class DisallowedNameError(ArtifactError):
    """The pickle asks for a name that no model needs; it was neither imported nor called."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The pickle asks for {name!r}, which isn't among the names that a model may use. It was neither "
            "imported nor called. If you trust this part of your pipeline, add it to the server's allowed names."
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
    """The pickle's content isn't a model that can serve."""


class NonFiniteOutputError(ArtifactError):
    """The model returned a value that isn't a probability."""

    def __init__(self, rows: int, of: int) -> None:
        super().__init__(
            f"The model gave {rows} of {of} records a value that isn't a probability (NaN, infinite, below 0, above 1)."
        )
        self.rows = rows
        self.of = of


class NoReasonsError(ArtifactError):
    """This version can't give reasons: it is served from its pickle, or its manifest has no typical loan."""


class ProbeMismatchError(ArtifactError):
    """A probe record gets another probability than when the version was published."""

    def __init__(self, probe: int, expected: float, actual: float) -> None:
        super().__init__(
            f"Probe record {probe} gets {actual!r}, the manifest says {expected!r}: the model computes "
            "something else here than where it was published. Compare the library versions and the processor."
        )
        self.probe = probe
        self.expected = expected
        self.actual = actual
