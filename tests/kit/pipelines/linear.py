"""Logistic regressions and their like."""

from __future__ import annotations

from sklearn.linear_model import LogisticRegressionCV, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipelines.kind import Kind
from pipelines.parts import NUMBERS, SEED, imputed, regression, scaled_and_encoded, with_labels

KINDS = (
    Kind(
        "logistic",
        "logistic regression on scaled numbers and one-hot labels",
        lambda: make_pipeline(scaled_and_encoded(), regression()),
    ),
    Kind(
        "logistic-balanced",
        'the same with class_weight="balanced"',
        lambda: make_pipeline(scaled_and_encoded(), regression(class_weight="balanced")),
    ),
    Kind(
        "logistic-rare-labels-joined",
        "OneHotEncoder(min_frequency=50), gaps a label of their own",
        lambda: make_pipeline(
            with_labels(("numbers", imputed(StandardScaler()), NUMBERS), min_frequency=50), regression()
        ),
    ),
    Kind(
        "logistic-drop-first",
        'OneHotEncoder(drop="first")',
        lambda: make_pipeline(scaled_and_encoded(drop="first"), regression()),
    ),
    Kind(
        "logistic-l1",
        "the lasso's penalty, by saga",
        lambda: make_pipeline(scaled_and_encoded(), regression(solver="saga", l1_ratio=1.0, C=0.1, max_iter=100)),
    ),
    Kind(
        "logistic-cv",
        "LogisticRegressionCV",
        lambda: make_pipeline(
            scaled_and_encoded(), LogisticRegressionCV(Cs=3, cv=3, max_iter=300, l1_ratios=(0.0,), scoring="roc_auc")
        ),
    ),
    Kind(
        "sgd",
        'SGDClassifier(loss="log_loss")',
        lambda: make_pipeline(scaled_and_encoded(), SGDClassifier(loss="log_loss", random_state=SEED)),
    ),
)
