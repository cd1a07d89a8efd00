"""Which names a pickle may ask for. The list is the server's own and its operator's, never the artefact's.

Two rules, and everything else is refused before anything is imported:

- A class of one of scikit-learn's estimator families, if it derives from ``BaseEstimator`` and is defined in the very
  module that the pickle names. Its constructor only stores what it is given.
- An exact name on the list: the parts of fitted estimators that are no estimators themselves, and plain types.

NumPy's array functions are on neither: ``numpy_pickles`` puts its own, checked ones in their place. Names are plain: a
dotted one (``_forest`` → ``np.…``) would walk from an allowed module to anything that it imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass

from model_artifact.errors import DisallowedNameError, UnreadablePickleError

# Left out on purpose: datasets, feature_extraction (reads files), neighbors and svm (compiled code that trusts the
# sizes that the pickle claims). Whoever needs one adds its exact names.
ESTIMATOR_FAMILIES = frozenset(
    f"sklearn.{family}"
    for family in (
        "calibration",
        "compose",
        "decomposition",
        "discriminant_analysis",
        "dummy",
        "ensemble",
        "feature_selection",
        "frozen",
        "impute",
        "isotonic",
        "linear_model",
        "naive_bayes",
        "neural_network",
        "pipeline",
        "preprocessing",
        "tree",
    )
)

EXACT_NAMES = frozenset(
    {
        *(
            f"builtins.{name}"
            for name in ("bool", "bytes", "float", "frozenset", "int", "object", "set", "slice", "str")
        ),
        "collections.OrderedDict",
        "collections.defaultdict",
        *(f"numpy.{name}" for name in ("bool", "bool_", "object_", "str_")),
        *(f"numpy.{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
        *(f"numpy.float{bits}" for bits in (16, 32, 64)),
        # The random generators that boosted trees keep.
        "numpy.random._mt19937.MT19937",
        "numpy.random._pcg64.PCG64",
        "numpy.random._pickle.__bit_generator_ctor",
        "numpy.random._pickle.__generator_ctor",
        "numpy.random._pickle.__randomstate_ctor",
        "numpy.random.bit_generator.SeedSequence",
        "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
        # Parts of fitted estimators.
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn._loss._loss.CyExponentialLoss",
        # No classifier's: a regressor is to be refused for what it is, not for its loss.
        "sklearn._loss._loss.CyHalfSquaredError",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.HalfLogitLink",
        "sklearn._loss.loss.ExponentialLoss",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.compose._column_transformer._RemainderColsList",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.model_selection._classification_threshold.FixedThresholdClassifier",
        "sklearn.model_selection._classification_threshold.TunedThresholdClassifierCV",
        "sklearn.tree._tree.Tree",
    }
)


@dataclass(frozen=True)
class AllowList:
    """What may be resolved. ``exact`` are full names (``module.name``), ``families`` are packages of estimators."""

    exact: frozenset[str] = EXACT_NAMES
    families: frozenset[str] = ESTIMATOR_FAMILIES

    def with_names(self, names: Iterable[str]) -> AllowList:
        """Return a list that allows further full names, as the operator configured them.

        Raises
        ------
        ValueError
            If one of them is no full dotted name.
        """
        extra = frozenset(name.strip() for name in names if name.strip())
        for name in extra:
            parts = name.split(".")
            if len(parts) < 2 or not all(part.isidentifier() for part in parts):
                raise ValueError(f"{name!r} is no full name such as 'package.module.ClassName'.")
        return AllowList(self.exact | extra, self.families)

    def resolve(self, module: str, name: str) -> object:
        """Return the object of this name; nothing is imported before the name is found to be allowed.

        Raises
        ------
        DisallowedNameError
            If it is not allowed.
        UnreadablePickleError
            If it is allowed but does not exist here.
        """
        full_name = f"{module}.{name}"
        if not all(part.isidentifier() for part in (*module.split("."), name)):
            raise DisallowedNameError(full_name)
        if full_name in self.exact:
            return _imported(module, name)
        if self._is_of_a_family(module):
            found = _imported(module, name)
            if _is_estimator_defined_in(found, module):
                return found
        raise DisallowedNameError(full_name)

    def _is_of_a_family(self, module: str) -> bool:
        parts = module.split(".")
        return ".".join(parts[:2]) in self.families and not any(part.startswith("test") for part in parts)


DEFAULT = AllowList()


def _imported(module: str, name: str) -> object:
    try:
        found: object = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UnreadablePickleError(
            f"The pickle asks for {module}.{name}, which does not exist here. Was it made with other library versions?"
        ) from error
    return found


def _is_estimator_defined_in(found: object, module: str) -> bool:
    from sklearn.base import BaseEstimator

    return isinstance(found, type) and issubclass(found, BaseEstimator) and found.__module__ == module
