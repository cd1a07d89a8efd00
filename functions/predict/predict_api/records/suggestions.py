""" "Did you mean …": the known name that an unknown one was probably meant to be. Pure."""

from __future__ import annotations

from collections.abc import Sequence

# Longer names are no slips of the pen, are slow to compare, and are not worth quoting.
MAX_NAME_LENGTH = 64
_LEAST_SIMILARITY = 0.6


def find_similar(name: str, known: Sequence[str]) -> str | None:
    """Return the known name that is most like ``name``, or None if none is like it."""
    if len(name) > MAX_NAME_LENGTH:
        return None
    folded = {_fold(candidate): candidate for candidate in known}
    if _fold(name) in folded:
        return folded[_fold(name)]
    # Imported here: only a request that is refused anyway needs it.
    from difflib import get_close_matches

    close = get_close_matches(_fold(name), list(folded), n=1, cutoff=_LEAST_SIMILARITY)
    return folded[close[0]] if close else None


def describe_unknown(what: str, name: str, known: Sequence[str]) -> str:
    """Return the sentence about an unknown name: with the suggestion if there is one, else with what is known.

    Parameters
    ----------
    what : str
        What it would be: "field", "parameter" …
    name : str
        The unknown name. The sentence does not quote it: the pointer does, and it may be anything.
    known : sequence of str
        The names that would have been right.
    """
    similar = find_similar(name, known)
    if similar is not None:
        return f"There is no such {what}. Did you mean {similar!r}?"
    return f"There is no such {what}. There is: {', '.join(known)}."


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")
