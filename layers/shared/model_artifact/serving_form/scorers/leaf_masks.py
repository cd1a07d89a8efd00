"""Scores single records by masks: for each tree, the leaves that the record can't reach.

A record that goes right at a question can't reach the leaves to the left of it. So a question's bits are those leaves,
and the answers to all questions (``answer_tables``) are all leaves that the record can't reach:

    dti = 17.5    tree 0: 0 0 0 0 0 0 1 1   tree 1: 0 0 0 0 0 0 0 1   ...   (1: can't be reached)
    grade = "B"   tree 0: 0 0 0 0 0 0 0 1   tree 1: 0 0 0 1 1 1 0 0   ...
    OR            tree 0: 0 0 0 0 0 0 1 1   tree 1: 0 0 0 1 1 1 0 1   ...
    answer        tree 0: the third leaf    tree 1: the second leaf   ...

The record's leaf is the first from the right that isn't excluded. Adding one to each tree's mask and comparing with
the mask before (``^``) leaves the bits up to that leaf, which find its value in a table. This is QuickScorer (Lucchese
et al., SIGIR 2015) with one large integer in place of a word for each tree.
"""

from __future__ import annotations

from operator import getitem
from struct import Struct
from typing import Any

from model_artifact.serving_form.form import TreesForm
from model_artifact.serving_form.scorers.answer_tables import MAX_BYTES, count_rows, make_tables
from model_artifact.serving_form.scorers.base import Record
from model_artifact.serving_form.scorers.large_trees import LargeTrees

# Each question is added to an integer with all trees' masks: half a second for so many bytes.
MAX_WORK_BYTES = 256 << 20

# The codes of ``struct``; wider masks are bytes.
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def has_leaf_masks(form: TreesForm, n_forms: int = 1) -> bool:
    """Return whether the masks of so many forms are made soon, and fit into memory."""
    mask_bytes, n_leaves = _mask_bytes(form), len(form.node_column) // 2 + 1
    row_bytes = mask_bytes * len(form.roots)
    if row_bytes * n_leaves > MAX_WORK_BYTES // n_forms or mask_bytes * n_leaves > MAX_BYTES // n_forms:
        return False
    return row_bytes * count_rows(form) <= MAX_BYTES // n_forms


class LeafMasks(LargeTrees):
    """Scores a form for which ``has_leaf_masks`` is true. Batches are scored as those of ``LargeTrees``."""

    def __init__(self, form: TreesForm) -> None:
        super().__init__(form)
        mask_bytes = _mask_bytes(form)
        code = _CODES.get(mask_bytes, f"{mask_bytes}s")
        self._size = mask_bytes * len(form.roots)
        self._unpack = Struct("<" + code * len(form.roots)).unpack
        self._one_each = int.from_bytes((1).to_bytes(mask_bytes, "little") * len(form.roots), "little")
        self._leaves: list[dict[Any, float]] = []
        # Each question's first leaf to the left, the one after the last, and the place of its tree's mask.
        left_leaves: dict[int, tuple[int, int, int]] = {}
        for tree, (root, end) in enumerate(form.tree_spans()):
            leaf_number, leaves = _leaf_numbers(form, root, end)
            values = [form.node_value[node] for node in leaves]
            keys = b"".join(((2 << number) - 1).to_bytes(mask_bytes, "little") for number in range(len(leaves)))
            self._leaves.append(dict(zip(Struct("<" + code * len(leaves)).unpack(keys), values, strict=True)))
            for node in range(root, end):
                if form.node_column[node] >= 0:
                    first, after = leaf_number[node - root], leaf_number[form.node_right[node] - root]
                    left_leaves[node] = first, after, 8 * mask_bytes * tree

        def excluded_by(node: int) -> int:
            first, after, place = left_leaves[node]
            return ((1 << after) - (1 << first)) << place

        self._answers = make_tables(form, excluded_by).answers

    def score(self, record: Record) -> float:
        """See ``RecordScorer``."""
        excluded = self._answers(record)
        # No tree's mask overflows into the next: its last leaf is never excluded.
        up_to_leaf = (excluded ^ (excluded + self._one_each)).to_bytes(self._size, "little")
        return self.add_up(map(getitem, self._leaves, self._unpack(up_to_leaf)))


def _mask_bytes(form: TreesForm) -> int:
    """Return the size of a mask with a bit for each leaf of the largest tree."""
    # A tree with n leaves has 2n - 1 nodes.
    most_leaves = max((end - root + 1) // 2 for root, end in form.tree_spans())
    return next((size for size in _CODES if most_leaves <= 8 * size), -(-most_leaves // 8))


def _leaf_numbers(form: TreesForm, root: int, end: int) -> tuple[list[int], list[int]]:
    """Return for each node the number of its first leaf, counted from the left, and the leaves' nodes."""
    numbers: list[int] = []
    leaves: list[int] = []
    for node in range(root, end):
        # In preorder, the leaves before a node are to the left of it.
        numbers.append(len(leaves))
        if form.node_column[node] < 0:
            leaves.append(node)
    return numbers, leaves
