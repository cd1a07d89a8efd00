"""The game of a record: for each coalition of players, the late probability of a mixed record.

A mixed record has the record's values in the coalition's fields, and the reference's values in the others. Any scorer
can score the 512 mixed records (``MixedRecordsGame``). Small trees and linear models have games that take a thousandth
of that time; tests/unit/model_artifact/reasons/test_explain.py compares their results with the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model_artifact.reasons.players import Players
from model_artifact.reasons.small_tree_game import SmallTreeGame, fits_small_tree_game
from model_artifact.serving_form.encoding import expit_of_many
from model_artifact.serving_form.scorers.linear import Linear
from model_artifact.serving_form.scorers.record_scorer import Scorer
from model_artifact.serving_form.scorers.small_trees import SmallTrees

Record = Mapping[str, Any]
Floats = NDArray[np.float64]


class Game(Protocol):
    """Takes a record; returns the probability of each coalition, of shape (2**n_players,)."""

    def __call__(self, record: Record) -> Floats: ...


def make_game(scorer: Scorer, reference: Record, players: Players) -> Game:
    """Return the fastest game for a scorer, which compares every record with the reference.

    Bit i of a coalition's index stands for the i-th of the players.
    """
    # The small trees' game adds in another order, which counts in float32.
    if isinstance(scorer, SmallTrees) and not scorer.is_float32 and fits_small_tree_game(scorer, players):
        return SmallTreeGame(scorer, reference, players)
    if isinstance(scorer, Linear):
        return LinearGame(scorer, reference, players)
    return MixedRecordsGame(scorer, reference, players)


class MixedRecordsGame:
    """Scores one mixed record for each coalition, with any scorer.

    A player whose values equal the reference's changes nothing, so its coalitions are scored once.
    """

    def __init__(self, scorer: Scorer, reference: Record, players: Players) -> None:
        self._scorer = scorer
        self._reference = dict(reference)
        self._players = players

    def __call__(self, record: Record) -> Floats:
        """See ``Game``."""
        mixed = [self._reference]
        place = np.zeros(1, dtype=np.intp)
        for _, fields in self._players:
            own = {name: record.get(name) for name in fields}
            if all(own[name] == self._reference.get(name) for name in fields):
                place = np.concatenate([place, place])
            else:
                place = np.concatenate([place, place + len(mixed)])
                mixed += [{**other, **own} for other in mixed]
        return np.array(self._scorer.late_probabilities(mixed), dtype=np.float64)[place]


class LinearGame:
    """Adds each player's difference in log-odds, for a scorer whose contributions add up."""

    def __init__(self, scorer: Linear, reference: Record, players: Players) -> None:
        self._scorer = scorer
        self._players = players
        self._reference = scorer.contributions(reference)
        self._base = scorer.form.intercept + sum(self._reference.values())

    def __call__(self, record: Record) -> Floats:
        """See ``Game``."""
        own = self._scorer.contributions(record)
        log_odds = np.array([self._base])
        for _, fields in self._players:
            difference = sum(own[name] - self._reference[name] for name in fields)
            log_odds = np.concatenate([log_odds, log_odds + difference])
        return expit_of_many(log_odds)
