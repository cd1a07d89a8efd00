"""Scores trees of any size for many records at once. All records take each step together.

A node is one 63-bit whole number, and so is a record's value in a column:

    node     | rank from which a record goes right | left child | column |
    record   | rank among the column's thresholds  | 1 1 1  ... | 1 1 1  |
    leaf     | a rank above every record's         | itself     | 0      |

If ``record >= node``, the record goes right, to ``left child + 1``; otherwise it goes to the left child. Records stay
at a leaf. A step takes two look-ups, and about half the time of scikit-learn's trees.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from model_artifact.serving_form.form import TreesForm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Pairs of a record and a tree that are walked at once: enough to make the cost of NumPy's calls small, and few enough
# to keep the data in the processor's cache.
_PAIRS = 12_000
_ROWS = 1_500
# Pairs that have reached their leaves are removed every few steps, once the first of them may have done so.
_STEPS_BETWEEN = 4
_FIRST_STEPS = 12
_SIGNED_BITS = 63


class PackedTrees:
    """The trees of a form.

    Parameters
    ----------
    form : TreesForm
        Any form. The limits of stored forms (``archive``, ``checks``) ensure that a node fits into 63 bits: 2^24 nodes
        and thresholds, and 2^15 columns.
    """

    def __init__(self, form: TreesForm) -> None:
        import numpy as np

        column = np.frombuffer(form.node_column, dtype=np.int16).astype(np.int64)
        value = np.frombuffer(form.node_value, dtype=np.float64)
        inner, leaves = np.flatnonzero(column >= 0), np.flatnonzero(column < 0)
        self._n_trees = len(form.roots)
        self._base = form.base
        place = _places(form, inner)
        self._thresholds, rank = _ranks(column[inner], value[inner], len(form.column_field))
        self._column_bits = max(1, (len(form.column_field) - 1).bit_length())
        self._node_bits = len(column).bit_length()
        rank_place = self._column_bits + self._node_bits
        highest_rank = (1 << (_SIGNED_BITS - rank_place)) - 1
        if max(map(len, self._thresholds), default=0) >= highest_rank:
            raise OverflowError("The trees are larger than any stored form.")
        self._nodes = np.empty(len(column), dtype=np.int64)
        self._nodes[place[inner]] = rank << rank_place | place[inner + 1] << self._column_bits | column[inner]
        self._nodes[place[leaves]] = highest_rank << rank_place | place[leaves] << self._column_bits
        self._leaves = np.zeros(len(column), dtype=form.sum_type)
        self._leaves[place[leaves]] = value[leaves]

    def totals(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for each row the sum of ``base`` and its leaves, added in the trees' order.

        Parameters
        ----------
        x : ndarray of shape (n_columns, n_rows)
            NaN goes right.
        """
        import numpy as np

        # Sums have the leaves' precision.
        totals = np.full(x.shape[1], self._base, dtype=self._leaves.dtype)
        for start in range(0, len(totals), _ROWS):
            ranks = self._ranks_of(x[:, start : start + _ROWS])
            of_part = totals[start : start + _ROWS]
            trees_a_step = max(1, _PAIRS // len(of_part))
            for tree in range(0, self._n_trees, trees_a_step):
                # In the trees' order, as for a single record, so that the rounding is the same.
                for leaves in self._walk(range(tree, min(tree + trees_a_step, self._n_trees)), ranks, len(of_part)):
                    of_part += leaves
        return totals.astype(np.float64)

    def _ranks_of(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the rows' ranks, shifted to the bits where nodes have theirs; all lower bits are set."""
        import numpy as np

        rank_place = self._column_bits + self._node_bits
        ranks = np.zeros((x.shape[1], 1 << self._column_bits), dtype=np.int64)
        for column, thresholds in enumerate(self._thresholds):
            ranks[:, column] = thresholds.searchsorted(x[column], side="left")
        ranks <<= rank_place
        ranks |= (1 << rank_place) - 1
        return ranks.reshape(-1)

    def _walk(self, trees: range, ranks: NDArray[np.int64], n_rows: int) -> NDArray[np.floating[Any]]:
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
        """Write each pair's next node into the first buffer."""
        import numpy as np

        packed, looked_up, rank, is_right = buffers
        # No index is out of range; mode "clip" avoids a copy.
        self._nodes.take(node, out=packed, mode="clip")
        np.bitwise_and(packed, (1 << self._column_bits) - 1, out=looked_up)
        np.bitwise_or(looked_up, row, out=looked_up)
        ranks.take(looked_up, out=rank, mode="clip")
        np.greater_equal(rank, packed, out=is_right)
        np.right_shift(packed, self._column_bits, out=packed)
        np.bitwise_and(packed, (1 << self._node_bits) - 1, out=packed)
        np.add(packed, is_right, out=packed)


def _places(form: TreesForm, inner: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return each node's new place: the roots first, then the two children of each node side by side."""
    import numpy as np

    place = np.empty(len(form.node_column), dtype=np.int64)
    left_places = len(form.roots) + 2 * np.arange(len(inner), dtype=np.int64)
    place[np.frombuffer(form.roots, dtype=np.int32)] = np.arange(len(form.roots))
    place[inner + 1] = left_places
    place[np.frombuffer(form.node_right, dtype=np.int32)[inner]] = left_places + 1
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
