"""A function with one published model, shared where a test changes nothing about it."""

from __future__ import annotations

import os

import pytest

# As the template sets it, and before scikit-learn is imported: on more threads a single row takes many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.contract.predict_api.api_kit import Function, Registry, inspect_and_compile, inspect_here
from tests.contract.predict_api.loans_kit import pickled


@pytest.fixture
def registry() -> Registry:
    """A registry with one version, which the alias points to."""
    registry = Registry()
    registry.writer.assign("live", registry.publish(pickled()))
    return registry


@pytest.fixture(scope="module", params=["pickle", "arrays"])
def function(request: pytest.FixtureRequest) -> Function:
    """A function on a registry that no test changes: with a model that serves as its pickle, and as arrays."""
    registry = Registry(inspector=inspect_and_compile if request.param == "arrays" else inspect_here)
    registry.writer.assign("live", registry.publish(pickled()))
    return Function(registry)


@pytest.fixture
def second(registry: Registry) -> int:
    """A second version, which no alias points to yet."""
    return registry.publish(pickled(seed=2))
