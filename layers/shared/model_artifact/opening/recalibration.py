"""Recalibrates an open model: its log-odds become ``intercept + slope * log-odds``, so that loans keep their order.

Boosted trees and a logistic regression get other parameters, so that a prediction takes as long as before. Any other
model gets a table around it, which scikit-learn and the serving form know as an isotonic calibration.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from model_artifact.model_columns import input_columns
from model_artifact.pipeline import PipelineScorer

# The table's probabilities are so many, evenly spread in log-odds between the smallest one and its complement; between
# two of them a probability is off by less than a thousandth of it.
_TABLE_SIZE = 601
_SMALLEST_PROBABILITY = 1e-6


class OpenModel(PipelineScorer):
    """Scores with an open model, and pickles it recalibrated."""

    def recalibrated(self, line: tuple[float, float]) -> bytes:
        """Return the pickle of the model with other log-odds; ``line`` is intercept and slope. The model is used up."""
        from model_artifact.opening.pickling import pickled

        return pickled(recalibrate(self._pipeline, *line))


def recalibrate(model: Any, intercept: float, slope: float) -> Any:
    """Return a fitted model with other log-odds: the model itself, changed, or one around it.

    Parameters
    ----------
    model : object
        A model that ``check_pipeline`` accepts.
    intercept, slope : float
        The line; the slope is above 0.
    """
    return model if set_line(model, intercept, slope) else _with_table(model, intercept, slope)


def set_line(model: Any, intercept: float, slope: float) -> bool:
    """Change the parameters of boosted trees or a logistic regression; return whether the model is one of these.

    scikit-learn has no public name for the start value of boosted trees, nor for their leaves; a test holds that this
    changes every log-odds by exactly the line.
    """
    # Imported here: the function opens pickles too, and recalibrates none.
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    last = model[-1] if type(model) is Pipeline else model
    if type(last) is HistGradientBoostingClassifier:
        last._baseline_prediction = last._baseline_prediction * slope + intercept
        for (tree,) in last._predictors:
            tree.nodes["value"] *= slope
    elif type(last) is LogisticRegression:
        last.coef_ = last.coef_ * slope
        last.intercept_ = last.intercept_ * slope + intercept
    else:
        return False
    return True


def _with_table(model: Any, intercept: float, slope: float) -> Any:
    from sklearn.calibration import CalibratedClassifierCV, _CalibratedClassifier
    from sklearn.frozen import FrozenEstimator
    from sklearn.isotonic import IsotonicRegression

    last = np.log1p(-_SMALLEST_PROBABILITY) - np.log(_SMALLEST_PROBABILITY)
    log_odds = np.linspace(-last, last, _TABLE_SIZE)
    table = IsotonicRegression(out_of_bounds="clip").fit(_logistic(log_odds), _logistic(intercept + slope * log_odds))
    classes = np.array([0, 1])
    inner = _CalibratedClassifier(_with_probabilities_alone(model, classes), [table], classes=classes)
    calibrated = CalibratedClassifierCV(FrozenEstimator(model), method="isotonic")
    calibrated.classes_ = classes
    calibrated.calibrated_classifiers_ = [inner]
    calibrated.feature_names_in_ = np.array(input_columns(model), dtype=object)
    return calibrated


def _with_probabilities_alone(model: Any, classes: Any) -> Any:
    """Return a vote of one model: a calibration would take a decision function, which needn't be log-odds."""
    from sklearn.ensemble import VotingClassifier
    from sklearn.preprocessing import LabelEncoder
    from sklearn.utils import Bunch

    vote = VotingClassifier([("model", model)], voting="soft")
    vote.estimators_ = [model]
    vote.named_estimators_ = Bunch(model=model)
    vote.le_ = LabelEncoder().fit(classes)
    vote.classes_ = classes
    return vote


def _logistic(log_odds: Any) -> Any:
    return 1 / (1 + np.exp(-log_odds))
