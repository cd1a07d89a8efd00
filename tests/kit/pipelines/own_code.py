"""Pipelines with code of a data scientist's own, which travels with the pickle by value (cloudpickle)."""

from __future__ import annotations

import sys
import types
from functools import cache
from typing import Any

import cloudpickle
import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from pipelines.kind import End, Kind
from pipelines.parts import NUMBERS, imputed, regression, with_labels

MODULE = "risk_features"
# A module that lies beside a data scientist's notebook, and nowhere else.
_MODULE_TEXT = """
from sklearn.base import BaseEstimator, TransformerMixin


def add_loan_to_income(loans):
    return loans.assign(loan_to_income=loans["loan_amnt"] / (loans["annual_inc"] + 1))


class LoanToIncome(TransformerMixin, BaseEstimator):
    def fit(self, loans, is_late=None):
        return self

    def transform(self, loans):
        return add_loan_to_income(loans)
"""
# A notebook's own cells are the module __main__.
_NOTEBOOK_TEXT = """
from sklearn.base import BaseEstimator, TransformerMixin


class Clip(TransformerMixin, BaseEstimator):
    def __init__(self, columns):
        self.columns = columns

    def fit(self, loans, is_late=None):
        self.highest_ = loans[self.columns].quantile(0.99)
        return self

    def transform(self, loans):
        return loans.assign(**loans[self.columns].clip(upper=self.highest_, axis=1))
"""


@cache
def _module() -> types.ModuleType:
    module = types.ModuleType(MODULE)
    exec(_MODULE_TEXT, vars(module))
    return module


def _write_by_value(model: Any) -> bytes:
    """Return the pickle with the module in it, as docs/models.md says."""
    sys.modules[MODULE] = _module()
    cloudpickle.register_pickle_by_value(_module())
    try:
        pickle: bytes = cloudpickle.dumps(model)
        return pickle
    finally:
        cloudpickle.unregister_pickle_by_value(_module())
        del sys.modules[MODULE]


def _on_one_column_more(first: Any) -> Pipeline:
    columns = with_labels(("numbers", imputed(StandardScaler()), [*NUMBERS, "loan_to_income"]))
    return make_pipeline(first, columns, regression())


def _code_of_a_notebook() -> Pipeline:
    cells: dict[str, Any] = {"__name__": "__main__"}
    exec(_NOTEBOOK_TEXT, cells)
    rounded = FunctionTransformer(lambda numbers: np.round(numbers, 2))
    return make_pipeline(
        cells["Clip"](NUMBERS), with_labels(("numbers", imputed(rounded, StandardScaler()), NUMBERS)), regression()
    )


KINDS = (
    Kind(
        "own-function",
        "FunctionTransformer of a function in a module of one's own",
        lambda: _on_one_column_more(FunctionTransformer(_module().add_loan_to_income)),
        End.PICKLE,
        write=_write_by_value,
        brings_code=True,
    ),
    Kind(
        "own-class",
        "a transformer in a module of one's own",
        lambda: _on_one_column_more(_module().LoanToIncome()),
        End.PICKLE,
        write=_write_by_value,
        brings_code=True,
    ),
    Kind(
        "own-class-of-a-notebook",
        "a transformer and a lambda that a notebook defines",
        _code_of_a_notebook,
        End.PICKLE,
        write=cloudpickle.dumps,
        brings_code=True,
    ),
)
