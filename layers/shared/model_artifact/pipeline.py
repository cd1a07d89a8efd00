"""Checks whether a pipeline can serve, scores records and tables with it, and finds the labels that it knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model_artifact.errors import NonFiniteOutputError, UnsuitableModelError
from model_artifact.features import frame_from_columns, frame_from_records
from model_artifact.model_columns import input_columns
from model_artifact.native_categories import find_native_labels, with_native_categories
from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES

if TYPE_CHECKING:
    import pandas

LATE = 1
ON_TIME = 0

# From which scikit-learn's classifiers predict the second class.
_DEFAULT_THRESHOLD = 0.5


def check_pipeline(pipeline: Any) -> None:
    """Make sure that a pickle's content can serve.

    Raises
    ------
    UnsuitableModelError
        If it isn't a fitted classifier with ``predict_proba``, has other classes than 0 and 1, or takes other columns
        than the ten. The message says what it has and what it needs.
    """
    kind = type(pipeline).__name__
    if not hasattr(pipeline, "predict"):
        entries = pipeline.items() if isinstance(pipeline, dict) else ()
        models = [f"its entry {key!r}" for key, value in entries if hasattr(value, "predict")]
        raise UnsuitableModelError(
            f"The pickle holds a {kind}, not a scikit-learn pipeline. Pickle the fitted pipeline alone"
            f"{': ' + ' or '.join(models) if models else ''}."
        )
    if not callable(getattr(pipeline, "predict_proba", None)):
        raise UnsuitableModelError(
            f"The {kind} has no predict_proba: it is a regressor, or a classifier without probabilities. "
            'Train a classifier that has them: voting="soft", or CalibratedClassifierCV around the classifier.'
        )
    check_classes(pipeline)
    check_columns(pipeline)


def check_classes(pipeline: Any) -> None:
    """Raise ``UnsuitableModelError`` unless the classes are the numbers 0 (on time) and 1 (late)."""
    classes = getattr(pipeline, "classes_", None)
    if classes is None:
        raise UnsuitableModelError("The model isn't fitted: it has no classes_. Fit it before pickling it.")
    labels = np.asarray(classes)
    if labels.ndim != 1 or labels.dtype.kind not in "biuf" or sorted(labels.tolist()) != [ON_TIME, LATE]:
        raise UnsuitableModelError(
            f"The model's classes are {labels.tolist()!r}, not the numbers 0 (on time) and 1 (late). "
            "Train it on is_late as it is in the data."
        )


def check_columns(pipeline: Any) -> None:
    """Raise ``UnsuitableModelError`` unless the model takes the ten columns by name, in any order."""
    columns = input_columns(pipeline)
    if columns is None:
        raise UnsuitableModelError(
            "The model doesn't know its columns by name. Fit the whole pipeline on a data frame with the ten columns."
        )
    missing = [name for name in FIELD_NAMES if name not in columns]
    unknown = [name for name in columns if name not in FIELD_NAMES]
    if missing or unknown or len(columns) != len(FIELD_NAMES):
        raise UnsuitableModelError(
            f"The model takes {len(columns)} columns, the schema has {len(FIELD_NAMES)}"
            + (f"; it lacks {', '.join(missing)}" if missing else "")
            + (f"; the schema doesn't know {', '.join(unknown)}" if unknown else "")
            + ". Train it on the ten columns."
        )


class PipelineScorer:
    """Scores with a pipeline that ``check_pipeline`` accepted; see ``loading.BatchScorer``."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        """See ``BatchScorer``."""
        probabilities: list[float] = late_probabilities(self._pipeline, frame_from_records(records)).tolist()
        return probabilities

    def late_probabilities_of_columns(self, columns: Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """See ``BatchScorer``."""
        return late_probabilities(self._pipeline, frame_from_columns(columns))


def late_probabilities(pipeline: Any, frame: pandas.DataFrame) -> NDArray[np.float64]:
    """Return P(is_late = 1) for each row, by a pipeline that ``check_pipeline`` accepted.

    Parameters
    ----------
    pipeline : object
        Its ``classes_`` say which column of ``predict_proba`` is the late one.
    frame : pandas.DataFrame of shape (n_rows, 10)
        From ``features``; brought into the pipeline's own column order.

    Raises
    ------
    NonFiniteOutputError
        If a value isn't a probability.
    """
    order = input_columns(pipeline)
    if order is not None and order != list(frame.columns):
        frame = frame[order]
    if labels := find_native_labels(pipeline):
        frame = with_native_categories(frame, labels)
    output = np.asarray(pipeline.predict_proba(frame))
    if output.shape != (len(frame), 2):
        raise UnsuitableModelError(
            f"predict_proba gave an array of shape {output.shape} for {len(frame)} records, not ({len(frame)}, 2)."
        )
    late = output[:, list(pipeline.classes_).index(LATE)].astype(np.float64)
    # Not (0 <= p <= 1) is true for NaN too.
    wrong = int(np.count_nonzero(~((late >= 0) & (late <= 1))))
    if wrong:
        raise NonFiniteOutputError(wrong, len(frame))
    return late


def find_threshold(model: Any) -> float | None:
    """Return the late probability from which a model itself flags a loan, or None if it has no threshold of its own.

    ``FixedThresholdClassifier`` and ``TunedThresholdClassifierCV`` have one, also as a pipeline's last step, a search's
    best estimator, or frozen. A threshold of a decision function isn't a probability, so it doesn't count.
    """
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

    while (inner := _last_part(model)) is not None:
        model = inner
    if not isinstance(model, FixedThresholdClassifier | TunedThresholdClassifierCV):
        return None
    tuned_for = getattr(getattr(model, "_curve_scorer", None), "_get_pos_label", lambda: None)()
    late_label = tuned_for if tuned_for is not None else getattr(model, "pos_label", None)
    if model.response_method == "decision_function" or late_label not in (None, LATE):
        return None
    threshold = model.best_threshold_ if isinstance(model, TunedThresholdClassifierCV) else model.threshold
    return _DEFAULT_THRESHOLD if threshold == "auto" else float(threshold)


def _last_part(model: Any) -> Any:
    """Return a search's best estimator, a pipeline's last step, or what is frozen; None for other models."""
    from sklearn.frozen import FrozenEstimator

    if isinstance(model, FrozenEstimator):
        return model.estimator
    steps = getattr(model, "steps", None)
    return getattr(model, "best_estimator_", None) if not steps else steps[-1][1]


def find_categories(pipeline: Any) -> dict[str, list[str]]:
    """Return the labels that a fitted pipeline's encoders, or a booster without a pipeline, know by category column.

    A column whose encoder isn't found is left out. An imputer's replacement for a missing value counts as a label,
    since a record may hold it.
    """
    labels = {column: list(of_column) for column, of_column in find_native_labels(pipeline).items()}
    for columns, encoder in _encoders(pipeline):
        for column, categories in zip(columns, encoder.categories_, strict=False):
            if column in CATEGORY_NAMES:
                labels[column] = [label for label in categories if isinstance(label, str)]
    return labels


def _encoders(estimator: Any) -> Iterator[tuple[list[str], Any]]:
    """Yield the encoders below a pipeline's column transformers, with the names of their columns."""
    for _, step in getattr(estimator, "steps", ()):
        yield from _encoders(step)
    for _, transformer, columns in getattr(estimator, "transformers_", ()):
        names = [column for column in columns if isinstance(column, str)] if isinstance(columns, list) else []
        steps = [step for _, step in getattr(transformer, "steps", [("", transformer)])]
        for encoder in steps:
            if len(getattr(encoder, "categories_", ())) == len(names) > 0:
                yield names, encoder
