"""Every way of scoring a form gives the probability of the pipeline that it was compiled from."""

from __future__ import annotations

from array import array
from dataclasses import replace
from functools import cache
from math import isnan, nextafter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitted_pipelines import (
    KINDS,
    TREES,
    any_record,
    columns,
    fitted,
    form,
    lightgbm,
    loans,
    ordinal,
    pipeline,
    records,
)
from model_artifact.errors import NonFiniteOutputError
from model_artifact.features import frame_from_records
from model_artifact.pipeline import late_probabilities
from model_artifact.schema import FIELD_NAMES
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.encoding import check_probabilities, check_probability, expit, expit_of_many
from model_artifact.serving_form.form import CurvesForm
from model_artifact.serving_form.number_functions import FUNCTION_NAMES
from model_artifact.serving_form.scorers.composite import Isotonic
from model_artifact.serving_form.scorers.large_trees import LargeTrees
from model_artifact.serving_form.scorers.leaf_masks import LeafMasks, has_leaf_masks
from model_artifact.serving_form.scorers.record_scorer import Scorer, load_scorer, make_scorer
from model_artifact.serving_form.scorers.small_trees import SmallTrees, is_small


@cache
def scorer(kind: str) -> Scorer:
    return load_scorer(form(kind).to_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_all_ways_agree_with_the_pipeline_on_all_loans(kind: str) -> None:
    expected = late_probabilities(fitted(kind), frame_from_records(records()))
    singles = list(map(scorer(kind).late_probability, records()))
    assert scorer(kind).late_probabilities(records()) == singles
    assert scorer(kind).late_probabilities_of_columns(dict(loans()[0].items())).tolist() == singles
    assert np.abs(np.array(singles) - expected).max() <= 1e-12


@pytest.mark.parametrize("kind", TREES)
def test_trees_agree_bit_for_bit(kind: str) -> None:
    expected = late_probabilities(fitted(kind), frame_from_records(records()))
    assert scorer(kind).late_probabilities(records()) == expected.tolist()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(batch=st.lists(any_record(), min_size=1, max_size=20))
def test_any_records_agree_with_the_pipeline(kind: str, batch: list[dict[str, object]]) -> None:
    expected = late_probabilities(fitted(kind), frame_from_records(batch))
    singles = list(map(scorer(kind).late_probability, batch))
    assert scorer(kind).late_probabilities(batch) == singles
    columns = {name: [record[name] for record in batch] for name in FIELD_NAMES}
    assert scorer(kind).late_probabilities_of_columns(columns).tolist() == singles
    assert np.abs(np.array(singles) - expected).max() <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_small_trees_get_the_fast_scorer(kind: str) -> None:
    is_small_kind = "small" in kind or kind == "boosting-unknown-minus-one"
    assert isinstance(scorer(kind), SmallTrees) == is_small_kind
    assert isinstance(scorer(kind), LeafMasks) == (kind in TREES and not is_small_kind)


@pytest.mark.parametrize("kind", TREES)
def test_all_scorers_of_trees_agree_bit_for_bit(kind: str) -> None:
    expected = scorer(kind).late_probabilities(records())
    for make in (LargeTrees, LeafMasks):
        assert make(form(kind)).late_probabilities(records()) == expected
        assert list(map(make(form(kind)).late_probability, records()[:300])) == expected[:300]


@pytest.mark.parametrize("leaves", [2, 8, 9, 16, 17, 32, 33, 64, 65, 130])
def test_masks_of_every_width_find_the_same_leaves(leaves: int) -> None:
    trees = compile_pipeline(
        pipeline(columns("passthrough", ordinal()), lightgbm(num_leaves=leaves, min_child_samples=1)).fit(*loans())
    )
    masks, nodes = LeafMasks(trees), LargeTrees(trees)
    assert list(map(masks.score, records())) == list(map(nodes.score, records()))


def test_trees_whose_masks_would_fill_the_memory_are_walked() -> None:
    trees = compile_pipeline(fitted("boosting-large"))
    assert has_leaf_masks(trees)
    assert not has_leaf_masks(trees, n_forms=1 << 20)
    # Each has one leaf only, but a place in every mask.
    end = len(trees.node_column)
    many = 99_000
    trees.roots.extend(range(end, end + many))
    for values, value in ((trees.node_column, -1), (trees.node_value, 0.0), (trees.node_right, 0)):
        values.extend([value] * many)
    assert not has_leaf_masks(trees)
    assert type(make_scorer(trees)) is LargeTrees


@pytest.mark.parametrize("kind", ["forest", "boosting-small", "boosting-large", "logistic"])
@pytest.mark.parametrize("gap", [None, float("nan"), np.float64("nan")])
def test_missing_key_none_and_nan_are_the_same(kind: str, gap: object) -> None:
    record = records()[0]
    for name in FIELD_NAMES:
        without = {other: value for other, value in record.items() if other != name}
        expected = scorer(kind).late_probability({**record, name: None})
        assert scorer(kind).late_probability(without) == expected
        assert scorer(kind).late_probability({**record, name: gap}) == expected
        assert scorer(kind).late_probabilities([{**record, name: gap}] * 200) == [expected] * 200
        assert scorer(kind).late_probabilities([without] * 200) == [expected] * 200


@pytest.mark.parametrize("kind", ["forest", "boosting-small", "logistic"])
def test_other_keys_and_the_order_of_keys_change_nothing(kind: str) -> None:
    record = records()[3]
    shuffled = {"loan_id": "A-1", **dict(reversed(record.items()))}
    assert scorer(kind).late_probability(shuffled) == scorer(kind).late_probability(record)


@pytest.mark.parametrize("kind", ["forest", "boosting-small", "boosting-large", "logistic"])
@pytest.mark.parametrize("size", [0, 1, 12, 13, 150, 511, 513, 1000])
def test_batches_of_any_size_agree_with_single_records(kind: str, size: int) -> None:
    batch = records()[:size]
    expected = list(map(scorer(kind).late_probability, batch))
    assert scorer(kind).late_probabilities(batch) == expected
    table = {name: [record[name] for record in batch] for name in FIELD_NAMES}
    assert scorer(kind).late_probabilities_of_columns(table).tolist() == expected


def test_trees_whose_tables_would_fill_the_memory_are_not_small() -> None:
    trees = compile_pipeline(fitted("boosting-small"))
    end = len(trees.node_column)
    assert is_small(trees)
    # Only the number of trees counts here: each is one leaf.
    many = 200_000
    trees.roots.extend(range(end, end + many))
    trees.node_column.extend([-1] * many)
    assert not is_small(trees)


@pytest.mark.parametrize(
    ("log_odds", "probability"),
    [(0.0, 0.5), (-1e6, 0.0), (1e6, 1.0), (-700.0, 9.859676543759770e-305), (float("inf"), 1.0), (-float("inf"), 0.0)],
)
def test_expit_ends_in_zero_and_one(log_odds: float, probability: float) -> None:
    assert expit(log_odds) == pytest.approx(probability, rel=1e-12)
    assert expit_of_many(np.array([log_odds, 0.0])).tolist() == [expit(log_odds), 0.5]


@given(st.floats(-690, 690))
def test_expit_is_scipys_bit_for_bit(log_odds: float) -> None:
    from scipy.special import expit as expected

    assert expit(log_odds) == expected(log_odds) == expit_of_many(np.array([log_odds]))[0]


@pytest.mark.parametrize("output", [float("nan"), -0.1, 1.1, float("inf")])
def test_output_that_is_not_a_probability_is_refused(output: float) -> None:
    with pytest.raises(NonFiniteOutputError):
        check_probability(output)
    with pytest.raises(NonFiniteOutputError) as caught:
        check_probabilities(np.array([0.5, output, 0.0, 1.0]))
    assert (caught.value.rows, caught.value.of) == (1, 4)


def test_no_number_stays_no_number() -> None:
    with pytest.raises(NonFiniteOutputError):
        check_probability(expit(float("nan")))
    with pytest.raises(NonFiniteOutputError):
        check_probabilities(expit_of_many(np.array([float("nan")])))


def test_calibration_is_linear_between_its_knots_and_constant_beyond() -> None:
    calibrate = Isotonic([-1.0, 0.0, 0.0, 2.0], [0.0, 0.25, 0.5, 1.0])
    assert [calibrate(x) for x in (-9.0, -1.0, -0.5, 0.0, 1.0, 2.0, 9.0)] == [0.0, 0.0, 0.125, 0.5, 0.75, 1.0, 1.0]
    assert calibrate(nextafter(0.0, -1.0)) == pytest.approx(0.25)
    assert isnan(calibrate(float("nan")))


def test_curve_outside_its_functions_domain_is_refused() -> None:
    curves = form("logistic-curves")
    assert isinstance(curves, CurvesForm)
    steps = array("b", [FUNCTION_NAMES.index("log")] * len(curves.step_function))
    scorer = make_scorer(replace(curves, step_function=steps))
    for income in (0.0, -1.0):
        record = {**records()[0], "annual_inc": income}
        with pytest.raises(NonFiniteOutputError):
            scorer.late_probability(record)
        with pytest.raises(NonFiniteOutputError):
            scorer.late_probabilities_of_columns({name: [record[name]] * 2 for name in FIELD_NAMES})
