"""What may serve, and that the late class's probability is read by its label."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline

from model_artifact.errors import NonFiniteOutputError, UnsuitableModelError
from model_artifact.features import frame_from_records
from model_artifact.pipeline import check_pipeline, find_threshold, late_probabilities
from model_artifact.schema import FIELD_NAMES
from model_kit import small_boosted, small_forest, small_quarter


class Answers:
    """A model that gives the same two columns to everybody."""

    def __init__(self, output: object, classes: tuple[object, ...] = (0, 1)) -> None:
        self.classes_ = np.array(classes)
        self.feature_names_in_ = np.array(FIELD_NAMES, dtype=object)
        self._output = np.asarray(output, dtype=float)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.predict_proba(frame)[:, 1]

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        return np.tile(self._output, (len(frame), 1))


def _fitted(model: object, columns: list[str] | None = None, target: object = None) -> Pipeline:
    quarter = small_quarter()
    features = quarter.features if columns is None else quarter.frame.reindex(columns=columns)
    return Pipeline([("model", model)]).fit(features, quarter.target if target is None else target)


@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_both_models_of_the_project_may_serve(model) -> None:
    check_pipeline(model())


@pytest.mark.fault(11)
@pytest.mark.parametrize("thing", [{"a": 1}, [1], None, np.zeros(3), pd.DataFrame(), "model"])
def test_fault_11_wrong_object_in_the_pickle_is_named(thing: object) -> None:
    with pytest.raises(UnsuitableModelError, match=type(thing).__name__):
        check_pipeline(thing)


def test_the_entry_of_a_bundle_that_is_the_model_is_named() -> None:
    with pytest.raises(UnsuitableModelError, match=r"holds a dict, .* alone: its entry 'model'"):
        check_pipeline({"threshold": 0.05, "model": small_boosted()})


@pytest.mark.fault(14)
def test_fault_14_regressor_is_refused() -> None:
    quarter = small_quarter()
    regressor = HistGradientBoostingRegressor(max_iter=2)
    pipeline = Pipeline([*small_boosted().steps[:-1], ("trees", regressor)]).fit(quarter.features, quarter.target)
    with pytest.raises(UnsuitableModelError, match="predict_proba"):
        check_pipeline(pipeline)


@pytest.mark.fault(14)
def test_fault_14_classifier_without_probabilities_is_refused() -> None:
    with pytest.raises(UnsuitableModelError, match="predict_proba"):
        check_pipeline(RidgeClassifier())


@pytest.mark.fault(14)
@pytest.mark.parametrize("labels", [("late", "on time"), (1, 2), (0, 1, 2), (1,), ("0", "1")])
def test_fault_14_other_class_labels_than_0_and_1_are_refused_with_what_they_are(labels) -> None:
    with pytest.raises(UnsuitableModelError, match=str(labels[0])):
        check_pipeline(Answers((0.5, 0.5), labels))


@pytest.mark.fault(14)
def test_fault_14_nine_and_eleven_columns_are_refused_with_both_sides_named() -> None:
    nine = [name for name in FIELD_NAMES if name != "dti"]
    with pytest.raises(UnsuitableModelError, match=r"takes 9 columns, the schema has 10; it lacks dti"):
        check_pipeline(_fitted(DummyClassifier(), nine))
    with pytest.raises(UnsuitableModelError, match=r"takes 11 columns, .*doesn't know zip_code"):
        check_pipeline(_fitted(DummyClassifier(), [*FIELD_NAMES, "zip_code"]))


@pytest.mark.fault(14)
def test_fault_14_a_model_that_does_not_know_its_columns_by_name_is_refused() -> None:
    quarter = small_quarter()
    model = DummyClassifier().fit(quarter.features.to_numpy(), quarter.target)
    with pytest.raises(UnsuitableModelError, match="by name"):
        check_pipeline(model)


def test_an_unfitted_pipeline_is_refused() -> None:
    with pytest.raises(UnsuitableModelError, match="isn't fitted"):
        check_pipeline(DummyClassifier())


@pytest.mark.fault(9)
def test_fault_09_a_model_fitted_on_shuffled_columns_gets_them_in_its_order() -> None:
    quarter = small_quarter()
    shuffled = list(reversed(FIELD_NAMES))
    model = Pipeline(small_forest().steps)
    reversed_columns = Pipeline([("columns", model[0]), ("forest", model[1])])
    reversed_columns = reversed_columns.fit(quarter.frame[shuffled], quarter.target)
    check_pipeline(reversed_columns)
    records = quarter.features.head(20).to_dict("records")
    expected = reversed_columns.predict_proba(quarter.frame[shuffled].head(20))[:, 1]
    assert late_probabilities(reversed_columns, frame_from_records(records)).tolist() == expected.tolist()


@pytest.mark.fault(14)
def test_fault_14_the_late_column_is_found_by_its_label() -> None:
    frame = small_quarter().features.head(3)
    assert late_probabilities(Answers((0.9, 0.1), (0, 1)), frame).tolist() == [0.1] * 3
    assert late_probabilities(Answers((0.9, 0.1), (1, 0)), frame).tolist() == [0.9] * 3


@pytest.mark.fault(14)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1.0000001, -0.0000001])
def test_fault_14_output_that_is_not_a_probability_is_an_error_and_never_an_answer(wrong: float) -> None:
    with pytest.raises(NonFiniteOutputError) as caught:
        late_probabilities(Answers((1 - wrong, wrong)), small_quarter().features.head(3))
    assert (caught.value.rows, caught.value.of) == (3, 3)


def test_the_wrong_shape_of_output_is_an_error() -> None:
    with pytest.raises(UnsuitableModelError, match="shape"):
        late_probabilities(Answers((0.2, 0.3, 0.5)), small_quarter().features.head(3))


def _with_threshold(**options: object) -> FixedThresholdClassifier:
    quarter = small_quarter()
    return FixedThresholdClassifier(small_boosted(), **options).fit(quarter.features, quarter.target)


def test_threshold_of_a_model_is_found_wherever_it_is() -> None:
    fixed = _with_threshold(threshold=0.125)
    assert find_threshold(fixed) == 0.125
    assert find_threshold(_with_threshold()) == 0.5
    assert find_threshold(Pipeline([("only", fixed)])) == 0.125
    assert find_threshold(FrozenEstimator(fixed)) == 0.125
    quarter = small_quarter()
    search = GridSearchCV(fixed, {"threshold": [0.25]}, cv=2).fit(quarter.features, quarter.target)
    assert find_threshold(search) == 0.25
    tuned = TunedThresholdClassifierCV(small_boosted(), cv=2).fit(quarter.features, quarter.target)
    assert find_threshold(tuned) == tuned.best_threshold_


def test_threshold_that_is_not_about_the_late_probability_does_not_count() -> None:
    assert find_threshold(small_boosted()) is None
    assert find_threshold(_with_threshold(threshold=-1.0, response_method="decision_function")) is None
    assert find_threshold(_with_threshold(threshold=0.3, pos_label=0)) is None
