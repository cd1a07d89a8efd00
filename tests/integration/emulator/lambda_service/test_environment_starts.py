"""Environments of real processes: how they begin and begin again, and what their log says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.sandbox.base_process import BaseProcess
from tests.integration.emulator.lambda_service.environment_rig import Rig, until


@pytest.mark.fidelity("forked-from-base")
def test_a_process_forked_from_the_base_finds_what_one_from_scratch_finds(run: Callable[..., None]) -> None:
    found = []

    async def scenario(rig: Rig) -> None:
        found.append(await rig.result(act="surroundings"))
        found.append(await rig.result(act="surroundings"))

    for from_scratch in (True, False):
        run(scenario, from_scratch=from_scratch, environment={"TZ": "America/New_York", "OWN": "ä"}, log_format="JSON")
    assert found[0] == found[2]
    assert found[1] == found[3]


@pytest.mark.fidelity("forked-from-base")
def test_forks_of_the_base_initialise_by_themselves_and_outlive_it(run: Callable[..., None], tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        waiting = asyncio.create_task(rig.call(act="wait", file=str(tmp_path / "go")))
        await until(lambda: rig.pool.status().pids)
        first = rig.pool.status().pids[0]
        base = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(base, signal.SIGKILL)
        assert (await rig.call(act="type", want_log_tail=True)).function_error is None, "another base is started"
        (tmp_path / "go").touch()
        assert (await waiting).function_error is None
        assert json.loads((await waiting).payload)["pid"] == first
        await rig.log_line("Init Duration: ")
        rig.finish_log()
        assert rig.log.count("initialised without end\n") == 2
        assert rig.log.count("INIT_START") == 2

    run(scenario, environment={"INIT_MODE": "unfinished"})


def test_a_base_that_has_threads_is_started_once(run: Callable[..., None], tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        for _ in range(2):
            assert (await rig.call(act="exit")).function_error == "Unhandled"
        assert (await rig.call()).function_error is None
        assert (tmp_path / "starts").read_text() == "x"

    # As on a system without signals for the end of a pipe, where a thread waits for it.
    (tmp_path / "sitecustomize.py").write_text(
        "import threading, time\n"
        f"open({str(tmp_path / 'starts')!r}, 'a').write('x')\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    run(scenario, base_variables={"PYTHONPATH": str(tmp_path)})


@pytest.mark.fidelity("environment-reset")
def test_a_timeout_is_followed_by_initialising_inside_the_next_invocation(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        timed_out = await rig.call(act="sleep", s=30)
        assert json.loads(timed_out.payload)["errorMessage"].endswith("Task timed out after 1.00 seconds")
        assert rig.pool.status().by_state == {"starting": 0, "idle": 0, "busy": 0, "reset": 1}
        assert rig.pool.status().pids == ()
        after = await rig.call(want_log_tail=True)
        assert after.function_error is None
        assert after.log_tail is not None
        assert b"Init Duration" not in after.log_tail, "Lambda does not report it then"
        assert rig.pool.size == 1

    run(scenario, timeout_s=1)


def test_a_restart_that_raises_costs_its_request_and_is_logged(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def launch(*_: Any) -> None:
        raise RuntimeError("a bug")

    async def scenario(rig: Rig) -> None:
        assert (await rig.call(act="exit")).function_error == "Unhandled"
        with monkeypatch.context() as broken:
            broken.setattr(BaseProcess, "fork", launch)
            failed = await rig.call()
        assert json.loads(failed.payload)["errorType"] == "Runtime.ExitError"
        assert rig.pool.status().by_state == {"starting": 0, "idle": 0, "busy": 0, "reset": 1}
        assert (await rig.call()).function_error is None, "the next request restarts it again"

    run(scenario)
    assert "the background task 'restart an environment of arn' failed" in caplog.text


@pytest.mark.fidelity("unfinished-line")
def test_a_line_without_an_end_belongs_to_its_invocation(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        first = await rig.call(act="print", text="without end", end="", want_log_tail=True)
        second = await rig.call(act="print", text="next", want_log_tail=True)
        assert (first.log_tail or b"").decode().splitlines()[1:3][0] == "without end"
        lines = (second.log_tail or b"").decode().splitlines()
        assert [line.split()[0] for line in lines] == ["START", "next", "END", "REPORT"]
        rig.finish_log()
        words = [line.split()[0] for line in rig.log.splitlines()]
        assert words[-8:] == ["START", "without", "END", "REPORT", "START", "next", "END", "REPORT"]

    run(scenario)


@pytest.mark.fidelity("unfinished-line")
@pytest.mark.parametrize("snap_start", [False, True])
def test_what_initialising_prints_belongs_to_no_invocation(run: Callable[..., None], snap_start: bool) -> None:
    async def scenario(rig: Rig) -> None:
        called = await rig.call(act="print", text="next", want_log_tail=True)
        lines = (called.log_tail or b"").decode().splitlines()
        assert [line.split()[0] for line in lines] == ["START", "next", "END", "REPORT"]
        rig.finish_log()
        words = [line.split()[0] for line in rig.log.splitlines()]
        assert words.index("initialised") < words.index("START")
        assert words.count("initialised") == 1

    run(scenario, snap_start=snap_start, environment={"INIT_MODE": "unfinished"})


@pytest.mark.fidelity("flooding-handler")
def test_floods_of_concurrent_environments_are_neither_mixed_nor_lost(run: Callable[..., None]) -> None:
    """Each prints 20 MiB in lines longer than a pipe's buffer, more than may wait to be written."""
    marks, count, length = "abc", 200, 100_000

    async def scenario(rig: Rig) -> None:
        floods = [rig.call(act="flood", mark=mark, lines=count, length=length) for mark in marks]
        await asyncio.gather(*floods)
        rig.finish_log()
        lines = [line for line in rig.log.splitlines() if line.split()[0] in marks]
        for mark in marks:
            mine = [line for line in lines if line.startswith(mark)]
            assert mine == [f"{mark} {number} {mark * length}" for number in range(count)] + [f"{mark} the end"]

    run(scenario)


@pytest.mark.fidelity("log-tail")
def test_the_tail_of_the_log_is_that_of_the_invocation(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        first = await rig.call(act="print", text="a line", want_log_tail=True)
        request_id = json.loads(first.payload)["id"]
        assert first.log_tail is not None
        lines = first.log_tail.decode().splitlines()
        assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
        assert lines[1:3] == ["a line", f"END RequestId: {request_id}"]
        assert lines[3].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
        assert "Init Duration" in lines[3]
        assert (await rig.call(act="print", text="a line")).log_tail is None
        long = await rig.call(act="print", text="x" * 6000, want_log_tail=True)
        assert long.log_tail is not None
        assert len(long.log_tail) == 4096
        assert b"REPORT" in long.log_tail
        failed = await rig.call(act="exit", want_log_tail=True)
        assert b"Error Type: Runtime.ExitError" in (failed.log_tail or b"")

    run(scenario)


@pytest.mark.fidelity("log-tail")
def test_a_client_context_reaches_the_handler(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        sent = {"custom": {"ä\r\n": ["€", 1]}}
        assert await rig.result(act="context", client_context=json.dumps(sent, indent=2)) == sent["custom"]

    run(scenario)


@pytest.mark.fidelity("provisioned-concurrency-environments")
def test_provisioned_environments_are_initialised_before_any_request(run: Callable[..., None], tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.pool.provision(2)
        await until(lambda: rig.pool.status().provisioned_ready == 2)
        await rig.log_line("Phase: init\tStatus: success")
        first = await rig.call(act="type", want_log_tail=True)
        assert json.loads(first.payload)["result"] == "provisioned-concurrency"
        assert b"Init Duration" not in (first.log_tail or b"")
        status = rig.pool.status()
        assert (status.cold_starts, status.warm_starts) == (0, 1)
        assert (await rig.call(act="exit")).function_error == "Unhandled"
        await until(lambda: rig.pool.status().provisioned_ready == 2)
        # For as long as the other one takes to start, however long: it is not to be served by one of these.
        let_go = tmp_path / "let-go"
        busy = [asyncio.create_task(rig.result(act="wait", file=str(let_go))) for _ in range(2)]
        await until(lambda: rig.pool.status().by_state["busy"] == 2)
        assert await rig.result(act="type") == "on-demand"
        let_go.touch()
        await asyncio.gather(*busy)

    run(scenario, timeout_s=60)


@pytest.mark.fidelity("provisioned-concurrency-environments")
def test_a_provisioned_environment_that_ends_by_itself_is_replaced_after_a_pause(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        rig.pool.provision(1)
        await until(lambda: rig.pool.status().provisioned_ready == 1)
        for _ in range(2):
            os.kill(rig.pool.status().pids[0], signal.SIGKILL)
            await until(lambda: rig.pool.size == 0)
            # The loop that would start another one at once has turned by now.
            await asyncio.sleep(0)
            assert rig.pool.size == 0
            assert rig.pool.status().provisioned_wanted == 1
            await until(lambda: rig.pool.status().provisioned_ready == 1)
        await until(lambda: rig.log.count("Phase: init\tStatus: success") == 3)

    run(scenario)


def test_draining_answers_callers_that_wait_for_a_first_environment(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        preparing = asyncio.create_task(rig.pool.prepare())
        await until(lambda: rig.pool.size == 1)
        async with asyncio.timeout(30):
            await rig.pool.drain()
            assert b"stopped" in (await preparing or b"")
            assert b"stopped" in (await rig.pool.prepare() or b"")

    run(scenario)


def test_a_variable_that_no_process_can_have_fails_the_request(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        failed = await rig.call()
        assert json.loads(failed.payload)["errorType"] == "Runtime.StartFailed"

    run(scenario, from_scratch=True, environment={"BAD": "a\0b"})


@pytest.mark.parametrize("snap_start", [False, True])
@pytest.mark.fidelity("injected-faults")
def test_an_injected_delay_is_spent_in_the_environment_and_counts_towards_the_timeout(
    run: Callable[..., None], snap_start: bool
) -> None:
    async def scenario(rig: Rig) -> None:
        for _ in range(2):
            began = time.monotonic()
            assert (await rig.call(delay_s=0.3)).function_error is None
            assert time.monotonic() - began >= 0.3
        late = await rig.call(delay_s=60)
        assert json.loads(late.payload)["errorMessage"].endswith("Task timed out after 2.00 seconds")
        assert (await rig.call()).function_error is None

    run(scenario, snap_start=snap_start, timeout_s=2)


@pytest.mark.fidelity("provisioned-concurrency-environments")
def test_a_provisioned_environment_that_cannot_be_initialised_is_reported(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        rig.pool.provision(1)
        failure = await until(lambda: rig.pool.status().provisioning_failure)
        assert b"signal: killed" in failure
        assert rig.pool.size == 0

    run(scenario, environment={"INIT_MODE": "hungry"})


@pytest.mark.fidelity("init-and-restore-reports")
def test_a_restore_is_logged_and_reported(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        first = await rig.call(want_log_tail=True)
        report = (first.log_tail or b"").decode().splitlines()[-1]
        assert "\tRestore Duration: " in report
        assert "\tBilled Restore Duration: " in report
        assert "Init Duration" not in report
        await rig.log_line("RESTORE_REPORT Restore Duration: ")
        words = [line.split()[0] for line in rig.log.splitlines()]
        assert words[:4] == ["INIT_START", "INIT_REPORT", "RESTORE_START", "RESTORE_REPORT"]
        assert b"Restore Duration" not in ((await rig.call(want_log_tail=True)).log_tail or b"")

    run(scenario, snap_start=True)


@pytest.mark.fidelity("failing-hooks")
def test_a_restore_that_takes_too_long_is_an_error_of_invoke(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        failed = await rig.call()
        assert failed.api_error == ("SnapStartTimeoutException", 408)
        await rig.log_line("Status: timeout")

    run(scenario, snap_start=True, init_s=1.0, environment={"INIT_MODE": "slow_restore"})
