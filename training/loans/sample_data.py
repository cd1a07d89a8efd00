"""Generates sample loans for machines without the real data, with its columns, sizes, late rates and difficulty.

``sample_parameters.json`` holds the figures: the columns' distributions and dependence, the rate cards, and the logit
of being late. No generated row is a row of the real data. The same seed gives the same loans.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import expit

from model_artifact.schema import FIELD_NAMES, GRADES, TARGET

# With this seed the test quarter is about as hard to predict as the real one; 86 late loans leave much to chance.
DEFAULT_SEED = 0

Split = Literal["train", "test"]
Floats = NDArray[np.float64]

_STEPS = 5  # sub-grades of a grade
_RATE_OF_SERVICE_MEMBERS = 0.06


def generate(seed: int = DEFAULT_SEED) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Generate the two quarters.

    Parameters
    ----------
    seed : int
        Another seed gives other loans.

    Returns
    -------
    train : pandas.DataFrame of shape (111068, 11)
        Newest first, like the real file.
    test : pandas.DataFrame of shape (6843, 11)
        The next quarter.
    """
    parameters = read_parameters()
    random = np.random.default_rng(seed)
    return generate_quarter(parameters, "train", random), generate_quarter(parameters, "test", random)


def read_parameters() -> dict[str, Any]:
    """Return what sample_parameters.json holds; whoever wants other loans changes it before ``generate_quarter``."""
    text = resources.files("training.loans").joinpath("sample_parameters.json").read_text("utf-8")
    return dict(json.loads(text))


def generate_quarter(parameters: Mapping[str, Any], split: Split, random: Generator) -> pd.DataFrame:
    """Generate the loans of one quarter, with the columns and rates of the training or the test file."""
    n_rows = int(parameters[f"n_{split}"])
    ranks = _correlated_ranks(parameters["copula"]["corr"], n_rows, random)
    sub_grade = _choose_by_rank(parameters["subgrade_share"][split], ranks[:, 0])
    grade = sub_grade // _STEPS
    numbers = _numbers(parameters, split, ranks, random)
    income_third = np.searchsorted(parameters["income_tercile_cuts"], numbers["annual_inc"])
    loan_third = np.searchsorted(parameters["loan_tercile_cuts"], numbers["loan_amnt"])
    home = parameters["home_ownership_by_income_tercile"]
    columns: dict[str, Any] = {
        **numbers,
        "int_rate": _rates(parameters, split, sub_grade, random),
        "grade": np.array(GRADES, dtype=object)[grade],
        "delinq_2yrs": _choose_per_group(_delinquency_shares(parameters), grade, random),
        "purpose": _labels(parameters["purpose_levels"], _purpose_shares(parameters, split), loan_third, random),
        "home_ownership": _labels(home["levels"], home["shares"], income_third, random),
        "emp_length": _labels(
            parameters["emp_length_levels"], parameters["emp_length_by_income_tercile"], income_third, random
        ),
    }
    frame = pd.DataFrame(columns)
    logit = _late_logit(parameters["logit"], frame, sub_grade) + _offsets(parameters, split, n_rows)
    frame[TARGET] = (random.random(n_rows) < expit(logit)).astype(np.int64)
    frame["emp_length"] = frame["emp_length"].where(frame["emp_length"] != "NA", np.nan)
    frame.loc[random.random(n_rows) < parameters["missing"]["revol_util"][split], "revol_util"] = np.nan
    return frame[[*FIELD_NAMES, TARGET]]


def _correlated_ranks(correlation: Sequence[Sequence[float]], n_rows: int, random: Generator) -> Floats:
    """Draw from a Gaussian copula; ranks, rather than the normal distribution's integral, keep the marginals exact."""
    normal = random.standard_normal((n_rows, len(correlation))) @ np.linalg.cholesky(np.array(correlation)).T
    return (normal.argsort(axis=0).argsort(axis=0) + 0.5) / n_rows


def _numbers(parameters: Mapping[str, Any], split: Split, ranks: Floats, random: Generator) -> dict[str, Floats]:
    quantiles = parameters["quantiles"][split]
    levels = parameters["quantile_levels"]
    rounding = parameters["rounding"]
    n_rows = len(ranks)
    # Incomes are even on a logarithmic scale between two quantiles: the last step spans 0.8 to 10 million.
    income = np.exp(np.interp(ranks[:, 1], levels, np.log(quantiles["annual_inc"])))
    loan = np.interp(ranks[:, 2], np.linspace(0, 1, len(quantiles["loan_amnt"])), quantiles["loan_amnt"])
    draw = random.random(n_rows)
    income_step = np.select(
        [draw < rounding["annual_inc_multiple_5000"], draw < rounding["annual_inc_multiple_1000"]], [5000, 1000], 1
    )
    is_thousands = random.random(n_rows) < rounding["loan_amnt_multiple_1000"]
    loan_step = np.where(is_thousands, 1000, rounding["loan_amnt_else_multiple_of"])
    return {
        "annual_inc": np.maximum(np.round(income / income_step) * income_step, 1000.0),
        "loan_amnt": np.clip(np.round(loan / loan_step) * loan_step, 1000, rounding["loan_amnt_max"]).astype(np.int64),
        "dti": np.round(np.interp(ranks[:, 3], levels, quantiles["dti"]), rounding["dti_decimals"]),
        "revol_util": np.round(
            np.interp(ranks[:, 4], levels, quantiles["revol_util"]), rounding["revol_util_decimals"]
        ),
    }


def _rates(parameters: Mapping[str, Any], split: Split, sub_grade: NDArray[np.int64], random: Generator) -> Floats:
    """Look the rate up in the card that was in force; the training file has two cards, the newer first."""
    n_rows = len(sub_grade)
    draw = random.random(n_rows)
    if split == "train":
        share_of_older = np.interp(np.arange(n_rows) / n_rows, (55 / 111, 60 / 111), (0.0, 1.0))
        card = np.where(draw < share_of_older, 0, 1)
    else:
        card = np.where(draw < parameters["card_share"]["test"]["c2"], 1, 2)
    cards = np.array([[parameters["rate_cards"][name][grade] for grade in GRADES] for name in ("c1", "c2", "c3")])
    rates = np.asarray(cards.reshape(3, -1)[card, sub_grade], dtype=np.float64)
    rates[random.random(n_rows) < parameters["scra_6pct"]["share_train"]] = _RATE_OF_SERVICE_MEMBERS
    return rates


def _delinquency_shares(parameters: Mapping[str, Any]) -> list[list[float]]:
    by_grade = parameters["delinq_2yrs_pmf_0_to_8"]
    return [by_grade.get(grade, by_grade["F,G"]) for grade in GRADES]


def _purpose_shares(parameters: Mapping[str, Any], split: Split) -> Floats:
    shift = np.array(parameters["purpose_share"][split]) / np.array(parameters["purpose_share"]["train"])
    return np.asarray(np.array(parameters["purpose_by_loan_tercile"]) * shift, dtype=np.float64)


def _late_logit(logit: Mapping[str, Any], frame: pd.DataFrame, sub_grade: NDArray[np.int64]) -> Floats:
    """Evaluate the fitted logit; ``basis`` in the parameters explains its terms."""
    coef: Mapping[str, float] = logit["coef"]
    loan, dti = frame["loan_amnt"] / 1e4, frame["dti"]
    terms = {
        "sub": sub_grade,
        "sub_sq": (sub_grade / 10) ** 2,
        "log_inc": np.log(frame["annual_inc"]) - 11.1,
        "loan": loan,
        "loan_gt10": np.maximum(loan - 1, 0),
        "loan_gt20": np.maximum(loan - 2, 0),
        "dti": dti / 10,
        "dti_lt5": np.maximum(5 - dti, 0) / 5,
        "revol": frame["revol_util"],
        "revol_lt20": 5 * np.maximum(0.2 - frame["revol_util"], 0),
        "delinq": np.minimum(frame["delinq_2yrs"], 4),
        "emp_NA": frame["emp_length"] == "NA",
        "emp_10+": frame["emp_length"] == "10+ years",
    }
    for name in coef:
        kind, _, level = name.partition("=")
        if level:
            terms[name] = frame["purpose" if kind == "purpose" else "home_ownership"] == level
    return np.asarray(logit["intercept"] + sum(coef[name] * np.asarray(terms[name], float) for name in coef))


def _offsets(parameters: Mapping[str, Any], split: Split, n_rows: int) -> Floats:
    """Return how much the loans' age shifts the logit: the newest loans had the least time to become late."""
    if split == "test":
        return np.full(n_rows, float(parameters["test_logodds_offset"]))
    by_decile = np.array(parameters["seasoning_logodds_offset_by_file_decile"])
    return np.asarray(by_decile[np.arange(n_rows) * len(by_decile) // n_rows], dtype=np.float64)


def _labels(levels: Sequence[str], shares: Any, group: NDArray[np.int64], random: Generator) -> NDArray[np.object_]:
    return np.array(levels, dtype=object)[_choose_per_group(shares, group, random)]


def _choose_per_group(shares: Any, group: NDArray[np.int64], random: Generator) -> NDArray[np.int64]:
    draw = random.random(len(group))
    chosen = np.empty(len(group), dtype=np.int64)
    for number, of_group in enumerate(shares):
        members = group == number
        chosen[members] = _choose_by_rank(of_group, draw[members])
    return chosen


def _choose_by_rank(shares: Any, rank: Floats) -> NDArray[np.int64]:
    """Return the index of the share that each rank in [0, 1) falls into."""
    upper = np.cumsum(np.asarray(shares, dtype=np.float64))
    return np.searchsorted(upper[:-1] / upper[-1], rank, side="right")
