"""The players, who share the difference between a record's probability and the reference's, and their shares.

Each field is a player, except that the interest rate and the grade are one player. Both are the lender's pricing of the
same risk, so no real loan has one grade's rate and another grade's letter.
"""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

from model_artifact.schema import FIELD_NAMES

PRICING = "int_rate+grade"
PRICING_FIELDS = ("int_rate", "grade")

# A player's name and its fields. Nine, so there are 512 coalitions.
Players = tuple[tuple[str, tuple[str, ...]], ...]

PLAYERS: Players = (
    *((name, (name,)) for name in FIELD_NAMES if name not in PRICING_FIELDS),
    (PRICING, PRICING_FIELDS),
)


def shapley_values(game: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each player's Shapley value, of shape (n_players,), from the value of each coalition (2**n_players).

    Player i is in coalition S where bit i of S is set. Apart from rounding, the values add up to
    ``game[-1] - game[0]``.

    Notes
    -----
    φᵢ = Σ over S without i of |S|! (n − 1 − |S|)! / n! · (v(S ∪ {i}) − v(S)): Shapley, "A value for n-person games"
    (1953). Written as a product of a fixed matrix with v.
    """
    values: NDArray[np.float64] = _weights(len(game).bit_length() - 1) @ game
    return values


@lru_cache
def _weights(n_players: int) -> NDArray[np.float64]:
    """Return the matrix of shape (n_players, 2**n_players): the weight of each coalition's value for each player."""
    coalitions = range(1 << n_players)
    by_size = [factorial(size) * factorial(n_players - 1 - size) / factorial(n_players) for size in range(n_players)]
    weights = np.array(
        [
            [
                by_size[coalition.bit_count() - 1] if coalition >> player & 1 else -by_size[coalition.bit_count()]
                for coalition in coalitions
            ]
            for player in range(n_players)
        ]
    )
    weights.setflags(write=False)
    return weights
