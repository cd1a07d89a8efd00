"""Follows the columns through a fitted transformer, by the attributes that it has.

To compile another class, add a line to ``TRANSFORMERS``. ``columns`` then lets the transformer itself fill the tables
by code, and compares the result with what its attributes say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import (
    RFE,
    RFECV,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

from model_artifact.serving_form.compiling.column import Column, Pieces, Step, ufunc_step
from model_artifact.serving_form.compiling.preparation import is_passthrough
from model_artifact.serving_form.compiling.splines import spline_pieces
from model_artifact.serving_form.errors import NotCompilableError

# The labels that the encoders of each category field know.
KnownLabels = dict[str, list[str]]
Follow = Callable[[Any, list[Column], KnownLabels], list[Column]]


def follow(step: Any, columns: list[Column], labels: KnownLabels) -> list[Column]:
    """Return the columns after a fitted transformer, and add its labels to ``labels``.

    Raises ``NotCompilableError`` if the transformer isn't known, or an option of it.
    """
    if is_passthrough(step):
        return columns
    kind = type(step)
    if kind not in TRANSFORMERS:
        raise NotCompilableError(f"a {kind.__name__}")
    return TRANSFORMERS[kind](step, columns, labels)


def follow_encoder(step: Any, columns: list[Column], labels: KnownLabels) -> list[Column]:
    """Follow an encoder of categories; the tables by code come from the encoder itself."""
    kind = type(step).__name__
    if getattr(step, "handle_unknown", "ignore") == "error":
        raise NotCompilableError(f"an {kind} with handle_unknown='error', which refuses a label that it doesn't know")
    widths = step._n_features_outs if isinstance(step, OneHotEncoder) else [1] * len(columns)
    result = []
    for column, categories, width in zip(columns, step.categories_, widths, strict=True):
        if not column.is_text:
            raise NotCompilableError(f"an {kind} of a number, or after another encoder")
        result += [encode(column, categories, labels)] * width
    return result


def encode(column: Column, categories: Any, labels: KnownLabels) -> Column:
    """Return a text's column after its encoder, and add the encoder's categories to ``labels``."""
    of_field = labels[column.name]
    of_field += [label for label in categories.tolist() if isinstance(label, str) and label not in of_field]
    return replace(column, is_text=False)


def _pipeline(step: Pipeline, columns: list[Column], labels: KnownLabels) -> list[Column]:
    for _, part in step.steps:
        columns = follow(part, columns, labels)
    return columns


def _column_transformer(step: ColumnTransformer, columns: list[Column], labels: KnownLabels) -> list[Column]:
    if step.transformer_weights:
        raise NotCompilableError("a ColumnTransformer with transformer_weights")
    parts: list[tuple[slice, list[Column]]] = []
    for name, transformer, _ in step.transformers_:
        # A dropped part has no width, and neither has a part without columns.
        place: slice = step.output_indices_[name]
        if place.start == place.stop:
            continue
        of_part = [columns[index] for index in step._transformer_to_input_indices[name]]
        result = follow(transformer, of_part, labels)
        if len(result) != place.stop - place.start:
            raise NotCompilableError(f"a ColumnTransformer whose part {name!r} has another width than it should")
        parts.append((place, result))
    parts.sort(key=lambda part: part[0].start)
    return [column for _, result in parts for column in result]


def _feature_union(step: FeatureUnion, columns: list[Column], labels: KnownLabels) -> list[Column]:
    if step.transformer_weights:
        raise NotCompilableError("a FeatureUnion with transformer_weights")
    parts = [transformer for _, transformer in step.transformer_list if transformer != "drop"]
    return [column for transformer in parts for column in follow(transformer, columns, labels)]


def _frozen(step: FrozenEstimator, columns: list[Column], labels: KnownLabels) -> list[Column]:
    return follow(step.estimator, columns, labels)


def _selector(step: Any, columns: list[Column], _labels: KnownLabels) -> list[Column]:
    return [column for column, is_kept in zip(columns, step.get_support().tolist(), strict=True) if is_kept]


def _imputer(step: SimpleImputer, columns: list[Column], _labels: KnownLabels) -> list[Column]:
    missing = step.missing_values
    if not (isinstance(missing, float) and np.isnan(missing)):
        raise NotCompilableError("a SimpleImputer whose missing_values isn't NaN")
    if any(isinstance(filler, float) and np.isnan(filler) for filler in step.statistics_.tolist()):
        raise NotCompilableError("a SimpleImputer that saw a column without any value")
    if not step.add_indicator:
        return columns
    indicated = [columns[index] for index in step.indicator_.features_.tolist()]
    # Present numbers are never missing; the tables say what a missing one gives.
    return columns + [
        Column(column.field, is_text=False, pieces=None if column.is_category else Pieces.constant(0.0))
        for column in indicated
    ]


def _function(step: FunctionTransformer, columns: list[Column], _labels: KnownLabels) -> list[Column]:
    if step.func is None:
        return columns
    function = ufunc_step(step.func)
    if function is None or step.kw_args:
        name = getattr(step.func, "__name__", type(step.func).__name__)
        raise NotCompilableError(f"a FunctionTransformer of {name!r}, which isn't a known NumPy function of one number")
    return _each(columns, [[function]] * len(columns), "a FunctionTransformer")


def _standard_scaler(step: StandardScaler, columns: list[Column], _labels: KnownLabels) -> list[Column]:
    shifts = step.mean_ if step.with_mean else None
    return _each(columns, _scales(len(columns), shifts, step.scale_), "a StandardScaler")


def _robust_scaler(step: RobustScaler, columns: list[Column], _labels: KnownLabels) -> list[Column]:
    shifts = step.center_ if step.with_centering else None
    scales = step.scale_ if step.with_scaling else None
    return _each(columns, _scales(len(columns), shifts, scales), "a RobustScaler")


def _max_abs_scaler(step: MaxAbsScaler, columns: list[Column], _labels: KnownLabels) -> list[Column]:
    clip = [Step("clip", -1.0, 1.0)] if step.clip else []
    return _each(columns, [[*of_column, *clip] for of_column in _scales(len(columns), None, step.scale_)], "a scaler")


def _min_max_scaler(step: MinMaxScaler, columns: list[Column], _labels: KnownLabels) -> list[Column]:
    clip = [Step("clip", *map(float, step.feature_range))] if step.clip else []
    pairs = zip(step.scale_.tolist(), step.min_.tolist(), strict=True)
    return _each(columns, [[Step("multiply", *pair), *clip] for pair in pairs], "a MinMaxScaler")


def _power(step: PowerTransformer, columns: list[Column], _labels: KnownLabels) -> list[Column]:
    steps: list[list[Step]] = [[Step(step.method, power)] for power in step.lambdas_.tolist()]
    if step.standardize:
        scales = _scales(len(columns), step._scaler.mean_, step._scaler.scale_)
        steps = [[*power, *scale] for power, scale in zip(steps, scales, strict=True)]
    return _each(columns, steps, "a PowerTransformer")


def _bins(step: KBinsDiscretizer, columns: list[Column], _labels: KnownLabels) -> list[Column]:
    result = []
    for column, edges, n_bins in zip(columns, step.bin_edges_, step.n_bins_.tolist(), strict=True):
        starts = tuple(edges[:-1].tolist())
        identity = np.eye(n_bins).tolist() if step.encode.startswith("onehot") else [list(map(float, range(n_bins)))]
        for levels in identity:
            coefficients = tuple((level, 0.0, 0.0, 0.0) for level in levels)
            result.append(_with_pieces(column, Pieces(starts, coefficients), "a KBinsDiscretizer"))
    return result


def _splines(step: SplineTransformer, columns: list[Column], _labels: KnownLabels) -> list[Column]:
    pieces = spline_pieces(step)
    pairs = zip(columns, pieces, strict=True)
    return [_with_pieces(column, piece, "a SplineTransformer") for column, of_column in pairs for piece in of_column]


def _with_pieces(column: Column, pieces: Pieces, what: str) -> Column:
    if column.is_category or column.pieces is not None:
        raise NotCompilableError(f"{what} of a category, or of bins or splines")
    return replace(column, pieces=pieces)


def _scales(count: int, shifts: Any, scales: Any) -> list[list[Step]]:
    of_shifts: Sequence[float] = [0.0] * count if shifts is None else shifts.tolist()
    of_scales: Sequence[float] = [1.0] * count if scales is None else scales.tolist()
    return [[Step("scale", shift, scale)] for shift, scale in zip(of_shifts, of_scales, strict=True)]


def _each(columns: list[Column], steps: Sequence[Sequence[Step]], what: str) -> list[Column]:
    """Return each column after its own steps; a category's table needs none."""
    if any(column.is_text for column in columns):
        raise NotCompilableError(f"{what} of a category")
    return [
        column if column.is_category else column.then(*of_column)
        for column, of_column in zip(columns, steps, strict=True)
    ]


TRANSFORMERS: Mapping[type, Follow] = {
    ColumnTransformer: _column_transformer,
    FeatureUnion: _feature_union,
    FrozenEstimator: _frozen,
    FunctionTransformer: _function,
    KBinsDiscretizer: _bins,
    MaxAbsScaler: _max_abs_scaler,
    MinMaxScaler: _min_max_scaler,
    OneHotEncoder: follow_encoder,
    OrdinalEncoder: follow_encoder,
    Pipeline: _pipeline,
    PowerTransformer: _power,
    RobustScaler: _robust_scaler,
    SimpleImputer: _imputer,
    SplineTransformer: _splines,
    StandardScaler: _standard_scaler,
    TargetEncoder: follow_encoder,
    **dict.fromkeys((RFE, RFECV, SelectFdr, SelectFpr, SelectFromModel, SelectFwe, SelectKBest), _selector),
    **dict.fromkeys((SelectPercentile, SequentialFeatureSelector, VarianceThreshold), _selector),
}
