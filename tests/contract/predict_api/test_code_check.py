"""What CheckFunction asks before new code gets traffic is what the function answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_registry.alias import RoutingConfig
from operate.code_check import CodeCheck
from tests.contract.predict_api.api_kit import Context, Function, Registry, inspect_and_compile
from tests.contract.predict_api.loans_kit import pickled


@pytest.mark.parametrize("share", [0.0, 0.9])
def test_the_function_passes_its_own_check(share: float) -> None:
    registry = Registry(inspector=inspect_and_compile)
    for seed in (1, 2):
        registry.publish(pickled(seed=seed))
    registry.writer.assign("live", 1, routing_config=RoutingConfig({2: share} if share else {}))
    function = Function(registry)
    reported: list[str] = []

    def ask(event: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(json.dumps(function.handler(event, Context("check", 29_000))))
        return answer

    check = CodeCheck(
        registry.writer.reader,
        "live",
        ask_new=ask,
        ask_serving=ask,
        report=lambda *words: reported.append(words[-1]),
        write=lambda _: None,
        sleep=lambda _: None,
    )
    found = check({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}, None)
    assert reported == ["Succeeded"], found
    assert "of model version 1" in found["reason"]
