"""Some of the kinds of pipeline that `make models` publishes: what becomes of each is what docs/models.md says."""

from __future__ import annotations

import pytest

from pipelines.kind import End
from pipelines.publishing import publish
from pipelines.table import KINDS

# Some of each end. The last of those served from a pickle bring code of their own.
NAMES = (
    "logistic",
    "boosted-native-labels",
    "nearest-neighbours",
    "own-class",
    "own-class-of-a-notebook",
    "strict-encoder",
    "bundle",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_kind_ends_as_the_page_says_and_gives_the_models_own_probabilities(name: str) -> None:
    kind = KINDS[name]
    outcome = publish(kind)
    assert outcome.is_expected_of(kind), outcome


def test_each_end_is_among_them() -> None:
    assert {KINDS[name].end for name in NAMES} == set(End)
