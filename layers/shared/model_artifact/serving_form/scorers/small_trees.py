"""Scores trees of at most eight questions: a tree's answers are one byte, which finds the leaf in a table.

For each field's value there is one integer with the answers to all questions about that field, a byte for each tree:

    dti = 17.5    tree 0: 0 0 0 0 0 1 0 1   tree 1: 0 0 0 0 0 0 1 0   ...   (1: the record goes right)
    grade = "B"   tree 0: 0 0 0 0 0 0 1 0   tree 1: 0 0 0 0 0 0 0 0   ...
    OR            tree 0: 0 0 0 0 0 1 1 1   tree 1: 0 0 0 0 0 0 1 0   ...
    leaves        tree 0: table 0 [7]       tree 1: table 1 [2]       ...

OR-ing the ten fields' integers (``answer_tables``) gives each tree its byte. This is the idea of QuickScorer (Lucchese
et al., SIGIR 2015), with tables instead of its search for the first remaining leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import inf
from operator import getitem
from typing import TYPE_CHECKING, Any

from model_artifact.schema import FIELDS
from model_artifact.serving_form import encoding
from model_artifact.serving_form.form import TreesForm
from model_artifact.serving_form.scorers.answer_tables import MAX_BYTES, make_tables
from model_artifact.serving_form.scorers.base import Columns, Record, TreeScorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_QUESTIONS = 8
MAX_LEAVES = 1 << 20

# Pairs of a tree and a row that are computed at once: 2 MB, or a thousand rows of the improved model.
_PAIRS_A_STEP = 1 << 17
_BYTES_A_WORD = 8


def is_small(form: TreesForm, n_forms: int = 1) -> bool:
    """Return whether each tree has at most eight questions, and the tables of so many forms fit into memory."""
    # A tree with n questions has 2n + 1 nodes.
    questions = [(end - root) // 2 for root, end in form.tree_spans()]
    if max(questions) > MAX_QUESTIONS or sum(1 << number for number in questions) > MAX_LEAVES // n_forms:
        return False
    n_answers = sum(questions) + len(FIELDS) * form.n_codes
    return n_answers * len(questions) <= MAX_BYTES // n_forms


class SmallTrees(TreeScorer):
    """Scores a form for which ``is_small`` is true.

    Attributes
    ----------
    n_trees : int
        The number of trees, which is the number of an answer's bytes.
    leaves : list of list of float
        For each tree the leaf's value for each value of the tree's byte.
    question_fields : list of list of int
        For each tree the field (index into ``schema.FIELDS``) that each bit of its byte is about.
    """

    few_records = 12

    def __init__(self, form: TreesForm) -> None:
        super().__init__(form)
        self.n_trees = len(form.roots)
        self._questions = [
            [node for node in range(root, end) if form.node_column[node] >= 0] for root, end in form.tree_spans()
        ]
        self.question_fields = [
            [form.column_field[form.node_column[node]] for node in nodes] for nodes in self._questions
        ]
        self.leaves = [self._leaves_of(tree) for tree in range(self.n_trees)]
        bits = {
            node: 1 << (8 * tree + number)
            for tree, nodes in enumerate(self._questions)
            for number, node in enumerate(nodes)
        }
        self._tables = make_tables(form, bits.__getitem__)
        # Reused by the next batch: fresh memory would take a third of a batch's time. In a list, so that two threads
        # never use the same buffers.
        self._spare_buffers: list[tuple[NDArray[np.intp], NDArray[np.floating[Any]]]] = []

    def answers(self, record: Record) -> int:
        """Return the record's answers: tree t's byte is the t-th from the right, and a bit is 1 where it goes right."""
        return self._tables.answers(record)

    def score(self, record: Record) -> float:
        """See ``RecordScorer``."""
        tree_bytes = self._tables.answers(record).to_bytes(self.n_trees, "little")
        return self.add_up(map(getitem, self.leaves, tree_bytes))

    def scores_of_columns(self, columns: Columns) -> NDArray[np.float64]:
        """See ``RecordScorer``."""
        import numpy as np

        rows = self._table_rows(columns)
        n_rows = len(rows[0][1])
        totals = np.empty(n_rows)
        flat, first = self._flat_leaves
        buffers = self._take_buffers()
        width = max(2, min(n_rows, _PAIRS_A_STEP // first.size))
        index = buffers[0][: first.size * width].reshape(*first.shape[:2], width)
        index_of_tree = index.reshape(first.size, width)[: self.n_trees]
        leaves = buffers[1][: self.n_trees * width].reshape(self.n_trees, width)
        for start in range(0, n_rows, width):
            answers = self._step_answers(rows, slice(start, start + width))
            n_step = answers.shape[2]
            np.add(answers, first, out=index[:, :, :n_step])
            # Indices left from an earlier step are in range too; mode "clip" avoids a copy.
            flat.take(index_of_tree, out=leaves, mode="clip")
            # Base first, then the trees in order, as for a single record. NumPy would add in pairs along the axis that
            # is contiguous in memory (numpy.sum, notes); so the width is at least two.
            totals[start : start + n_step] = np.add.reduce(leaves, axis=0, initial=self.form.base)[:n_step]
        self._spare_buffers.append(buffers)
        return totals

    def _take_buffers(self) -> tuple[NDArray[np.intp], NDArray[np.floating[Any]]]:
        """Return buffers that no other thread uses."""
        import numpy as np

        try:
            return self._spare_buffers.pop()
        except IndexError:
            # At least two rows, however many trees there are.
            size = max(_PAIRS_A_STEP, 2 * self._flat_leaves[1].size)
            return np.zeros(size, dtype=np.intp), np.empty(size, dtype=self._flat_leaves[0].dtype)

    def _step_answers(
        self, rows: Sequence[tuple[NDArray[np.uint64], NDArray[np.intp]]], step: slice
    ) -> NDArray[np.uint8]:
        """Return the answers of a step's records, a byte a tree: of shape (n_words, 8, n_records)."""
        import numpy as np

        table, of_field = rows[0]
        words = table.take(of_field[step], axis=0)
        for table, of_field in rows[1:]:
            words |= table.take(of_field[step], axis=0)
        # Transposing words is an eighth of the work of transposing bytes.
        by_word = np.ascontiguousarray(words.T).view(np.uint8)
        return by_word.reshape(words.shape[1], len(words), _BYTES_A_WORD).transpose(0, 2, 1)

    def _table_rows(self, columns: Columns) -> list[tuple[NDArray[np.uint64], NDArray[np.intp]]]:
        """Return for each field the table of its answers, and which row of it each record has."""
        tables = self._answer_tables
        numbers = encoding.numbers(columns)
        rows = []
        for name, thresholds in self._thresholds.items():
            # NumPy sorts NaN after infinity, the last threshold; the table's last row is for a missing number.
            rows.append((tables[name], thresholds.searchsorted(numbers[name], side="left")))
        for name, *_ in self._tables.categories:
            rows.append((tables[name], encoding.codes(columns[name], self.form.labels[name])))
        return rows

    @cached_property
    def _thresholds(self) -> dict[str, NDArray[np.float64]]:
        import numpy as np

        return {name: np.array([*thresholds, inf]) for name, thresholds, *_ in self._tables.numbers}

    @cached_property
    def _answer_tables(self) -> dict[str, NDArray[np.uint64]]:
        """Each field's answers as rows of words, a byte for each tree."""
        tables = {name: self._as_words([*by_rank, missing]) for name, _, by_rank, missing in self._tables.numbers}
        for name, by_label, missing, unseen in self._tables.categories:
            tables[name] = self._as_words([*map(by_label.__getitem__, self.form.labels[name]), missing, unseen])
        return tables

    @cached_property
    def _flat_leaves(self) -> tuple[NDArray[np.floating[Any]], NDArray[np.intp]]:
        """All trees' leaves in one array, and each tree's first index, in the order of the answers' bytes."""
        import numpy as np

        n_words = -(-self.n_trees // _BYTES_A_WORD)
        first = np.zeros(n_words * _BYTES_A_WORD, dtype=np.intp)
        first[1 : self.n_trees] = np.cumsum([len(of_tree) for of_tree in self.leaves[:-1]])
        flat = np.concatenate(self.leaves, dtype=self.form.sum_type)
        return flat, first.reshape(n_words, _BYTES_A_WORD, 1)

    def _as_words(self, answers: Sequence[int]) -> NDArray[np.uint64]:
        import numpy as np

        n_bytes = -(-self.n_trees // _BYTES_A_WORD) * _BYTES_A_WORD
        packed = b"".join(answer.to_bytes(n_bytes, "little") for answer in answers)
        return np.frombuffer(packed, dtype=np.uint64).reshape(len(answers), -1)

    def _leaves_of(self, tree: int) -> list[float]:
        form, root = self.form, self.form.roots[tree]
        bit = {node: 1 << number for number, node in enumerate(self._questions[tree])}
        leaves = []
        for byte in range(1 << len(bit)):
            node = root
            while node in bit:
                node = form.node_right[node] if byte & bit[node] else node + 1
            leaves.append(form.node_value[node])
        return leaves
