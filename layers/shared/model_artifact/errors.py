"""The errors of model files, one type for each thing that can go wrong. They know no HTTP statuses."""

from __future__ import annotations

from collections.abc import Sequence

_LISTED_NAMES = 12


class ArtifactError(Exception):
    """Base of all errors about a version's model."""


class UnreadablePickleError(ArtifactError):
    """The bytes aren't a complete pickle or booster's file: cut off, empty, damaged, or another kind of file."""


class DisallowedNamesError(ArtifactError):
    """The pickle asks for names outside the packages that models are made of; none was imported or called."""

    def __init__(self, names: Sequence[str]) -> None:
        listed = ", ".join(names[:_LISTED_NAMES]) + (", …" if len(names) > _LISTED_NAMES else "")
        super().__init__(
            f"The pickle asks for {listed}: names outside the packages that models are made of. Nothing was imported "
            f"or called. {_advice(names)}"
        )
        self.names = tuple(names)


class UntrustedVersionError(ArtifactError):
    """The version's pickle, or its arrays where a signature is required, isn't signed by a trusted publisher."""

    def __init__(self, version: int, fault: str) -> None:
        super().__init__(
            f"Version {version} may not serve here: {fault}. Publish it again with a key that this server trusts "
            "(peerloan keys, TRUSTED_PUBLISHERS), or publish a model that is served from arrays (docs/models.md)."
        )
        self.version = version


class ModelProcessError(ArtifactError):
    """The process that holds a pickled model ended, or took too long."""


class LibraryMismatchError(ArtifactError):
    """The model was pickled with another version of a library than the one that runs here."""

    def __init__(self, library: str, pickled_with: str, running: str) -> None:
        super().__init__(
            f"The model was pickled with {library} {pickled_with}, but {library} {running} runs here. "
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
            f"Probe record {probe} gets {actual!r}, but the manifest says {expected!r}: the model computes "
            "something else here than where it was published. Compare the library versions and the processor."
        )
        self.probe = probe
        self.expected = expected
        self.actual = actual


def _advice(names: Sequence[str]) -> str:
    if any(name.startswith("__main__.") for name in names):
        return (
            "A notebook's own code can't be imported anywhere else: write the pickle by cloudpickle.dump, which puts "
            "the code into it, and publish it with --trust-pickle (docs/models.md)."
        )
    if any(name.startswith("cloudpickle.") for name in names):
        return "It carries code of its own (cloudpickle). If you made it, publish it with --trust-pickle."
    return (
        "If you made the pickle or trust who did, publish it with --trust-pickle; pickle a module of your own by value "
        "with cloudpickle first (docs/models.md)."
    )
