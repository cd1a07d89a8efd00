"""Who shares the difference between a record's probability and the reference's.

Each field plays for itself, but for the interest rate and the grade: both are the lender's own pricing of one risk, and
the one follows from the other, so that a rate without its grade is no loan that exists.
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
EACH_FIELD: Players = tuple((name, (name,)) for name in FIELD_NAMES)
