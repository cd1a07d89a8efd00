"""Compiles a classifier that adds up its columns' contributions, such as a logistic regression."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA, TruncatedSVD

from model_artifact.serving_form.compiling.columns import read_columns
from model_artifact.serving_form.compiling.preparation import Preparation
from model_artifact.serving_form.compiling.sums import Contribution, sum_form
from model_artifact.serving_form.form import LinearForm

Floats = NDArray[np.float64]


def linear_form(regression: Any, preparation: Preparation) -> LinearForm:
    """Return the form of a fitted linear classifier with two classes, such as ``LogisticRegression``.

    Raises ``NotCompilableError`` if a missing value would reach the classifier, which refuses it.
    """
    weights = np.asarray(regression.coef_, dtype=np.float64)[0]
    intercept = float(np.ravel(regression.intercept_)[0])
    steps = list(preparation.steps)
    # Components are weighted sums of columns, and so is a weighted sum of components.
    while steps and type(steps[-1]) in (PCA, TruncatedSVD):
        components, means = _components(steps.pop())
        weights = weights @ components
        intercept -= float(means @ weights)
    columns = read_columns(replace(preparation, steps=tuple(steps)), np.asarray)
    return sum_form(intercept, [Contribution(weight) for weight in weights.tolist()], columns)


def naive_bayes_form(bayes: Any, preparation: Preparation) -> LinearForm:
    """Return the form of a fitted ``GaussianNB`` with two classes.

    Each column's two Gaussian log-densities are parabolas, and so is their difference.
    """
    prior = np.log(bayes.class_prior_) - 0.5 * np.log(2.0 * np.pi * bayes.var_).sum(axis=1)
    figures = zip(bayes.theta_.T.tolist(), bayes.var_.T.tolist(), strict=True)
    contributions = [_difference_of_logs(*means, *variances) for means, variances in figures]
    return sum_form(float(prior[1] - prior[0]), contributions, read_columns(preparation, np.asarray))


def _difference_of_logs(mean: float, late_mean: float, variance: float, late_variance: float) -> Contribution:
    """Return the exponent of the late loans' Gaussian density minus that of the on-time loans'."""
    square, distance = 0.5 / variance - 0.5 / late_variance, late_mean - mean
    # The narrower density's mean is where u is zero. Its variance is almost zero for a label that a class never had,
    # so that a distance over it is too large for the sum to be precise.
    if variance < late_variance:
        # -(u - distance)² / (2 · late variance) + u² / (2 · variance), with u = x - mean
        return Contribution(distance / late_variance, mean, -distance * distance / (2 * late_variance), square)
    # -u² / (2 · late variance) + (u + distance)² / (2 · variance), with u = x - late mean
    return Contribution(distance / variance, late_mean, distance * distance / (2 * variance), square)


def _components(step: Any) -> tuple[Floats, Floats]:
    """Return the weights of each component, and the means that are subtracted before."""
    components = np.asarray(step.components_, dtype=np.float64)
    if getattr(step, "whiten", False):
        components = components / np.sqrt(step.explained_variance_)[:, np.newaxis]
    return components, getattr(step, "mean_", np.zeros(components.shape[1]))
