"""Reasons are given within the request's time, or refused at once with the number of records that fits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from model_artifact.training_range import TrainingRange
from model_artifact.version_loading import Loading
from model_registry.manifest import Manifest
from model_registry.reader import RegistryReader
from predict_api.http.openapi import openapi_document
from tests.contract.predict_api.api_kit import RECORD, Function, Registry, assert_problem, event


class SlowToExplain:
    """A model whose reasons take a given time a record, by the test's own clock."""

    form = "arrays"

    def __init__(self, manifest: Manifest, advance: Any, seconds: float) -> None:
        self.manifest = manifest
        self.training_range = TrainingRange(manifest.input_schema)
        self.explained = 0
        self._advance = advance
        self._seconds = seconds

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        return [0.5] * len(records)

    def check_probes(self, _probabilities: Sequence[float] | None = None) -> None:
        return None

    def explain(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        self.explained += 1
        self._advance(self._seconds)
        return []


class SlowFunction(Function):
    """The function with such a model."""

    def __init__(self, registry: Registry, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(registry, self._load)

    def _load(self, reader: RegistryReader, version: int, **_options: bool) -> Any:
        self.model = SlowToExplain(reader.get_manifest(version), self.clock.advance, self.seconds)
        return Loading(lambda: self.model)

    def ask(self, n_records: int, **changes: Any) -> Any:
        body = {"instances": [dict(RECORD)] * n_records, "parameters": {"explain": True}}
        return self.post(body, **changes)


def test_reasons_that_fit_are_given(registry: Registry) -> None:
    function = SlowFunction(registry, 0.028)
    answer = function.ask(1000)
    assert answer.status == 200
    assert len(answer.json["predictions"]) == 1000


def test_reasons_that_take_too_long_are_refused_at_once_with_the_number_that_fits(registry: Registry) -> None:
    function = SlowFunction(registry, 0.04)
    answer = function.ask(1000)
    assert_problem(answer, 413)
    # 29 seconds less a quarter hold 718 records; a fifth is left for a busier machine.
    assert answer.json["max_records"] == 574
    assert "574 records" in answer.json["detail"]
    assert function.model.explained == 5
    components = openapi_document()["components"]
    Draft202012Validator({"$ref": "#/components/schemas/Problem", "components": components}).validate(answer.json)
    assert function.ask(answer.json["max_records"]).status == 200


def test_a_few_records_that_take_too_long_are_stopped_at_the_deadline(registry: Registry) -> None:
    function = SlowFunction(registry, 10.0)
    answer = function.ask(4)
    assert_problem(answer, 413)
    assert answer.json["max_records"] == 2
    assert function.model.explained == 3


@pytest.mark.parametrize(("remaining_ms", "status"), [(1_000, 504), (2_600, 413), (29_000, 200)])
def test_the_invocations_own_time_counts(registry: Registry, remaining_ms: int, status: int) -> None:
    function = SlowFunction(registry, 1.0)
    assert function.ask(10, remaining_ms=remaining_ms).status == status


def test_without_a_deadline_all_reasons_are_given(registry: Registry) -> None:
    function = SlowFunction(registry, 1.0)
    body = json.dumps({"instances": [dict(RECORD)] * 100, "parameters": {"explain": True}})
    assert function.handler(event("POST", "/predict", body=body), None)["statusCode"] == 200
