"""Computes the game of small trees: all coalitions' probabilities of a record, in tens of microseconds.

A tree's byte holds a record's answers to its questions. For each byte, a table has one value per set of the few players
whose fields the tree asks about:

    coalition's value   the leaf of the byte that has the record's bits for the coalition's players,
                        and the reference's bits for the others
    table entry         what a set of players adds to the values of its subsets (Möbius transform)

    reference byte 0 0 1, record's byte 1 1 0, bits 0 and 1 ask about player A, bit 2 about player B
        set {}     → leaf of 0 0 1       set {A}    → leaf of 0 1 0
        set {B}    → leaf of 1 0 1       set {A, B} → leaf of 1 1 0

The entries of all trees are added for each set of players, and one transform back gives the 512 coalitions' sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_artifact.reasons.players import Players
from model_artifact.schema import FIELD_NAMES
from model_artifact.serving_form.encoding import expit_of_many
from model_artifact.serving_form.scorers.small_trees import SmallTrees

Floats = NDArray[np.float64]

# 120 trees of five questions about five players: one megabyte.
MAX_TABLE_BYTES = 16 << 20
_FLOAT_BYTES = 8


def fits_small_tree_game(scorer: SmallTrees, players: Players) -> bool:
    """Return whether the tables are small enough to stay in memory."""
    n_bits, n_players_a_tree = _widths(_players_by_tree(scorer, players))
    return scorer.n_trees * _FLOAT_BYTES << (n_bits + n_players_a_tree) <= MAX_TABLE_BYTES


class SmallTreeGame:
    """See ``coalitions.Game``; the scorer must pass ``fits_small_tree_game``."""

    def __init__(self, scorer: SmallTrees, reference: Mapping[str, Any], players: Players) -> None:
        self._scorer = scorer
        self._n_players = len(players)
        players_by_tree = _players_by_tree(scorer, players)
        n_bits, n_players_a_tree = _widths(players_by_tree)
        self._sums = np.zeros((scorer.n_trees, 1 << n_bits, 1 << n_players_a_tree))
        self._places = np.zeros((scorer.n_trees, 1 << n_players_a_tree), dtype=np.intp)
        reference_bytes = scorer.answers(reference).to_bytes(scorer.n_trees, "little")
        for tree, players_of_bits in enumerate(players_by_tree):
            sums, places = _table(scorer.leaves[tree], reference_bytes[tree], players_of_bits)
            self._sums[tree, : sums.shape[0], : sums.shape[1]] = sums
            self._places[tree, : len(places)] = places
        self._rows = self._sums.reshape(-1, 1 << n_players_a_tree)
        self._first_row = np.arange(scorer.n_trees) << n_bits
        self._flat_places = self._places.ravel()
        self._high = _subset_matrix(self._n_players // 2)
        self._low = _subset_matrix(self._n_players - self._n_players // 2)

    def __call__(self, record: Mapping[str, Any]) -> Floats:
        """Return the probability of each coalition, of shape (2**n_players,)."""
        scorer = self._scorer
        answers = np.frombuffer(scorer.answers(record).to_bytes(scorer.n_trees, "little"), dtype=np.uint8)
        sums = self._rows.take(self._first_row + answers, axis=0)
        of_sets = np.bincount(self._flat_places, sums.ravel(), 1 << self._n_players)
        # The sum over all subsets, for one half of the players after the other.
        totals = self._high @ of_sets.reshape(len(self._high), len(self._low)) @ self._low.T
        game: Floats = np.add(totals.ravel(), scorer.form.base, dtype=np.float64)
        result: Floats = game / scorer.n_trees if scorer.form.output == "mean" else expit_of_many(game)
        return result


def _players_by_tree(scorer: SmallTrees, players: Players) -> list[list[int]]:
    """Return for each tree the player that each of its questions is about."""
    of_field = {FIELD_NAMES.index(name): player for player, (_, fields) in enumerate(players) for name in fields}
    return [[of_field[field] for field in fields] for fields in scorer.question_fields]


def _widths(players_by_tree: list[list[int]]) -> tuple[int, int]:
    """Return the most questions and the most players of a tree."""
    return max(map(len, players_by_tree)), max(len(set(players)) for players in players_by_tree)


def _table(leaves: list[float], reference: int, players_of_bits: list[int]) -> tuple[Floats, NDArray[np.intp]]:
    """Return one tree's table, of shape (bytes, sets of its players), and each set's index among all sets."""
    own_players = sorted(set(players_of_bits))
    bits_of = [sum(1 << bit for bit, player in enumerate(players_of_bits) if player == own) for own in own_players]
    # A set's players give the record's answers, the others the reference's.
    masks, places = np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp)
    for bits, player in zip(bits_of, own_players, strict=True):
        masks = np.concatenate([masks, masks | bits])
        places = np.concatenate([places, places | 1 << player])
    of_record = np.arange(len(leaves))[:, np.newaxis]
    sums = np.asarray(leaves).take((of_record & masks) | (reference & ~masks))
    for number in range(len(own_players)):
        # Möbius transform: the value with the player minus the value without it.
        pairs = sums.reshape(len(leaves), -1, 2, 1 << number)
        pairs[:, :, 1, :] -= pairs[:, :, 0, :]
    return sums, places


def _subset_matrix(n_players: int) -> Floats:
    """Return the matrix that is 1 where the column's set is a subset of the row's."""
    sets = np.arange(1 << n_players)
    matrix: Floats = np.equal(sets[:, np.newaxis] & sets, sets).astype(np.float64)
    return matrix
