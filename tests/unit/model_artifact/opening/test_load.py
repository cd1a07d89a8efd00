"""A pickle is opened from every form that it is written in, and made to run in one thread."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from model_artifact.errors import LibraryMismatchError, UnreadablePickleError
from model_artifact.opening.load import open_pickle
from model_kit import dumped, small_boosted, small_forest, small_quarter


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_every_form_that_joblib_writes_gives_the_same_probabilities(model, compress) -> None:
    features = small_quarter().features
    loaded = open_pickle(dumped(model(), compress))
    assert np.array_equal(loaded.predict_proba(features), model().predict_proba(features))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_a_plain_pickle_of_every_protocol_gives_the_same_probabilities(model, protocol: int) -> None:
    features = small_quarter().features
    loaded = open_pickle(pickle.dumps(model(), protocol=protocol))
    assert np.array_equal(loaded.predict_proba(features), model().predict_proba(features))


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(max_iter=2000, C=0.01, solver="liblinear"),
        GradientBoostingClassifier(n_estimators=3),
        KNeighborsClassifier(5),
        VotingClassifier(
            [("a", LogisticRegression()), ("b", GradientBoostingClassifier(n_estimators=2))], voting="soft"
        ),
        CalibratedClassifierCV(LogisticRegression(), cv=2),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_every_kind_of_classifier_can_be_opened(classifier: object) -> None:
    quarter = small_quarter()
    model = make_pipeline(*[step for _, step in small_forest()[:-1].steps], StandardScaler(with_mean=False), classifier)
    model.fit(quarter.features, quarter.target)
    loaded = open_pickle(dumped(model))
    assert np.array_equal(loaded.predict_proba(quarter.features), model.predict_proba(quarter.features))


def test_a_part_at_any_depth_runs_in_one_thread_and_prints_nothing() -> None:
    quarter = small_quarter()
    forest = RandomForestClassifier(2, n_jobs=2, verbose=1)
    vote = VotingClassifier([("forest", forest)], voting="soft", n_jobs=2, verbose=True)
    vote.fit(small_forest()[:-1].transform(quarter.features), quarter.target)
    loaded = open_pickle(dumped(Pipeline([*small_forest().steps[:-1], ("vote", vote)])))
    for part in (loaded[-1], loaded[-1].estimators[0][1], loaded[-1].estimators_[0], loaded[0]):
        assert part.n_jobs in (1, None)
        assert not part.verbose
    assert loaded[-1].estimators_[0].n_jobs == 1


@pytest.mark.fault(14)
def test_fault_14_another_scikit_learn_is_named() -> None:
    import sklearn

    data = dumped(small_boosted(), 0).replace(sklearn.__version__.encode(), b"1.0.2")
    with pytest.raises(LibraryMismatchError, match=r"scikit-learn 1\.0\.2"):
        open_pickle(data)


def test_a_module_that_is_not_installed_is_named() -> None:
    data = b"\x80\x04\x8c\x07foreign\x8c\x05Model\x93."
    with pytest.raises(UnreadablePickleError, match="'foreign', which isn't installed here"):
        open_pickle(data)


def test_a_class_that_its_notebook_alone_has_is_named_with_the_way_out() -> None:
    data = b"\x80\x04\x8c\x08__main__\x8c\x04Clip\x93."
    with pytest.raises(UnreadablePickleError, match=r"asks for 'Clip' of a notebook.*cloudpickle\.dump"):
        open_pickle(data)
