"""Alias flips under load while environments come and go, and one rollout's keys over its stops and new weights."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path

import pytest

from model_kit import small_quarter
from training.data import Quarters, read_quarter

LOAD = Path(__file__).resolve().parents[2] / "load"
TTL_S = 0.1
PAUSE_S = 0.05
# Some hundred requests a second, where the clients could send as many as the processor answers.
REQUEST_PAUSE_S = 0.03
HALVES = (("train", slice(None, None, 2)), ("test", slice(1, None, 2)))

# Botocore's connections are left to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.fault(19)
@pytest.mark.fault(20)
def test_a_hundred_flips_and_a_rollout_keep_the_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(LOAD))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    flips = importlib.import_module("flips")
    train, test = (
        read_quarter(f"{name}.csv", small_quarter().frame[rows].to_csv(index=False).encode()) for name, rows in HALVES
    )
    with flips.stack_with_two_versions(
        TTL_S, Quarters(train, test, "some generated loans", is_sample=True)
    ) as recording:
        recording.pause_s = REQUEST_PAUSE_S
        environments = asyncio.run(flips.flip(recording, 100, PAUSE_S))
        shares = asyncio.run(flips.share(recording, 300))
        asyncio.run(flips.roll(recording, 100, PAUSE_S))
    report = recording.report()
    assert [violation.sentence for violation in report.violations] == []
    assert report.failed == 0
    assert len({answer.version for answer in recording.answers}) == 2
    # On a busy machine the last idle ones may not have ended yet.
    assert environments[0] == 1
    assert environments[2] < 8 < environments[1]
    assert 0 < shares.gained < shares.keys
