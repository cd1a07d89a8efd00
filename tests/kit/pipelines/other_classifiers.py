"""Classifiers that are neither linear nor trees."""

from __future__ import annotations

from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from pipelines.kind import End, Kind
from pipelines.parts import SEED, scaled_and_encoded

KINDS = (
    Kind(
        "svc",
        "SVC, calibrated",
        lambda: make_pipeline(
            scaled_and_encoded(sparse_output=False), CalibratedClassifierCV(SVC(), ensemble=False, cv=3)
        ),
        End.PICKLE,
    ),
    Kind(
        "nearest-neighbours",
        "KNeighborsClassifier",
        lambda: make_pipeline(scaled_and_encoded(sparse_output=False), KNeighborsClassifier(51)),
        End.PICKLE,
    ),
    Kind(
        "neural-network",
        "MLPClassifier",
        lambda: make_pipeline(
            scaled_and_encoded(sparse_output=False), MLPClassifier((16,), max_iter=30, random_state=SEED)
        ),
        End.PICKLE,
    ),
    Kind(
        "naive-bayes",
        "GaussianNB",
        lambda: make_pipeline(scaled_and_encoded(sparse_output=False), GaussianNB()),
    ),
    Kind(
        "discriminant-analysis",
        "LinearDiscriminantAnalysis",
        lambda: make_pipeline(scaled_and_encoded(sparse_output=False), LinearDiscriminantAnalysis()),
    ),
)
