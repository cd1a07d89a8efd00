"""The serving form: the arrays of a compiled model, and the file that stores them. ``reading`` reads it back.

There are four kinds. ``TreesForm``: every node asks one question about one raw field of the record, so no encoder,
imputer or scaler is needed. ``LinearForm``: every field adds its contribution to the log-odds. ``CurvesForm``: the
same, and a number's contribution may be any function of it. ``CompositeForm``: the weighted sum of other forms.

To change the format: raise ``FORM_FORMAT``, keep reading the old format as long as a version with it may serve, and add
a case to tests/unit/model_artifact/serving_form/test_form.py. Another kind, ``output`` or optional array needs no new
number: a function that doesn't know it refuses the form.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from math import inf
from typing import Any, ClassVar, Literal

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES
from model_artifact.serving_form import archive

FORM_FORMAT = 1

Output = Literal["log_odds", "log_odds_float32", "mean"]
Labels = Mapping[str, tuple[str, ...]]

# Numbers that aren't compared: the first, the last, and whether they go left.
Blank = tuple[float, float, bool]
NO_BLANK: Blank = (inf, -inf, False)

# The member that says which kind of form it is.
META = "meta"

# The type codes of stored arrays.
_INT8 = {"type_code": "b"}
_UINT8 = {"type_code": "B"}
_INT16 = {"type_code": "h"}
_INT32 = {"type_code": "i"}
_FLOAT64 = {"type_code": "d"}
# Not stored where they are empty.
_OPTIONAL_FLOAT64 = {"type_code": "d", "is_optional": True}
_OPTIONAL_UINT8 = {"type_code": "B", "is_optional": True}


@dataclass(frozen=True, eq=False)
class _Form:
    """The part that all kinds share; ``KIND`` names the kind."""

    KIND: ClassVar[str]
    labels: Labels

    @classmethod
    def type_codes(cls) -> dict[str, str]:
        """Return the names of the arrays, with their type codes."""
        return {member.name: member.metadata["type_code"] for member in fields(cls) if member.metadata}

    @classmethod
    def optional(cls) -> set[str]:
        """Return the names of the arrays that a stored form may lack."""
        return {member.name for member in fields(cls) if member.metadata.get("is_optional")}

    @classmethod
    def facts(cls) -> list[str]:
        """Return the names of the fields that ``META`` holds, besides the labels."""
        return [member.name for member in fields(cls) if not member.metadata and member.name != "labels"]

    @property
    def n_codes(self) -> int:
        """The length of a row of a table by code."""
        return n_codes(self.labels)

    def to_bytes(self) -> bytes:
        """Return the ``.npz`` archive; equal forms give equal bytes."""
        meta = {"format": FORM_FORMAT, **self.description()}
        text = json.dumps(meta, allow_nan=False).encode("utf-8")
        return archive.pack({META: array("B", text), **self.members()})

    def description(self) -> dict[str, Any]:
        """Return what the member ``META`` says of the form, besides the format."""
        return {
            "kind": self.KIND,
            "fields": FIELD_NAMES,
            "labels": {name: self.labels[name] for name in CATEGORY_NAMES},
            **{name: getattr(self, name) for name in self.facts()},
        }

    def members(self) -> dict[str, Any]:
        """Return the arrays by name, without the optional ones that are empty."""
        arrays = {name: getattr(self, name) for name in self.type_codes()}
        return {name: values for name, values in arrays.items() if len(values) or name not in self.optional()}


@dataclass(frozen=True, eq=False)
class TreesForm(_Form):
    """Trees whose nodes are in preorder: a node's left child follows it, its right child comes later.

    Attributes
    ----------
    output : {"log_odds", "log_odds_float32", "mean"}
        Whether the late probability is ``expit(base + sum of the leaves)``, the same in single precision
        (``single_precision``), or ``(base + sum of the leaves) / n_trees``.
    base : float
        The start of the sum.
    labels : mapping of str to tuple of str
        The labels of each category field. A label's code is its index. The next code is that of a missing value, and
        the one after it that of any other label.
    roots : array of int32, length n_trees
        Each tree's first node, ascending.
    node_column, node_value, node_right : arrays of length n_nodes
        The column that the node asks about, −1 at a leaf; the threshold (left if ``x <= threshold``), or the leaf's
        value; the right child, 0 at a leaf.
    column_field, column_missing_left : arrays of length n_columns
        Which field of ``schema.FIELD_NAMES`` a column is about, ascending; for a number, 1 if a missing one goes left.
    category_sides : array of uint8, length n_columns * n_codes
        For each column of a category and each code: 0 for left, 1 for right; the threshold is ½. Zero for numbers.
    column_blank_from, column_blank_to, column_blank_left : arrays of length n_columns, or empty
        Numbers that aren't compared, as zero isn't by some boosters: the first and the last of them (∞ and −∞ for
        none), and 1 if they go left.
    """

    KIND = "trees"
    output: Output
    base: float
    roots: array[int] = field(metadata=_INT32)
    node_column: array[int] = field(metadata=_INT16)
    node_value: array[float] = field(metadata=_FLOAT64)
    node_right: array[int] = field(metadata=_INT32)
    column_field: array[int] = field(metadata=_INT8)
    column_missing_left: array[int] = field(metadata=_UINT8)
    category_sides: array[int] = field(metadata=_UINT8)
    column_blank_from: array[float] = field(metadata=_OPTIONAL_FLOAT64, default_factory=lambda: array("d"))
    column_blank_to: array[float] = field(metadata=_OPTIONAL_FLOAT64, default_factory=lambda: array("d"))
    column_blank_left: array[int] = field(metadata=_OPTIONAL_UINT8, default_factory=lambda: array("B"))

    @property
    def sum_type(self) -> str:
        """NumPy's name for the numbers in which the leaves are added."""
        return "float32" if self.output == "log_odds_float32" else "float64"

    def tree_spans(self) -> Iterator[tuple[int, int]]:
        """Yield each tree's first node, and the one after its last."""
        return pairwise([*self.roots, len(self.node_column)])

    def blank_of(self, column: int) -> Blank:
        """Return a column's numbers that aren't compared."""
        if not self.column_blank_from:
            return NO_BLANK
        return self.column_blank_from[column], self.column_blank_to[column], self.column_blank_left[column] == 1


@dataclass(frozen=True, eq=False)
class LinearForm(_Form):
    """Log-odds as a sum: ``intercept + Σ weight · (x − shift) / scale + Σ contribution of the category's code``.

    Attributes
    ----------
    intercept : float
        The log-odds before any contribution.
    labels : mapping of str to tuple of str
        As in ``TreesForm``.
    term_field, term_shift, term_scale, term_weight, term_missing : arrays of length n_terms
        The numbers' terms; ``term_missing`` is a missing number's contribution.
    category_contributions : array of float64, length n_categories * n_codes
        In the order of ``schema.CATEGORY_NAMES``.
    """

    KIND = "linear"
    intercept: float
    term_field: array[int] = field(metadata=_INT8)
    term_shift: array[float] = field(metadata=_FLOAT64)
    term_scale: array[float] = field(metadata=_FLOAT64)
    term_weight: array[float] = field(metadata=_FLOAT64)
    term_missing: array[float] = field(metadata=_FLOAT64)
    category_contributions: array[float] = field(metadata=_FLOAT64)


@dataclass(frozen=True, eq=False)
class CurvesForm(LinearForm):
    """A ``LinearForm`` with curves: each adds a function of one number to the log-odds.

    A curve's steps (``number_functions``) change the number into x. Then one of its pieces gives the contribution, a
    cubic polynomial of ``x - start``. A piece is valid from its start on; a curve's first piece also before that.

    Attributes
    ----------
    curve_field, curve_missing, curve_steps, curve_pieces : arrays of length n_curves
        The number's field; the contribution of a missing number; how many steps and pieces the curve has. The steps and
        pieces of all curves follow each other.
    step_function, step_a, step_b : arrays of length n_steps
        The position in ``FUNCTION_NAMES``, and the function's parameters.
    piece_start : array of float64, length n_pieces
        Ascending within a curve.
    piece_coefficients : array of float64, length 4 * n_pieces
        Those of 1, u, u² and u³.
    """

    KIND = "curves"
    curve_field: array[int] = field(metadata=_INT8)
    curve_missing: array[float] = field(metadata=_FLOAT64)
    curve_steps: array[int] = field(metadata=_INT32)
    curve_pieces: array[int] = field(metadata=_INT32)
    step_function: array[int] = field(metadata=_INT8)
    step_a: array[float] = field(metadata=_FLOAT64)
    step_b: array[float] = field(metadata=_FLOAT64)
    piece_start: array[float] = field(metadata=_FLOAT64)
    piece_coefficients: array[float] = field(metadata=_FLOAT64)


@dataclass(frozen=True, eq=False)
class CompositeForm(_Form):
    """A weighted sum of what other forms give, such as a vote, a stack, or the folds of a calibration.

    Attributes
    ----------
    output : {"log_odds", "mean"}
        Whether the late probability is ``expit(base + weighted sum)`` or ``weighted sum / sum of the weights``.
    base : float
        The start of the sum; 0 for a mean.
    parts : tuple of ServingForm
        The other forms. Their arrays are stored with the part's number in front: ``0.roots``.
    part_weight : array of float64, length n_parts
        The weights.
    part_is_score : array of uint8, length n_parts
        1 if the part gives its sum before the last step to a probability, 0 for its probability.
    part_knots : array of int32, length n_parts
        How many knots the part's isotonic calibration has; 0 for none. All parts' knots follow each other.
    knot_x, knot_y : arrays of float64, length n_knots
        The calibration is linear between the knots and constant beyond the first and the last one.
    """

    KIND = "composite"
    output: Output
    base: float
    parts: tuple[ServingForm, ...]
    part_weight: array[float] = field(metadata=_FLOAT64)
    part_is_score: array[int] = field(metadata=_UINT8)
    part_knots: array[int] = field(metadata=_INT32)
    knot_x: array[float] = field(metadata=_FLOAT64)
    knot_y: array[float] = field(metadata=_FLOAT64)

    @classmethod
    def facts(cls) -> list[str]:
        """See ``_Form``."""
        return ["output", "base"]

    def description(self) -> dict[str, Any]:
        """See ``_Form``."""
        return {**super().description(), "parts": [part.description() for part in self.parts]}

    def members(self) -> dict[str, Any]:
        """See ``_Form``."""
        of_parts = [(f"{number}.", part.members()) for number, part in enumerate(self.parts)]
        return {
            **super().members(),
            **{prefix + name: values for prefix, members in of_parts for name, values in members.items()},
        }


ServingForm = TreesForm | LinearForm | CompositeForm


def leaf_forms(form: ServingForm) -> list[TreesForm | LinearForm]:
    """Return the form itself, or the forms that a composite is made of in the end."""
    if isinstance(form, CompositeForm):
        return [leaf for part in form.parts for leaf in leaf_forms(part)]
    return [form]


def join_labels(forms: Iterable[ServingForm]) -> Labels:
    """Return all labels that one of the forms knows."""
    forms = tuple(forms)
    return {
        name: tuple(dict.fromkeys(label for form in forms for label in form.labels[name])) for name in CATEGORY_NAMES
    }


def n_codes(labels: Labels) -> int:
    """Return the number of codes of the category with the most labels, including those of missing and unseen ones."""
    return 2 + max(map(len, labels.values()), default=0)
