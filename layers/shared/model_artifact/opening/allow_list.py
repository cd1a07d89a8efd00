"""Which names a pickle may ask for. The list is the server's own and its operator's, never the artefact's.

Every name is exact: the estimators whose scoring is known to do nothing but arithmetic on what their attributes hold,
the parts of them that are no estimators, and plain types. Whole packages are on no list, for among scikit-learn's
estimators are ones that call whatever an attribute names (stacking, function transformers, search wrappers).

NumPy's functions are not on it: ``numpy_pickles`` puts its own, checked ones in their place. Names are plain: a dotted
one (``_forest`` → ``np.…``) would walk from an allowed module to anything that it imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass

from model_artifact.errors import DisallowedNameError, UnreadablePickleError
from model_artifact.opening.known_classes import COMPILED, PARTS

# Types that an encoder may be told to answer in.
NUMBER_TYPES = frozenset(
    {
        *(f"builtins.{name}" for name in ("bool", "float", "int")),
        *(f"numpy.{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
        *(f"numpy.{name}" for name in ("bool", "bool_", "float32", "float64")),
    }
)

CONTAINERS = frozenset(f"builtins.{name}" for name in ("frozenset", "set", "slice"))

EXACT_NAMES = frozenset({*PARTS, *COMPILED, *NUMBER_TYPES, *CONTAINERS})


@dataclass(frozen=True)
class AllowList:
    """What may be resolved, by full names (``module.name``)."""

    exact: frozenset[str] = EXACT_NAMES

    @property
    def added(self) -> frozenset[str]:
        """What the operator added: used as the pickle says, at the operator's own risk."""
        return self.exact - EXACT_NAMES

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
        return AllowList(self.exact | extra)

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
        raise DisallowedNameError(full_name)


DEFAULT = AllowList()


def _imported(module: str, name: str) -> object:
    try:
        found: object = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UnreadablePickleError(
            f"The pickle asks for {module}.{name}, which does not exist here. Was it made with other library versions?"
        ) from error
    return found
