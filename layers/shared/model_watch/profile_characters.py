"""The characters of a record's profile (see ``profile``). Standard library alone.

``0`` to ``9``, then ``a`` to ``z`` and ``A`` to ``Z``, are the number of the bin or of the label. ``-`` is a missing
value. ``?`` is a label that isn't among the profile's (at most the 62 most frequent ones), or a number beyond its first
or last edge.
"""

from __future__ import annotations

import string

MISSING = "-"
UNSEEN = "?"
BIN_CHARACTERS = string.digits + string.ascii_lowercase + string.ascii_uppercase
# All of them, in the order in which tallies have them.
CHARACTERS = BIN_CHARACTERS + MISSING + UNSEEN


def bin_number(character: str) -> int | None:
    """Return the number of the bin or label that a profile's character stands for; None for missing and unseen."""
    number = BIN_CHARACTERS.find(character)
    return None if number < 0 else number
