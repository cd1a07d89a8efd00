"""Suggestions for unknown names: "Did you mean …?" Pure."""

from __future__ import annotations

from collections.abc import Sequence

# A longer name isn't a misspelling. It would take long to compare, and make a message unreadable.
MAX_NAME_LENGTH = 64
_LEAST_SIMILARITY = 0.6


def find_similar(name: str, allowed: Sequence[str]) -> str | None:
    """Return the allowed name that is most similar to ``name``, or None if none is similar."""
    if len(name) > MAX_NAME_LENGTH:
        return None
    folded = {_fold(candidate): candidate for candidate in allowed}
    if _fold(name) in folded:
        return folded[_fold(name)]
    # Imported here: only refused requests need it.
    from difflib import get_close_matches

    close = get_close_matches(_fold(name), list(folded), n=1, cutoff=_LEAST_SIMILARITY)
    return folded[close[0]] if close else None


def describe_unknown(kind: str, name: str, allowed: Sequence[str]) -> str:
    """Return a sentence about an unknown name. It suggests a similar name, or lists the allowed ones.

    Parameters
    ----------
    kind : str
        What kind of thing has the name: "field", "parameter" …
    name : str
        The unknown name. The sentence doesn't quote it, since it may be any text; the violation's pointer does.
    allowed : sequence of str
        The allowed names.
    """
    similar = find_similar(name, allowed)
    if similar is not None:
        return f"There is no such {kind}. Did you mean {similar!r}?"
    return f"There is no such {kind}. Allowed: {', '.join(allowed)}."


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")
