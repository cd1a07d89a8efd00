"""A model's process: it ends with its parent, harms nobody, scores as the pipeline does, and survives a crash."""

from __future__ import annotations

import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_artifact.errors import ModelProcessError, UnsuitableModelError
from model_artifact.features import columns_of
from model_artifact.opening.inspection import inspect_candidate
from model_artifact.opening.model_process import ModelProcess, comes_within
from model_artifact.pipeline import late_probabilities
from model_kit import Calls, dumped, small_boosted, small_quarter
from model_registry.errors import CandidateRefusedError
from processes import children, is_running, wait_for
from training.probe_records import PROBE_RECORDS


@pytest.fixture(scope="module", autouse=True)
def running_server() -> None:
    """The process that candidates are forked from runs before a test looks at this process's children."""
    inspect_candidate(dumped(small_boosted()), PROBE_RECORDS)


def _refusal(data: bytes, **options: object) -> str:
    with pytest.raises(CandidateRefusedError) as caught:
        inspect_candidate(data, PROBE_RECORDS, **options)
    return str(caught.value)


@pytest.mark.fault(13)
def test_fault_13_a_pickle_that_never_ends_is_given_up_and_its_process_ended() -> None:
    sleeper = Calls(time.sleep, 600)
    before = children(os.getpid())
    refusal = _refusal(dumped(sleeper), time_limit_s=6, is_name_checked=False)
    assert "within 6 s" in refusal
    assert children(os.getpid()) == before


@pytest.mark.fault(13)
def test_fault_13_a_pickle_that_crashes_the_child_is_refused_with_how_it_ended() -> None:
    refusal = _refusal(dumped(Calls(os.abort)), is_name_checked=False)
    assert "SIGABRT" in refusal


@pytest.mark.fault(13)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="address space limits are POSIX")
def test_fault_13_a_pickle_that_eats_the_memory_is_refused() -> None:
    assert "MemoryError" in _refusal(dumped(Calls(bytearray, 64 << 30)), is_name_checked=False)


def test_the_child_gets_no_credentials(monkeypatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    # What the pickle holds is the variable's value; the refusal names its type: None in the child.
    assert "NoneType" in _refusal(pickle.dumps(Calls(os.getenv, "AWS_SECRET_ACCESS_KEY")), is_name_checked=False)


PARENT = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from model_artifact.opening.model_process import ModelProcess, comes_within
is_trusted = sys.argv[2] == "trusted"
ModelProcess(Path(sys.argv[1]).read_bytes(), is_trusted=is_trusted, is_name_checked=False, time_limit_s=600).wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the child by PR_SET_PDEATHSIG")
@pytest.mark.parametrize("trust", ["untrusted", "trusted"])
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_the_child_ends_with_its_parent_and_leaves_no_file(tmp_path: Path, ending: signal.Signals, trust: str) -> None:
    slow = tmp_path / "slow.pkl"
    slow.write_bytes(pickle.dumps(Calls(time.sleep, 600)))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(slow), trust, *sys.path], env=environment)
    try:
        child = int(wait_for(lambda: Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split())[0])
        wait_for(lambda: b"model_artifact.opening.child" in Path(f"/proc/{child}/cmdline").read_bytes())
    finally:
        parent.send_signal(ending)
        parent.wait(timeout=60)
    wait_for(lambda: not is_running(child))
    assert list(temporary.iterdir()) == []


# Takes the connection that waits for the child's report.
ACCEPT = """
import json, os, socket, struct, sys, time
def accept():
    for descriptor in range(3, 60):
        try:
            received = socket.recv_fds(socket.socket(fileno=os.dup(descriptor)), 1, 1)[1]
            return socket.socket(fileno=received[0])
        except OSError:
            pass
def send(connection, body):
    connection.sendall(struct.pack("!i", len(body)) + body)
"""


def _runs(code: str) -> bytes:
    return dumped(Calls(exec, ACCEPT + code, {}))


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("accept().sendall(struct.pack('!i', 100) + b'{'); time.sleep(600)", "ended the process"),
        ("os.closerange(3, 60); time.sleep(600)", "ended the process"),
        ("send(accept(), b'[' * 200_000); time.sleep(600)", "ended the process"),
        ("send(accept(), b'[]'); time.sleep(600)", "ended the process"),
        ("send(accept(), b'{}'); time.sleep(600)", "ended the process"),
        ("sys.stderr.write('x' * 200_000); sys.stderr.flush()", "NoneType"),
    ],
    ids=["half a message", "closed connection", "deep report", "list", "empty report", "much on stderr"],
)
def test_fault_13_a_pickle_that_takes_over_its_process_is_refused_in_time(code: str, message: str) -> None:
    before = children(os.getpid())
    began = time.monotonic()
    assert message in _refusal(_runs(code), is_name_checked=False, time_limit_s=12)
    assert time.monotonic() - began < 60, "it waited for the pickle's own sleep"
    assert children(os.getpid()) == before


@pytest.mark.fault(13)
def test_fault_13_a_report_can_not_name_another_process_to_be_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as victim:
        members = "limits=[], environment={}, classes=[0, 1], columns=[], probe_probabilities=[], categories={}"
        report = f"json.dumps(dict(pid={victim.pid}, {members})).encode()"
        code = f"connection = accept(); send(connection, {report}); connection.recv(1); os._exit(0)"
        with ModelProcess(_runs(code), is_name_checked=False, time_limit_s=12) as process:
            process.wait()
            with pytest.raises(ModelProcessError):
                process.late_probabilities(PROBE_RECORDS)
        assert victim.poll() is None
        victim.kill()


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"classes": None}, "'classes' isn't an array"),
        ({"probe_probabilities": [None]}, "isn't a finite number"),
        ({"categories": {"grade": 5}}, "'grade' isn't an array"),
        ({"environment": {"python": 3}}, "'python' isn't a string"),
        ({"serving_form": 5}, "bytes-like"),
        ({"serving_form": "!"}, "base64"),
        ({"limits": None}, "NoneType"),
    ],
)
def test_fault_13_a_report_that_a_pickle_forges_is_refused(members: dict[str, Any], message: str) -> None:
    report = {"pid": 1, "limits": [], "environment": {}, "classes": [0, 1], "columns": [], "probe_probabilities": []}
    report |= {"categories": {}, "serving_form": None, "why_no_serving_form": None} | members
    code = f"connection = accept(); send(connection, {json.dumps(report).encode()!r}); connection.recv(1)"
    assert message in _refusal(_runs(code), is_name_checked=False)


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import _xxsubinterpreters as s; s.create()", "interpreter creation failed"),
        ("os.open('file', os.O_TRUNC)", "may not do this"),
    ],
    ids=["another interpreter", "emptying a file"],
)
def test_fault_13_ways_around_the_audit_hook_are_closed(code: str, message: str) -> None:
    assert message in _refusal(_runs(code), is_name_checked=False)


@pytest.fixture(scope="module")
def process() -> Iterator[ModelProcess]:
    """A trusted model in its process."""
    with ModelProcess(dumped(small_boosted()), is_trusted=True, score_limit_s=3) as process:
        process.wait()
        yield process


def test_a_process_scores_as_the_pipeline_does(process: ModelProcess) -> None:
    frame = small_quarter().features
    expected = late_probabilities(small_boosted(), frame)
    assert np.array_equal(late_probabilities(process, frame), expected)
    assert np.array_equal(process.late_probabilities_of_columns(columns_of(frame)), expected)
    records = frame.head(20).astype(object).where(frame.head(20).notna(), None).to_dict("records")
    assert process.late_probabilities(records) == expected[:20].tolist()


def test_a_process_is_started_beside_its_parent() -> None:
    with ModelProcess(dumped(small_boosted()), is_trusted=True) as process:
        assert not process.is_ready()
        wait_for(process.is_ready)
        process.wait()


@pytest.mark.fault(13)
@pytest.mark.skipif(sys.platform != "linux", reason="the bound is on a process's data, and the score is Linux's")
def test_fault_13_a_trusted_model_gets_no_more_memory_than_the_function_and_is_ended_first() -> None:
    with (
        ModelProcess(dumped(Calls(bytearray, 2 << 30)), is_trusted=True, memory_limit_mib=1769) as process,
        pytest.raises(UnsuitableModelError, match="MemoryError"),
    ):
        process.wait()
    with ModelProcess(dumped(small_boosted()), is_trusted=True, memory_limit_mib=1769) as process:
        assert Path(f"/proc/{process.pid}/oom_score_adj").read_text().strip() == "1000"


def test_each_fork_of_the_parent_has_a_connection_of_its_own(process: ModelProcess, tmp_path: Path) -> None:
    expected = process.late_probabilities(PROBE_RECORDS)
    forks = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            scored = [process.late_probabilities(PROBE_RECORDS) for _ in range(20)]
            (tmp_path / str(number)).write_text(str(all(one == expected for one in scored)))
            os._exit(0)
        forks.append(pid)
    assert all(process.late_probabilities(PROBE_RECORDS) == expected for _ in range(20))
    for pid in forks:
        os.waitpid(pid, 0)
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["True"] * 3


@pytest.mark.fault(13)
def test_fault_13_a_crash_while_scoring_costs_one_answer(process: ModelProcess) -> None:
    expected = process.late_probabilities(PROBE_RECORDS)
    os.kill(process.pid, signal.SIGSEGV)
    with pytest.raises(ModelProcessError, match="ended before it could score"):
        process.late_probabilities(PROBE_RECORDS)
    assert process.late_probabilities(PROBE_RECORDS) == expected


@pytest.mark.fault(13)
def test_fault_13_a_hang_while_scoring_is_given_up(process: ModelProcess) -> None:
    process.late_probabilities(PROBE_RECORDS)
    hanging = process.pid
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(ModelProcessError, match="more than 3 s"):
        process.late_probabilities(PROBE_RECORDS)
    wait_for(lambda: not is_running(hanging))
    process.late_probabilities(PROBE_RECORDS)


def test_a_value_that_the_model_can_not_score_is_not_repeated(process: ModelProcess) -> None:
    with pytest.raises(UnsuitableModelError) as caught:
        process.late_probabilities([{"dti": "secret"}])
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed in /proc")
def test_a_process_does_not_keep_the_file_of_its_pickle_open(process: ModelProcess) -> None:
    assert str(Path(f"/proc/{process.pid}/fd/0").readlink()) == os.devnull


class _PausedConnection(Connection):
    """A connection whose message comes after a few waits, each of which may have taken hours."""

    def __init__(self, waits_before: float) -> None:
        self.waits_s: list[float] = []
        self._waits_before = waits_before

    def poll(self, timeout: float | None = 0.0) -> bool:
        self.waits_s.append(timeout or 0.0)
        return len(self.waits_s) > self._waits_before

    def __del__(self) -> None:
        pass


def test_a_pause_of_the_environment_does_not_use_up_the_time_limit() -> None:
    connection = _PausedConnection(3)
    assert comes_within(connection, 120)
    assert connection.waits_s == [1, 1, 1, 1]
    never = _PausedConnection(math.inf)
    assert not comes_within(never, 2.5)
    assert never.waits_s == [1, 1, 0.5]


def test_closing_ends_the_process_and_its_forks(tmp_path: Path) -> None:
    with ModelProcess(dumped(small_boosted()), is_trusted=True) as process:
        fork = process.pid
    wait_for(lambda: not is_running(fork))
