"""Trees of any size for many records at once: a node is one whole number, and all records take a step together.

A record's value in a column counts only by its rank among the column's thresholds. A node holds, from the high bits to
the low ones, the rank from which a record goes right, its left child, and its column; a record's rank is moved up to
the same place. One comparison of whole numbers then says where the record goes, and the right child is the left one
plus one. A leaf is its own child, and its rank is one that no record has, so records stay there. All of this needs two
look-ups a step, and about half the time of scikit-learn's trees.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from model_artifact.serving_form.form import TreesForm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Pairs of a record and a tree that are on their way at once: enough that NumPy's calls weigh little, few enough that
# what they read stays in the processor's cache.
_PAIRS = 12_000
_ROWS = 1_500
# Records at their leaves are set aside every so many steps, from where the first may be at theirs.
_STEPS_BETWEEN = 4
_FIRST_STEPS = 12
_SIGNED_BITS = 63


class PackedTrees:
    """The trees of a form.

    Parameters
    ----------
    form : TreesForm
        Any. Limits of stored forms (``archive``, ``checks``) see to it that a node fits into 63 bits: 2^24 nodes of
        as many thresholds, and 2^15 columns.
    """

    def __init__(self, form: TreesForm) -> None:
        import numpy as np

        column = np.frombuffer(form.node_column, dtype=np.int16).astype(np.int64)
        value = np.frombuffer(form.node_value, dtype=np.float64)
        asking, leaves = np.flatnonzero(column >= 0), np.flatnonzero(column < 0)
        self._n_trees = len(form.roots)
        self._base = form.base
        place = _places(form, asking)
        self._thresholds, rank = _ranks(column[asking], value[asking], len(form.column_field))
        self._column_bits = max(1, (len(form.column_field) - 1).bit_length())
        self._node_bits = len(column).bit_length()
        rank_place = self._column_bits + self._node_bits
        highest_rank = (1 << (_SIGNED_BITS - rank_place)) - 1
        if max(map(len, self._thresholds), default=0) >= highest_rank:
            raise OverflowError("The trees are larger than any stored form can be.")
        self._nodes = np.empty(len(column), dtype=np.int64)
        self._nodes[place[asking]] = rank << rank_place | place[asking + 1] << self._column_bits | column[asking]
        self._nodes[place[leaves]] = highest_rank << rank_place | place[leaves] << self._column_bits
        self._leaves = np.zeros(len(column))
        self._leaves[place[leaves]] = value[leaves]

    def totals(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``base`` and each row's leaves, added in the trees' order.

        Parameters
        ----------
        x : ndarray of shape (n_columns, n_rows)
            NaN goes right.
        """
        import numpy as np

        totals = np.full(x.shape[1], self._base)
        for start in range(0, len(totals), _ROWS):
            ranks = self._ranks_of(x[:, start : start + _ROWS])
            of_part = totals[start : start + _ROWS]
            trees_a_step = max(1, _PAIRS // len(of_part))
            for tree in range(0, self._n_trees, trees_a_step):
                # One tree after the other, as for a single record.
                for leaves in self._walk(range(tree, min(tree + trees_a_step, self._n_trees)), ranks, len(of_part)):
                    of_part += leaves
        return totals

    def _ranks_of(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the rows' ranks where nodes have theirs, one row after the other, the bits below all set."""
        import numpy as np

        rank_place = self._column_bits + self._node_bits
        ranks = np.zeros((x.shape[1], 1 << self._column_bits), dtype=np.int64)
        for column, thresholds in enumerate(self._thresholds):
            ranks[:, column] = thresholds.searchsorted(x[column], side="left")
        ranks <<= rank_place
        ranks |= (1 << rank_place) - 1
        return ranks.reshape(-1)

    def _walk(self, trees: range, ranks: NDArray[np.int64], n_rows: int) -> NDArray[np.float64]:
        """Return the leaves of each tree and row, of shape (n_trees, n_rows)."""
        import numpy as np

        # A root's place is its tree's number.
        node = np.repeat(np.arange(trees.start, trees.stop), n_rows)
        row = np.tile(np.arange(n_rows) << self._column_bits, len(trees))
        at_leaf = np.empty(len(node), dtype=np.int64)
        pair = np.arange(len(node))
        buffers = np.empty((3, len(node)), dtype=np.int64)
        is_right = np.empty(len(node), dtype=np.bool_)
        steps = 0
        while len(node):
            packed, looked_up, rank = buffers[:, : len(node)]
            self._step(node, row, ranks, (packed, looked_up, rank, is_right[: len(node)]))
            steps += 1
            if steps < _FIRST_STEPS or steps % _STEPS_BETWEEN:
                node[:] = packed
                continue
            has_moved = packed != node
            at_leaf[pair] = packed
            node, row, pair = packed[has_moved], row[has_moved], pair[has_moved]
        return self._leaves.take(at_leaf).reshape(len(trees), n_rows)

    def _step(
        self,
        node: NDArray[np.int64],
        row: NDArray[np.int64],
        ranks: NDArray[np.int64],
        buffers: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]],
    ) -> None:
        """Leave each pair's next node in the first of the buffers."""
        import numpy as np

        packed, looked_up, rank, is_right = buffers
        # "clip" is the way without a copy; nothing is out of range.
        self._nodes.take(node, out=packed, mode="clip")
        np.bitwise_and(packed, (1 << self._column_bits) - 1, out=looked_up)
        np.bitwise_or(looked_up, row, out=looked_up)
        ranks.take(looked_up, out=rank, mode="clip")
        np.greater_equal(rank, packed, out=is_right)
        np.right_shift(packed, self._column_bits, out=packed)
        np.bitwise_and(packed, (1 << self._node_bits) - 1, out=packed)
        np.add(packed, is_right, out=packed)


def _places(form: TreesForm, asking: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return each node's new place: the roots first, then the two children of each node side by side."""
    import numpy as np

    place = np.empty(len(form.node_column), dtype=np.int64)
    left_places = len(form.roots) + 2 * np.arange(len(asking), dtype=np.int64)
    place[np.frombuffer(form.roots, dtype=np.int32)] = np.arange(len(form.roots))
    place[asking + 1] = left_places
    place[np.frombuffer(form.node_right, dtype=np.int32)[asking]] = left_places + 1
    return place


def _ranks(
    column: NDArray[np.int64], threshold: NDArray[np.float64], n_columns: int
) -> tuple[list[NDArray[np.float64]], NDArray[np.int64]]:
    """Return each column's thresholds in order, and the rank from which a record goes right at each question."""
    import numpy as np

    by_column = np.argsort(column, kind="stable")
    ends = np.searchsorted(column[by_column], np.arange(n_columns + 1))
    thresholds, rank = [], np.empty(len(column), dtype=np.int64)
    for begin, end in pairwise(ends):
        questions = by_column[begin:end]
        of_column = np.unique(threshold[questions])
        # Right is x > threshold: more thresholds are below x than below this one, itself among them.
        rank[questions] = of_column.searchsorted(threshold[questions]) + 1
        thresholds.append(of_column)
    return thresholds, rank
