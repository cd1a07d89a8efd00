"""Finds the parts of a classifier that combines others: votes, stacks, calibrations, bagging of other than trees."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.calibration import CalibratedClassifierCV, _SigmoidCalibration
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.form import CompositeForm, Output, ServingForm, join_labels


@dataclass(frozen=True)
class Part:
    """A classifier, or a combination of classifiers, whose result is weighted and added.

    ``is_score`` says whether its decision function is meant, not its probability. ``knots`` are those of an isotonic
    calibration, x and y.
    """

    classifier: Any
    weight: float = 1.0
    is_score: bool = False
    knots: tuple[Sequence[float], Sequence[float]] = ((), ())


@dataclass(frozen=True)
class Combination:
    """What a composite form is made of, before the parts are compiled; see ``CompositeForm``."""

    output: Output
    parts: Sequence[Part]
    base: float = 0.0

    def form(self, forms: Sequence[ServingForm]) -> CompositeForm:
        """Return the form, given those of the parts."""
        knots = [part.knots for part in self.parts]
        return CompositeForm(
            labels=join_labels(forms),
            output=self.output,
            base=self.base,
            parts=tuple(forms),
            part_weight=array("d", [part.weight for part in self.parts]),
            part_is_score=array("B", [part.is_score for part in self.parts]),
            part_knots=array("i", [len(x) for x, _ in knots]),
            knot_x=array("d", [value for x, _ in knots for value in x]),
            knot_y=array("d", [value for _, y in knots for value in y]),
        )


def _voting(voting: VotingClassifier) -> Combination:
    if voting.voting != "soft":
        raise NotCompilableError("a VotingClassifier that counts votes, so that it has no probability")
    weights = voting._weights_not_none or [1.0] * len(voting.estimators_)
    pairs = zip(voting.estimators_, weights, strict=True)
    return Combination("mean", [Part(classifier, float(weight)) for classifier, weight in pairs])


def _stacking(stacking: StackingClassifier) -> Combination:
    final = stacking.final_estimator_
    if type(final) not in (LogisticRegression, LogisticRegressionCV) or stacking.passthrough:
        raise NotCompilableError("a StackingClassifier that doesn't end in a LogisticRegression of its parts")
    weights = final.coef_[0].tolist()
    parts = []
    for classifier, method, weight in zip(stacking.estimators_, stacking.stack_method_, weights, strict=True):
        if method == "predict":
            raise NotCompilableError("a StackingClassifier of classes, not of probabilities")
        parts.append(Part(classifier, weight, is_score=method == "decision_function"))
    return Combination("log_odds", parts, float(final.intercept_[0]))


def _calibration(calibration: CalibratedClassifierCV) -> Combination:
    return Combination("mean", [_fold(fold) for fold in calibration.calibrated_classifiers_])


def _fold(fold: Any) -> Part:
    classifier, (calibrator, *_) = fold.estimator, fold.calibrators
    # As sklearn.calibration: the decision function, if there is one.
    is_score = hasattr(classifier, "decision_function")
    if type(calibrator) is _SigmoidCalibration:
        part = Part(classifier, -float(calibrator.a_), is_score)
        return Part(Combination("log_odds", [part], -float(calibrator.b_)))
    if type(calibrator) is IsotonicRegression and calibrator.out_of_bounds == "clip" and calibrator.increasing_:
        return Part(classifier, 1.0, is_score, (calibrator.X_thresholds_.tolist(), calibrator.y_thresholds_.tolist()))
    raise NotCompilableError(f"a calibration by {type(calibrator).__name__}")


COMPOSITES: Mapping[type, Callable[[Any], Combination]] = {
    CalibratedClassifierCV: _calibration,
    StackingClassifier: _stacking,
    VotingClassifier: _voting,
}
