"""What can be compiled is proven equal, and what can't be is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OrdinalEncoder,
    PolynomialFeatures,
    SplineTransformer,
)

from fitted_pipelines import (
    KINDS,
    TREES,
    boosting,
    columns,
    fitted,
    form,
    loans,
    one_hot,
    ordinal,
    pipeline,
    records,
    scaled,
)
from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, NUMERIC_NAMES
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.compiling.trees import pull_back
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.parity import compile_verified

MEDIAN = SimpleImputer(strategy="median")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_proven_on_its_edges(kind: str) -> None:
    verified = compile_verified(fitted(kind), records()[:60])
    assert verified.why_not is None
    assert verified.parity.rows > 1000
    assert verified.parity.largest_difference <= (0.0 if kind in TREES else 1e-12)
    assert verified.body == form(kind).to_bytes()


def test_columns_in_another_order_are_compiled_too() -> None:
    frame, late = loans()
    shuffled = pipeline(columns("passthrough", ordinal()), boosting()).fit(frame[list(reversed(FIELD_NAMES))], late)
    assert compile_verified(shuffled, records()[:20]).why_not is None


def test_remainder_and_dropped_columns_are_compiled_too() -> None:
    transformer = ColumnTransformer(
        [("encode", ordinal(), ["grade", "purpose"]), ("drop", "drop", ["emp_length", "home_ownership"])],
        remainder="passthrough",
    )
    assert compile_verified(pipeline(transformer, boosting()).fit(*loans()), records()[:20]).why_not is None


def test_label_that_says_missing_is_not_a_missing_value() -> None:
    frame, late = loans()
    frame = frame.assign(purpose=frame["purpose"].where(np.arange(len(frame)) % 3 > 0, "missing"))
    model = pipeline(columns(MEDIAN, one_hot(sparse_output=False)), RandomForestClassifier(5, random_state=0))
    assert compile_verified(model.fit(frame, late), records()[:20]).why_not is None


def test_tree_without_a_question_is_compiled_too() -> None:
    model = pipeline(columns("passthrough", ordinal()), boosting(min_samples_leaf=1500))
    verified = compile_verified(model.fit(*loans()), records()[:20])
    assert verified.why_not is None


REFUSED = {
    "a DummyClassifier as the classifier": lambda: pipeline(
        columns(MEDIAN, one_hot()), DummyClassifier(strategy="prior")
    ),
    "a FunctionTransformer of 'fillna'": lambda: pipeline(
        columns(FunctionTransformer(pd.DataFrame.fillna, kw_args={"value": 0}), ordinal()), boosting()
    ),
    "a PolynomialFeatures": lambda: pipeline(columns(MEDIAN, ordinal()), boosting(), PolynomialFeatures()),
    "function of loan_amnt that doesn't always increase": lambda: pipeline(
        columns(FunctionTransformer(np.negative), ordinal()), boosting()
    ),
    "function of loan_amnt that": lambda: pipeline(
        columns(Pipeline([("impute", MEDIAN), ("curve", SplineTransformer())]), ordinal()), boosting()
    ),
    "an ensemble of LogisticRegression": lambda: pipeline(
        columns(scaled(), one_hot()), AdaBoostClassifier(LogisticRegression(max_iter=2000), n_estimators=2)
    ),
    "begins with a LogisticRegression": lambda: pipeline(
        columns(scaled(), one_hot()), GradientBoostingClassifier(n_estimators=2, init=LogisticRegression(max_iter=2000))
    ),
    "loss='modified_huber'": lambda: pipeline(
        columns(scaled(), one_hot()), SGDClassifier(loss="modified_huber", random_state=0)
    ),
    "doesn't end in a LogisticRegression": lambda: pipeline(
        columns(MEDIAN, ordinal()), StackingClassifier([("a", boosting(max_iter=2))], boosting(max_iter=2), cv=2)
    ),
    "a calibration by _TemperatureScaling": lambda: pipeline(
        columns(MEDIAN, ordinal()), CalibratedClassifierCV(boosting(max_iter=2), method="temperature", cv=2)
    ),
    "missing_values isn't NaN": lambda: pipeline(columns(SimpleImputer(missing_values=0.0), ordinal()), boosting()),
    "handle_unknown='error'": lambda: pipeline(columns(MEDIAN, OrdinalEncoder()), boosting()),
    "OrdinalEncoder of a number": lambda: pipeline(columns(ordinal(), ordinal()), boosting()),
    "transformer_weights": lambda: pipeline(
        ColumnTransformer(
            [("n", MEDIAN, list(NUMERIC_NAMES)), ("c", ordinal(), list(CATEGORY_NAMES))], transformer_weights={"n": 2}
        ),
        boosting(),
    ),
    "don't tell what they do to delinq_2yrs": lambda: pipeline(
        columns("passthrough", ordinal()), boosting(categorical_features=[5])
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_unknown_part_is_named_and_the_pickle_serves(what: str) -> None:
    frame, late = loans()
    complete = frame.dropna()
    model = REFUSED[what]().fit(complete, late[complete.index])
    with pytest.raises(NotCompilableError, match=what):
        compile_pipeline(model)
    verified = compile_verified(model, records()[:5])
    assert verified.body is None
    assert verified.why_not.startswith("not compilable: ")


def test_subclass_is_not_compiled() -> None:
    class Other(HistGradientBoostingClassifier):
        """Might predict anything."""

    with pytest.raises(NotCompilableError, match="Other"):
        compile_pipeline(pipeline(columns("passthrough", ordinal()), Other(max_iter=2)).fit(*loans()))


def test_unfitted_pipeline_is_named_as_not_compilable() -> None:
    verified = compile_verified(KINDS["boosting-small"](), records()[:5])
    assert verified.body is None
    assert verified.why_not.startswith("not compilable: ")


def test_logistic_regression_that_missing_values_reach_is_named() -> None:
    frame, late = loans()
    complete = frame.dropna()
    model = pipeline(columns("passthrough", one_hot()), LogisticRegression(max_iter=3000, solver="liblinear"))
    verified = compile_verified(model.fit(complete, late[complete.index]), records()[:5])
    assert verified.body is None
    assert verified.why_not is not None


def test_proving_needs_records() -> None:
    with pytest.raises(ValueError, match="at least one"):
        compile_verified(fitted("logistic"), [])


numbers = st.floats(-1e30, 1e30)


@settings(deadline=None)
@given(st.lists(numbers, min_size=1, max_size=20))
def test_thresholds_are_pulled_back_through_float32_to_the_bit(thresholds: list[float]) -> None:
    given_thresholds = np.array(thresholds)
    pulled = pull_back(given_thresholds, lambda x: x.astype(np.float32).astype(np.float64))
    with np.errstate(over="ignore"):
        assert (np.float32(pulled) <= given_thresholds).all()
        assert (np.float32(np.nextafter(pulled, np.inf)) > given_thresholds).all()


@given(st.lists(numbers, min_size=1, max_size=20), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_thresholds_are_pulled_back_through_scaling_to_the_bit(
    thresholds: list[float], shift: float, scale: float
) -> None:
    given_thresholds = np.array(thresholds)
    pulled = pull_back(given_thresholds, lambda x: (x - shift) / scale)
    assert ((pulled - shift) / scale <= given_thresholds).all()
    assert ((np.nextafter(pulled, np.inf) - shift) / scale > given_thresholds).all()


def test_thresholds_without_end_stay_without_end() -> None:
    given_thresholds = np.array([np.inf, -np.inf, np.finfo(np.float64).max, 0.0, -0.0, 5e-324])
    pulled = pull_back(given_thresholds, lambda x: x)
    assert pulled.tolist() == [np.inf, -np.inf, np.inf, 0.0, 0.0, 5e-324]
