"""Which attributes each class that a pickle may name can have, and which of them hold other parts of the model.

What scikit-learn calls, it calls by name on what an attribute holds. So an attribute holds plain data unless it is
listed here with the classes that it may hold, and one that is not listed is refused. The names are those of the pinned
scikit-learn; a parameter of the constructor is always one of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

_HIST = "sklearn.ensemble._hist_gradient_boosting"
_BINOMIAL = "sklearn._loss.loss.HalfBinomialLoss"
_EXPONENTIAL = "sklearn._loss.loss.ExponentialLoss"
_SQUARED = "sklearn._loss.loss.HalfSquaredError"
_TREES = ("sklearn.tree._classes.DecisionTreeClassifier", "sklearn.tree._classes.ExtraTreeClassifier")
_REGRESSION_TREES = ("sklearn.tree._classes.DecisionTreeRegressor", "sklearn.tree._classes.ExtraTreeRegressor")

TREE = "sklearn.tree._tree.Tree"
PREDICTOR = f"{_HIST}.predictor.TreePredictor"
FUNCTION_TRANSFORMER = "sklearn.preprocessing._function_transformer.FunctionTransformer"

# Compiled, without state; the names that may be called, besides the stand-ins and plain containers.
COMPILED = frozenset(
    f"sklearn._loss._loss.Cy{name}" for name in ("HalfBinomialLoss", "ExponentialLoss", "HalfSquaredError")
)

# Of every estimator.
_COMMON = frozenset({"_sklearn_version", "n_features_in_", "feature_names_in_"})


@dataclass(frozen=True)
class Part:
    """``fitted`` are attributes that are no parameters, ``holds`` the classes that some of all the attributes hold."""

    fitted: frozenset[str]
    holds: Mapping[str, frozenset[str]] = field(default_factory=dict)


def _part(fitted: str = "", **holds: tuple[str, ...]) -> Part:
    return Part(frozenset(fitted.split()) | holds.keys(), {name: frozenset(kinds) for name, kinds in holds.items()})


_TRANSFORMERS = (
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.preprocessing._data.MinMaxScaler",
    "sklearn.preprocessing._data.RobustScaler",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._encoders.OneHotEncoder",
    "sklearn.preprocessing._encoders.OrdinalEncoder",
    # Only as ``"passthrough"`` leaves it behind: without a function.
    FUNCTION_TRANSFORMER,
)
_CLASSIFIERS = (
    *_TREES,
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.dummy.DummyClassifier",
    "sklearn.ensemble._forest.ExtraTreesClassifier",
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.ensemble._gb.GradientBoostingClassifier",
    f"{_HIST}.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.linear_model._logistic.LogisticRegression",
)
# No classifiers: they may be named so that they are refused for what they are.
_REGRESSORS = (
    *_REGRESSION_TREES,
    "sklearn.ensemble._forest.RandomForestRegressor",
    f"{_HIST}.gradient_boosting.HistGradientBoostingRegressor",
)
_PIPELINE = "sklearn.pipeline.Pipeline"
_COLUMN_PARTS = (*_TRANSFORMERS, _PIPELINE)

_FOREST = "_n_samples _n_samples_bootstrap _sample_weight classes_ estimator_params n_classes_ n_outputs_ oob_score_"
_GROWN = "classes_ max_features_ n_classes_ n_outputs_ class_weight"
_BOOSTED = (
    "_baseline_prediction _feature_subsample_rng _is_categorical_remapped _n_features _preprocessor _random_seed"
    " _scorer _use_validation_data classes_ do_early_stopping_ is_categorical_ n_trees_per_iteration_ train_score_"
    " validation_score_ _fitted_with_sw"
)
_ENCODER = "_default_to_infrequent_mappings _infrequent_enabled _infrequent_indices _sklearn_output_config categories_"


def _loss(link: str, compiled: str) -> Part:
    kinds = dict.fromkeys(("interval_y_pred", "interval_y_true"), ("sklearn._loss.link.Interval",))
    return _part(
        "approx_hessian constant_hessian n_classes",
        link=(f"sklearn._loss.link.{link}",),
        closs=(f"sklearn._loss._loss.{compiled}",),
        **kinds,
    )


PARTS: Mapping[str, Part] = {
    _PIPELINE: _part("_sklearn_output_config", steps=(*_COLUMN_PARTS, *_CLASSIFIERS, *_REGRESSORS)),
    "sklearn.compose._column_transformer.ColumnTransformer": _part(
        "_columns _sklearn_output_config _transformer_to_input_indices output_indices_ sparse_output_",
        transformers=_COLUMN_PARTS,
        transformers_=_COLUMN_PARTS,
        remainder=_COLUMN_PARTS,
        _remainder=_COLUMN_PARTS,
    ),
    FUNCTION_TRANSFORMER: _part("_sklearn_output_config"),
    "sklearn.impute._base.SimpleImputer": _part(
        "_fill_dtype _fit_dtype _sklearn_output_config statistics_",
        indicator_=("sklearn.impute._base.MissingIndicator",),
    ),
    "sklearn.impute._base.MissingIndicator": _part("_n_features _precomputed _sklearn_output_config features_"),
    "sklearn.preprocessing._encoders.OneHotEncoder": _part(
        f"{_ENCODER} _drop_idx_after_grouping _n_features_outs drop_idx_"
    ),
    "sklearn.preprocessing._encoders.OrdinalEncoder": _part(f"{_ENCODER} _missing_indices"),
    "sklearn.preprocessing._label.LabelEncoder": _part("_sklearn_output_config classes_"),
    "sklearn.preprocessing._data.StandardScaler": _part("_sklearn_output_config mean_ n_samples_seen_ scale_ var_"),
    "sklearn.preprocessing._data.MinMaxScaler": _part(
        "_sklearn_output_config data_max_ data_min_ data_range_ min_ n_samples_seen_ scale_"
    ),
    "sklearn.preprocessing._data.RobustScaler": _part("_sklearn_output_config center_ scale_"),
    **{name: _part(_GROWN, tree_=(TREE,)) for name in (*_TREES, *_REGRESSION_TREES)},
    **{
        f"sklearn.ensemble._forest.{name}Classifier": _part(
            f"{_FOREST} oob_decision_function_", estimator=_TREES, estimator_=_TREES, estimators_=_TREES
        )
        for name in ("RandomForest", "ExtraTrees")
    },
    "sklearn.ensemble._forest.RandomForestRegressor": _part(
        f"{_FOREST} class_weight oob_prediction_",
        estimator=_REGRESSION_TREES,
        estimator_=_REGRESSION_TREES,
        estimators_=_REGRESSION_TREES,
    ),
    "sklearn.ensemble._gb.GradientBoostingClassifier": _part(
        "_rng alpha classes_ max_features_ n_classes_ n_estimators_ n_trees_per_iteration_ oob_improvement_ oob_score_"
        " oob_scores_ train_score_",
        init_=("sklearn.dummy.DummyClassifier",),
        estimators_=("sklearn.tree._classes.DecisionTreeRegressor",),
        _loss=(_BINOMIAL, _EXPONENTIAL),
    ),
    **{
        f"{_HIST}.gradient_boosting.HistGradientBoosting{kind}": _part(
            _BOOSTED,
            _predictors=(PREDICTOR,),
            _bin_mapper=(f"{_HIST}.binning._BinMapper",),
            _label_encoder=("sklearn.preprocessing._label.LabelEncoder",),
            _loss=losses,
        )
        for kind, losses in (("Classifier", (_BINOMIAL,)), ("Regressor", (_SQUARED,)))
    },
    f"{_HIST}.binning._BinMapper": _part("bin_thresholds_ is_categorical_ missing_values_bin_idx_ n_bins_non_missing_"),
    PREDICTOR: _part(),
    "sklearn.linear_model._logistic.LogisticRegression": _part("classes_ coef_ intercept_ n_iter_"),
    "sklearn.dummy.DummyClassifier": _part("_strategy class_prior_ classes_ n_classes_ n_outputs_ sparse_output_"),
    "sklearn.calibration.CalibratedClassifierCV": _part(
        "classes_",
        estimator=(_PIPELINE, *_CLASSIFIERS),
        calibrated_classifiers_=("sklearn.calibration._CalibratedClassifier",),
    ),
    "sklearn.calibration._CalibratedClassifier": _part(
        estimator=(_PIPELINE, *_CLASSIFIERS),
        calibrators=(
            "sklearn.calibration._SigmoidCalibration",
            "sklearn.calibration._TemperatureScaling",
            "sklearn.isotonic.IsotonicRegression",
        ),
    ),
    "sklearn.calibration._SigmoidCalibration": _part("a_ b_"),
    "sklearn.calibration._TemperatureScaling": _part("beta_"),
    "sklearn.isotonic.IsotonicRegression": _part(
        "X_max_ X_min_ X_thresholds_ _sklearn_output_config increasing_ y_thresholds_"
    ),
    _BINOMIAL: _loss("LogitLink", "CyHalfBinomialLoss"),
    _EXPONENTIAL: _loss("HalfLogitLink", "CyExponentialLoss"),
    _SQUARED: _loss("IdentityLink", "CyHalfSquaredError"),
    **{f"sklearn._loss.link.{name}": _part() for name in ("Interval", "LogitLink", "HalfLogitLink", "IdentityLink")},
}


@cache
def attributes_of(kind: type) -> frozenset[str]:
    """Return all that an instance of a listed class may have."""
    parameters = frozenset(inspect.signature(kind).parameters) - {"args", "kwargs"}
    return parameters | PARTS[name_of(kind)].fitted | _COMMON


def name_of(kind: type) -> str:
    """Return a class's full name, as pickles and the allow-list write it."""
    return f"{kind.__module__}.{kind.__qualname__}"
