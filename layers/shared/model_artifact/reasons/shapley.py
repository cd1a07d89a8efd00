"""Computes the Shapley values of a game from its value for each coalition. Pure: numbers in, numbers out."""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import numpy as np
from numpy.typing import NDArray


def shapley_values(game: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each player's Shapley value.

    Parameters
    ----------
    game : ndarray of shape (2**n_players,)
        The value of each coalition; player i is in coalition S where bit i of S is set.

    Returns
    -------
    ndarray of shape (n_players,)
        They add up to ``game[-1] - game[0]``, apart from rounding.

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
