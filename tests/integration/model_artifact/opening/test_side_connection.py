"""A further connection to a model's process: it keeps nobody waiting, and touches no other connection."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from model_artifact.errors import ModelProcessError, UnsuitableModelError
from model_artifact.opening.model_process import ModelProcess
from model_artifact.opening.side_connection import SideConnection
from model_kit import dumped, small_boosted
from model_registry import threads
from processes import is_running, wait_for
from training.probe_records import PROBE_RECORDS

# As long as a test waits for what comes at once.
PLENTY_S = 60.0


@pytest.fixture(scope="module")
def process() -> Iterator[ModelProcess]:
    """A trusted model in its process."""
    with ModelProcess(dumped(small_boosted()), is_trusted=True, probe_records=PROBE_RECORDS[:2]) as process:
        process.wait()
        yield process


@pytest.fixture
def side(process: ModelProcess) -> Iterator[SideConnection]:
    """A connection whose fork can score."""
    side = SideConnection(process, opening_s=PLENTY_S, patience_s=PLENTY_S)
    wait_for(lambda: side.late_probabilities(PROBE_RECORDS, PLENTY_S))
    yield side
    side.close()


def test_it_scores_as_the_process_does_by_a_fork_of_its_own(process: ModelProcess, side: SideConnection) -> None:
    assert side.late_probabilities(PROBE_RECORDS, PLENTY_S) == process.late_probabilities(PROBE_RECORDS)
    many = [PROBE_RECORDS[0]] * 5000
    assert side.late_probabilities(many, PLENTY_S) == process.late_probabilities(many)
    assert side.fork_pid not in (None, process.pid)
    with pytest.raises(UnsuitableModelError):
        side.late_probabilities([{"dti": "secret"}], PLENTY_S)
    assert side.late_probabilities(PROBE_RECORDS, PLENTY_S) == process.late_probabilities(PROBE_RECORDS)


def test_nobody_waits_for_a_fork_that_is_not_open_yet(process: ModelProcess) -> None:
    side = SideConnection(process, opening_s=PLENTY_S, patience_s=PLENTY_S)
    # The fork scores the probe records first, so its report isn't here at once.
    assert side.late_probabilities(PROBE_RECORDS, PLENTY_S) is None
    assert (side.is_free(), side.is_open) == (False, False)
    # However long that takes beyond the patience for scores.
    side.patience_s = 0.0
    assert wait_for(side.is_free)
    side.close()


@pytest.mark.fault(31)
def test_fault_31_a_fork_that_hangs_is_given_up_in_time_and_its_late_answer_dropped(
    process: ModelProcess, side: SideConnection
) -> None:
    fork = side.fork_pid
    assert fork is not None
    os.kill(fork, signal.SIGSTOP)
    assert side.late_probabilities(PROBE_RECORDS[:1], 0.01) is None
    # It is busy now: nobody waits for it, and it gets nothing else to do.
    assert side.late_probabilities(PROBE_RECORDS, PLENTY_S) is None
    assert (side.is_free(), side.is_open) == (False, True)
    os.kill(fork, signal.SIGCONT)
    scores = wait_for(lambda: side.late_probabilities(PROBE_RECORDS, PLENTY_S))
    assert scores == process.late_probabilities(PROBE_RECORDS)
    assert side.fork_pid == fork


@pytest.mark.fault(31)
@pytest.mark.parametrize("records", [PROBE_RECORDS[:1], list(PROBE_RECORDS) * 2000], ids=["one", "more than a buffer"])
def test_fault_31_a_fork_that_hangs_for_good_is_ended_and_replaced(
    process: ModelProcess, side: SideConnection, records: list[dict[str, Any]]
) -> None:
    fork = side.fork_pid
    assert fork is not None
    os.kill(fork, signal.SIGSTOP)
    assert side.late_probabilities(records, 0.01) is None
    side.patience_s = 0.0
    assert side.late_probabilities(PROBE_RECORDS, 0.01) is None
    wait_for(lambda: not is_running(fork))
    side.patience_s = PLENTY_S
    assert wait_for(lambda: side.late_probabilities(PROBE_RECORDS, PLENTY_S))
    assert side.fork_pid != fork


@pytest.mark.fault(31)
def test_fault_31_a_fork_that_crashes_costs_its_own_score_alone(process: ModelProcess, side: SideConnection) -> None:
    expected = process.late_probabilities(PROBE_RECORDS)
    answering, fork = process.pid, side.fork_pid
    assert fork is not None
    os.kill(fork, signal.SIGKILL)
    wait_for(lambda: not is_running(fork))
    with pytest.raises(ModelProcessError, match="ended"):
        side.late_probabilities(PROBE_RECORDS, PLENTY_S)
    assert (process.late_probabilities(PROBE_RECORDS), process.pid) == (expected, answering)
    assert wait_for(lambda: side.late_probabilities(PROBE_RECORDS, PLENTY_S)) == expected


def test_a_process_that_has_ended_is_an_error() -> None:
    process = ModelProcess(dumped(small_boosted()), is_trusted=True)
    process.wait()
    side = SideConnection(process, opening_s=PLENTY_S, patience_s=PLENTY_S)
    process.close()
    with pytest.raises(ModelProcessError, match="has ended"):
        side.late_probabilities(PROBE_RECORDS, PLENTY_S)


def test_a_process_that_a_thread_started_lives_as_long_as_somebody_holds_it() -> None:
    def start() -> tuple[ModelProcess, Callable[[], object]]:
        process = ModelProcess(dumped(small_boosted()), is_trusted=True)
        return process, process.wait_for_end

    future = threads.begin_and_stay(start, "starts a process")
    process = future.result(timeout=PLENTY_S)
    del future
    # The kernel would have ended it with its thread.
    assert process.late_probabilities(PROBE_RECORDS)
    fork = process.pid
    del process
    gc.collect()
    wait_for(lambda: not is_running(fork))
    wait_for(lambda: "starts a process" not in [thread.name for thread in threading.enumerate()])
