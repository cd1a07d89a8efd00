"""Processes of candidates that are forked from one which has imported what they need."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model_artifact.opening.child_process import warm_processes
from model_artifact.opening.inspection import inspect_candidate, open_candidate
from model_kit import Calls, dumped, small_boosted, small_forest
from model_registry.errors import CandidateRefusedError
from processes import children, descendants, is_running, wait_for, wait_until
from training.probe_records import PROBE_RECORDS


def test_a_fork_finds_what_a_process_that_starts_alone_finds() -> None:
    for model in (small_forest(), small_boosted()):
        with warm_processes(is_warm=False):
            alone = inspect_candidate(dumped(model), PROBE_RECORDS)
        assert inspect_candidate(dumped(model), PROBE_RECORDS) == alone


def test_one_server_forks_all_and_ends_with_the_block() -> None:
    before = children(os.getpid())
    with warm_processes():
        assert children(os.getpid()) == before, "nothing was opened yet"
        with open_candidate(dumped(small_boosted()), PROBE_RECORDS) as (first, _):
            (server,) = children(os.getpid()) - before
            with open_candidate(dumped(small_boosted()), PROBE_RECORDS) as (second, _):
                assert {first.pid, second.pid} < descendants(server)
                assert first.late_probabilities(PROBE_RECORDS) == second.late_probabilities(PROBE_RECORDS)
            assert wait_until(lambda: not is_running(second.pid))
            assert is_running(first.pid)
        # No zombie either.
        assert wait_until(lambda: descendants(server) == set())
    assert children(os.getpid()) == before


def test_a_candidate_that_is_open_ends_with_the_server() -> None:
    with warm_processes(), open_candidate(dumped(small_boosted()), PROBE_RECORDS) as (model, _):
        server = next(pid for pid in children(os.getpid()) if model.pid in descendants(pid))
        os.kill(server, signal.SIGKILL)
        assert wait_until(lambda: not is_running(model.pid))


def test_where_the_server_has_ended_a_process_starts_alone() -> None:
    before = children(os.getpid())
    with warm_processes():
        inspect_candidate(dumped(small_boosted()), PROBE_RECORDS)
        (server,) = children(os.getpid()) - before
        os.kill(server, signal.SIGKILL)
        assert wait_until(lambda: not is_running(server))
        assert inspect_candidate(dumped(small_boosted()), PROBE_RECORDS).classes == (0, 1)


def test_where_the_path_has_changed_a_process_starts_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "late_module.py").write_text("NAME = 'imported'")
    imports = dumped(Calls(exec, "import late_module\nraise ValueError(late_module.NAME)", {}))
    with warm_processes():
        inspect_candidate(dumped(small_boosted()), PROBE_RECORDS)
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(CandidateRefusedError, match="imported"):
            inspect_candidate(imports, PROBE_RECORDS, is_name_checked=False)


def test_a_fork_has_the_descriptors_of_its_own_request_alone() -> None:
    code = (
        "import os\nnames = []\n"
        "for fd in range(3, 100):\n"
        "    try: names.append(os.fstat(fd).st_mode >> 12)\n"
        "    except OSError: pass\n"
        "raise ValueError(f'open: {names}')"
    )
    refusals = []
    with open_candidate(dumped(small_boosted()), PROBE_RECORDS):
        for is_warm in (False, True):
            with warm_processes(is_warm=is_warm), pytest.raises(CandidateRefusedError) as caught:
                inspect_candidate(dumped(Calls(exec, code, {})), PROBE_RECORDS, is_name_checked=False)
            refusals.append(str(caught.value).partition("open: ")[2])
    assert refusals[0].startswith("[12]"), "the socket that its connection comes over"
    assert refusals[1] == refusals[0]


PARENT = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from model_artifact.opening.child_process import warm_processes
from model_artifact.opening.model_process import ModelProcess
with warm_processes():
    ModelProcess(Path(sys.argv[1]).read_bytes(), is_name_checked=False, time_limit_s=600).wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the forks by PR_SET_PDEATHSIG")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_server_and_forks_end_with_their_parent(tmp_path: Path, ending: signal.Signals) -> None:
    slow = tmp_path / "slow.pkl"
    slow.write_bytes(pickle.dumps(Calls(time.sleep, 600)))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(slow), *sys.path])
    try:
        # The server, the guard of a fork, and the fork.
        family = wait_for(lambda: len(found := descendants(parent.pid)) == 3 and found)
    finally:
        parent.send_signal(ending)
        parent.wait(timeout=60)
    assert wait_until(lambda: not any(map(is_running, family)))
