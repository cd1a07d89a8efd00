"""The game: for each coalition the late probability of its players' fields, with the reference's other fields.

Three ways to the same 512 numbers. Any scorer can score 512 records; for small trees and for a sum of contributions
there are ways that take a thousandth of that, and tests/unit/model_artifact/test_reasons.py holds them to the first.
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
    """Return the fastest game that there is for a scorer.

    Parameters
    ----------
    scorer : Scorer
        Gives the probabilities.
    reference : mapping
        The record that every record is compared with.
    players : Players
        Bit i of a coalition's index stands for the i-th of them.
    """
    if isinstance(scorer, SmallTrees) and fits_small_tree_game(scorer, players):
        return SmallTreeGame(scorer, reference, players)
    if isinstance(scorer, Linear):
        return LinearGame(scorer, reference, players)
    return HybridGame(scorer, reference, players)


class HybridGame:
    """Scores a record per coalition: for any scorer, and what the other games are compared with.

    A player whose fields are the reference's own changes nothing; the coalitions are scored once for both its sides.
    """

    def __init__(self, scorer: Scorer, reference: Record, players: Players) -> None:
        self._scorer = scorer
        self._reference = dict(reference)
        self._players = players

    def __call__(self, record: Record) -> Floats:
        """See ``Game``."""
        hybrids = [self._reference]
        place = np.zeros(1, dtype=np.intp)
        for _, fields in self._players:
            own = {name: record.get(name) for name in fields}
            if all(own[name] == self._reference.get(name) for name in fields):
                place = np.concatenate([place, place])
            else:
                place = np.concatenate([place, place + len(hybrids)])
                hybrids += [{**hybrid, **own} for hybrid in hybrids]
        return np.array(self._scorer.late_probabilities(hybrids), dtype=np.float64)[place]


class LinearGame:
    """For contributions that add up on the log-odds: a coalition's log-odds is a sum of differences."""

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
