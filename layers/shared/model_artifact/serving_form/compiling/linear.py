"""Compiles a logistic regression on a matrix into contributions of the record's own fields."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

from model_artifact.schema import CATEGORY_NAMES
from model_artifact.serving_form.compiling.columns import Columns
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.form import LinearForm, n_codes


def linear_form(regression: Any, columns: Columns) -> LinearForm:
    """Return the form of a fitted ``LogisticRegression`` with two classes.

    Raises ``NotCompilableError`` if a missing value would reach the regression, which refuses it.
    """
    weights = np.asarray(regression.coef_, dtype=np.float64)[0]
    width = n_codes(columns.labels)
    contributions = np.zeros((len(CATEGORY_NAMES), width))
    terms = []
    for column, weight in zip(columns.columns, weights.tolist(), strict=True):
        if column.by_code is None:
            terms.append((column.field, column.shift, column.scale, weight, column.missing * weight))
        else:
            contributions[CATEGORY_NAMES.index(column.name), : len(column.by_code)] += column.by_code * weight
    if not (np.isfinite(contributions).all() and np.isfinite([missing for *_, missing in terms]).all()):
        raise NotCompilableError("a LogisticRegression that a missing or unseen value reaches")
    fields, shifts, scales, of_terms, missing_values = zip(*terms, strict=True) if terms else ((),) * 5
    return LinearForm(
        intercept=float(np.ravel(regression.intercept_)[0]),
        labels=columns.labels,
        term_field=array("b", fields),
        term_shift=array("d", shifts),
        term_scale=array("d", scales),
        term_weight=array("d", of_terms),
        term_missing=array("d", missing_values),
        category_contributions=array("d", contributions.ravel().tolist()),
    )
