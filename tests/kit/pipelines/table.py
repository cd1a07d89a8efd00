"""All kinds of pipeline, by family."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines import (
    boosters,
    columns_and_labels,
    linear,
    other_classifiers,
    own_code,
    steps,
    trees,
    wrapped,
)
from pipelines.kind import Kind

FAMILIES: Mapping[str, tuple[Kind, ...]] = {
    "Linear models": linear.KINDS,
    "Trees": trees.KINDS,
    "Boosters of other libraries": boosters.KINDS,
    "Other classifiers": other_classifiers.KINDS,
    "Models around models": wrapped.KINDS,
    "Steps before the classifier": steps.KINDS,
    "Code of one's own": own_code.KINDS,
    "Columns and labels": columns_and_labels.KINDS,
}
KINDS: Mapping[str, Kind] = {kind.name: kind for kinds in FAMILIES.values() for kind in kinds}
