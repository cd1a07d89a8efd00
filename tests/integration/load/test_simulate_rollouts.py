"""The simulation of rollouts has the guards' own evidence, and keeps their promises at a small scale."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from model_rollout.canary_table import Series
from model_rollout.evidence import Sample, e_values
from model_rollout.guard_settings import Bounds

ROLLOUTS = Path(__file__).resolve().parents[2] / "load/rollouts"


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROLLOUTS))
    return importlib.import_module("simulate_rollouts")


@pytest.mark.parametrize("bounds", [Bounds(None, 0.02), Bounds(-0.03, 0.07), Bounds(0.01, 0.03)])
def test_it_has_the_evidence_of_the_guards(simulation, bounds) -> None:
    random = np.random.default_rng(1)
    pairs = random.choice([-1.0, 0.0, 1.0], (1, 60), p=[0.05, 0.85, 0.1])
    alone = random.choice([0.0, 1.0], (1, 40), p=[0.9, 0.1])
    counts = np.arange(1, 61)
    usual, doubt = np.array([[0.06]]), np.array([[0.01]])
    streams = [
        simulation.Stream(pairs, counts, counts),
        simulation.Stream(alone, counts[:40], counts[:40], True, usual, doubt),
    ]
    minutes = np.arange(100) // simulation.A_MINUTE
    samples = [
        Sample(Series.of(pairs[0], minutes[:60]), is_share=False),
        Sample(Series.of(alone[0], minutes[60:]), is_share=True, usual=0.06, doubt=0.01),
    ]
    failing, passing = e_values(samples, bounds)
    assert simulation.failing_e(streams, bounds.low, bounds.high)[0, -1] == pytest.approx(failing)
    assert simulation.passing_e(streams, bounds.low, bounds.high)[0, -1] == pytest.approx(passing)


def test_at_a_small_scale_good_versions_are_seldom_taken_back_and_dead_ones_soon(simulation) -> None:
    random = np.random.default_rng(2)
    settings = simulation.announced_settings(random, simulation.USUAL)
    plan = simulation.Plan(shadow=300, canary=200, weight=0.1, bake=100)
    for version in (simulation.USUAL, simulation.at_tolerance(settings)):
        assert simulation.simulate(random, settings, plan, version, 100).is_back.mean() <= 0.1
    dead = simulation.replace(simulation.USUAL, failed=1.0)
    found = simulation.simulate(random, settings, simulation.Plan(0, 60, 0.1), dead, 200)
    assert found.is_back.all()
    assert np.median(found.asked) <= 10


def test_the_report_has_its_lines(simulation, monkeypatch) -> None:
    monkeypatch.setattr(simulation, "FAULTS", {"mean score +50 %": simulation.FAULTS["mean score +50 %"]})
    monkeypatch.setattr(simulation, "TRAFFIC", ((10.0, 0.5),))
    monkeypatch.setattr(simulation, "CANARY_S", 100)
    lines = list(simulation.report(np.random.default_rng(3), 40))
    assert lines[0] == "rollout: false_rollback ratio=0.0000"
    assert lines[2].startswith("rollout: dead_canary requests=")
    assert [line.count("|") for line in lines if line.startswith("|")] == [10, 10, 10, 10]
    assert lines[-1].startswith("| mean score +50 % | 10 | 50% | 10 min | 100% | 0 |")
