"""The players, who share the difference between a record's probability and the reference's.

Each field is a player, except that the interest rate and the grade are one player. Both are the lender's pricing of the
same risk, so no real loan has one grade's rate and another grade's letter.
"""

from __future__ import annotations

from model_artifact.schema import FIELD_NAMES

PRICING = "int_rate+grade"
PRICING_FIELDS = ("int_rate", "grade")

# A player's name and its fields. Nine, so there are 512 coalitions.
Players = tuple[tuple[str, tuple[str, ...]], ...]

PLAYERS: Players = (
    *((name, (name,)) for name in FIELD_NAMES if name not in PRICING_FIELDS),
    (PRICING, PRICING_FIELDS),
)
