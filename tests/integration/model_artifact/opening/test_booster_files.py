"""A booster's own file becomes arrays, without any pickle; what can't serve is refused with why."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from fitted_pipelines import lightgbm, loans, records, xgboost
from model_artifact.errors import UnreadablePickleError, UnsuitableModelError
from model_artifact.opening.booster_files import library_of, open_booster, with_columns
from model_artifact.opening.inspection import inspect_candidate
from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES
from model_artifact.serving_form.scorers.record_scorer import load_scorer
from model_kit import dumped
from model_registry.errors import CandidateRefusedError
from training.probe_records import PROBE_RECORDS

FORMATS = ("txt", "json", "ubj")


def as_categories(names: dict[str, str] | None = None) -> Any:
    frame = loans()[0].astype(dict.fromkeys(CATEGORY_NAMES, "category"))
    return frame.rename(columns=names or {})


def file_of(model: Any, kind: str) -> bytes:
    return model.booster_.model_to_string().encode() if kind == "txt" else bytes(model.get_booster().save_raw(kind))


def make(kind: str, **options: Any) -> Any:
    return lightgbm(min_data_per_group=5, **options) if kind == "txt" else xgboost(enable_categorical=True, **options)


@cache
def fitted(kind: str) -> Any:
    return make(kind).fit(as_categories(), loans()[1])


@cache
def file(kind: str) -> bytes:
    return file_of(fitted(kind), kind)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_is_served_as_the_model_that_wrote_it(kind: str) -> None:
    inspection = inspect_candidate(file(kind), PROBE_RECORDS)
    assert inspection.why_no_serving_form is None
    assert inspection.categories["home_ownership"] == ("MORTGAGE", "OWN", "RENT")
    expected = fitted(kind).predict_proba(as_categories())[:, 1].tolist()
    assert load_scorer(inspection.serving_form).late_probabilities(records()) == expected


@pytest.mark.parametrize("kind", FORMATS)
def test_columns_of_other_names_can_be_named(kind: str) -> None:
    names = {name: f"c{number}" for number, name in enumerate(FIELD_NAMES)}
    data = file_of(make(kind).fit(as_categories(names), loans()[1]), kind)
    with pytest.raises(UnsuitableModelError, match=r"calls its columns c0, .*--columns"):
        open_booster(data)
    if kind == "ubj":
        with pytest.raises(UnsuitableModelError, match=r"model\.json"):
            with_columns(data, FIELD_NAMES)
        return
    model = open_booster(with_columns(data, FIELD_NAMES))
    assert model.predict_proba(as_categories()).tolist() == fitted(kind).predict_proba(as_categories()).tolist()


def test_text_with_windows_line_ends_is_the_same_text() -> None:
    model = open_booster(file("txt").replace(b"\n", b"\r\n"))
    assert model.predict_proba(as_categories()).tolist() == fitted("txt").predict_proba(as_categories()).tolist()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.0003, 0.01, 0.5, 0.97, 0.999])
def test_a_file_that_is_cut_off_says_so(kind: str, share: float) -> None:
    data = file(kind)
    with pytest.raises(UnreadablePickleError, match="isn't complete"):
        open_booster(data[: max(8, int(len(data) * share))])


def multiclass() -> Any:
    return loans()[1] + (loans()[0]["dti"] > 30).to_numpy()


REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "LightGBM's regression": ("objective is regression", lambda: regressor("txt")),
    "LightGBM's classes": (
        "objective is multiclass",
        lambda: file_of(make("txt").fit(as_categories(), multiclass()), "txt"),
    ),
    "LightGBM's ranking": (
        "objective is lambdarank",
        lambda: file("txt").replace(b"binary sigmoid:1", b"lambdarank", 1),
    ),
    "XGBoost's regression": ("objective is reg:squarederror", lambda: regressor("json")),
    "XGBoost's classes": (
        "objective is multi:softprob",
        lambda: file_of(make("ubj").fit(as_categories(), multiclass()), "ubj"),
    ),
    "LightGBM's dump": ("save_model.*model.txt", lambda: json.dumps(fitted("txt").booster_.dump_model()).encode()),
    "XGBoost's dump": ("save_model", lambda: b'[{"nodeid": 0, "leaf": 0.1}]'),
    "CatBoost's JSON": ("CatBoost.*pickle", lambda: b'{"features_info": {}, "oblivious_trees": []}'),
    "LightGBM on an array": ("calls its columns Column_0", lambda: file_of(on_an_array("txt"), "txt")),
    "XGBoost on an array": ("doesn't name its columns", lambda: file_of(on_an_array("json"), "json")),
    "labels that nobody knows": (
        "which labels purpose, grade, emp_length, home_ownership may have",
        lambda: with_columns(file_of(on_an_array("txt"), "txt"), FIELD_NAMES),
    ),
}


def regressor(kind: str) -> bytes:
    from lightgbm import LGBMRegressor
    from xgboost import XGBRegressor

    model = LGBMRegressor(n_estimators=2, verbose=-1) if kind == "txt" else XGBRegressor(n_estimators=2)
    return file_of(model.fit(codes(), loans()[1]), kind)


def codes() -> Any:
    frame = as_categories()
    for name in CATEGORY_NAMES:
        frame[name] = frame[name].cat.codes
    return frame.to_numpy(dtype=np.float64)


def on_an_array(kind: str) -> Any:
    return make(kind).fit(codes(), loans()[1])


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_can_not_serve_is_refused_with_why(what: str) -> None:
    message, written = REFUSED[what]
    with pytest.raises(UnsuitableModelError, match=message):
        open_booster(written())


def test_a_file_without_arrays_is_refused_with_why() -> None:
    linear = lightgbm(linear_tree=True).fit(as_categories(), loans()[1])
    with pytest.raises(CandidateRefusedError, match=r"linear_tree.*joblib\.dump"):
        inspect_candidate(file_of(linear, "txt"), PROBE_RECORDS)


def test_nested_brackets_without_end_are_refused() -> None:
    with pytest.raises(UnreadablePickleError, match="isn't complete"):
        open_booster(b'{"learner":' + b"[" * 100_000 + b"}")


@pytest.mark.parametrize("columns", [FIELD_NAMES[:9], [*FIELD_NAMES[:9], "zip_code"], [*FIELD_NAMES, "dti"]])
def test_columns_are_the_ten_of_the_schema(columns: list[str]) -> None:
    with pytest.raises(UnsuitableModelError, match="Name each of loan_amnt, "):
        with_columns(file("json"), columns)


def test_a_pickle_is_no_boosters_file() -> None:
    assert [library_of(data) for data in (b"", b"<html>", dumped({}), file("txt"), file("ubj"))] == [
        None,
        None,
        None,
        "lightgbm",
        "xgboost",
    ]
    with pytest.raises(UnsuitableModelError, match="A pickled model knows its columns"):
        with_columns(dumped({}), FIELD_NAMES)
