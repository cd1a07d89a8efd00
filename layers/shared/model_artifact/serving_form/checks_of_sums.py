"""Checks that the curves and the parts of a stored form can be scored safely; ``checks`` does the rest."""

from __future__ import annotations

from array import array
from itertools import accumulate, pairwise
from math import isfinite

from model_artifact.schema import FIELD_NAMES, NUMERIC_NAMES
from model_artifact.serving_form.errors import require
from model_artifact.serving_form.form import CompositeForm, CurvesForm
from model_artifact.serving_form.number_functions import FUNCTION_NAMES

MAX_PARTS = 64
MAX_CURVES = 1_000
MAX_STEPS = 16
MAX_PIECES = 100_000
MAX_KNOTS = 1_000_000
# Far above any contribution that counts, and far below values whose sum could overflow.
MAX_CONTRIBUTION = 1e12

NUMBER_FIELDS = frozenset(map(FIELD_NAMES.index, NUMERIC_NAMES))

_COEFFICIENTS = 4


def check_curves(form: CurvesForm) -> None:
    """Raise ``InvalidServingFormError`` unless all curves are about numbers, and their steps and pieces exist.

    A step outside its domain, or a polynomial that overflows, is noticed when a record is scored.
    """
    n_curves, n_steps, n_pieces = len(form.curve_field), sum(form.curve_steps), sum(form.curve_pieces)
    of_curves = (form.curve_missing, form.curve_steps, form.curve_pieces)
    have_one_length = n_curves <= MAX_CURVES and all(len(of_curve) == n_curves for of_curve in of_curves)
    require(have_one_length, "its curves' arrays have different lengths, or are too long")
    require(NUMBER_FIELDS.issuperset(form.curve_field), "a curve is about a field that isn't a number")
    are_few = all(0 <= number <= MAX_STEPS for number in form.curve_steps)
    require(are_few, f"a curve doesn't have 0 to {MAX_STEPS} steps")
    have_pieces = all(number >= 1 for number in form.curve_pieces) and n_pieces <= MAX_PIECES
    require(have_pieces, "a curve has no piece, or there are too many")
    have_steps = len(form.step_function) == len(form.step_a) == len(form.step_b) == n_steps
    require(have_steps, "its steps' arrays have other lengths than its curves ask for")
    are_complete = len(form.piece_start) == n_pieces and len(form.piece_coefficients) == _COEFFICIENTS * n_pieces
    require(are_complete, "its pieces' arrays have other lengths than its curves ask for")
    are_known = all(0 <= number < len(FUNCTION_NAMES) for number in form.step_function)
    require(are_known, "a step is a function that doesn't exist")
    figures = (*form.step_a, *form.step_b, *form.piece_start, *form.piece_coefficients)
    require(all(map(isfinite, figures)), "a curve has a figure that isn't finite")
    are_possible = all(-MAX_CONTRIBUTION <= value <= MAX_CONTRIBUTION for value in form.curve_missing)
    require(are_possible, "a curve's contribution isn't a possible log-odds")
    require(_ascend(form.piece_start, form.curve_pieces), "a curve's pieces don't ascend")


def check_composite(form: CompositeForm) -> None:
    """Raise ``InvalidServingFormError`` unless each part has a finite weight, and its knots ascend."""
    n_parts, n_knots = len(form.parts), sum(form.part_knots)
    have_one_length = len(form.part_weight) == len(form.part_is_score) == len(form.part_knots) == n_parts
    require(1 <= n_parts <= MAX_PARTS and have_one_length, "its parts' arrays have other lengths than its parts")
    require(max(form.part_is_score) <= 1, "a part gives neither its sum nor its probability")
    require(all(map(isfinite, form.part_weight)), "a part's weight isn't finite")
    require(form.output in ("log_odds", "mean"), "it doesn't say what the sum of its parts is")
    if form.output == "mean":
        is_mean = form.base == 0 and min(form.part_weight) >= 0 and sum(form.part_weight) > 0
        require(is_mean, "a mean of parts doesn't begin with zero, or has weights that don't make a mean")
    are_complete = min(form.part_knots) >= 0 and len(form.knot_x) == len(form.knot_y) == n_knots <= MAX_KNOTS
    require(are_complete, "its knots' arrays have other lengths than its parts ask for")
    require(all(map(isfinite, (*form.knot_x, *form.knot_y))), "a knot isn't finite")
    do_ascend = _ascend(form.knot_x, form.part_knots) and _ascend(form.knot_y, form.part_knots)
    require(do_ascend, "a calibration's knots don't ascend")


def _ascend(values: array[float], lengths: array[int]) -> bool:
    """Return whether each run of values ascends, or has equal neighbours."""
    ends = accumulate(lengths, initial=0)
    runs = (values[start:end] for start, end in pairwise(ends))
    return all(before <= after for run in runs for before, after in pairwise(run))
