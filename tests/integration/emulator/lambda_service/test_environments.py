"""Environments of real processes: their memory, their temporary files, what they leave behind, how they end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from processes import is_running
from tests.integration.emulator.lambda_service.environment_rig import Rig, until


@pytest.mark.fault(24)
@pytest.mark.parametrize("act", ["allocate", "allocate_in_child"])
@pytest.mark.parametrize("snap_start", [False, True])
@pytest.mark.fidelity("memory-limit")
def test_fault_24_more_memory_than_the_function_has_ends_the_process_and_costs_one_request(
    run: Callable[..., None], act: str, snap_start: bool
) -> None:
    async def scenario(rig: Rig) -> None:
        assert await rig.result(act="allocate", mb=60) == 60
        failed = await rig.call(act=act, mb=300, s=10)
        assert failed.function_error == "Unhandled"
        error = json.loads(failed.payload)
        assert error["errorType"] == "Runtime.ExitError"
        assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
        report = await rig.log_line("Runtime.OutOfMemory")
        assert "Max Memory Used: 256 MB" in report
        assert report.endswith("Status: error\tError Type: Runtime.OutOfMemory")
        assert await rig.result(act="allocate", mb=60) == 60

    run(scenario, snap_start=snap_start)


@pytest.mark.parametrize("snap_start", [False, True])
@pytest.mark.fidelity("answer-too-large")
def test_an_error_over_the_limit_is_replaced_by_lambdas_and_the_environment_stays(
    run: Callable[..., None], snap_start: bool
) -> None:
    async def scenario(rig: Rig) -> None:
        failed = await rig.call(act="raise", length=7_000_000)
        assert failed.function_error == "Unhandled"
        assert json.loads(failed.payload)["errorType"] == "Function.ResponseSizeTooLarge"
        failed = await rig.call(act="raise", length=6_000_000)
        assert json.loads(failed.payload)["errorMessage"] == "x" * 6_000_000
        assert await rig.result() is None
        assert rig.pool.status().cold_starts == 1

    run(scenario, snap_start=snap_start)


@pytest.mark.parametrize("snap_start", [False, True])
@pytest.mark.fidelity("answer-too-large")
def test_an_error_of_the_initialisation_over_the_limit_is_replaced_by_lambdas(
    run: Callable[..., None], snap_start: bool
) -> None:
    async def scenario(rig: Rig) -> None:
        failed = await rig.call()
        assert json.loads(failed.payload)["errorType"] == "Function.ResponseSizeTooLarge"

    run(scenario, snap_start=snap_start, environment={"INIT_MODE": "long_error"})


@pytest.mark.fidelity("huge-allocation-refused")
def test_one_huge_allocation_is_refused_to_the_function_itself(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        failed = await rig.call(act="huge", mb=8_000)
        assert json.loads(failed.payload)["errorType"] == "MemoryError"
        assert await rig.result() is None

    run(scenario)


def test_a_function_that_takes_too_much_memory_at_init_fails_after_a_second_attempt(
    run: Callable[..., None],
) -> None:
    async def scenario(rig: Rig) -> None:
        failed = await rig.call()
        assert b"signal: killed" in failed.payload
        await rig.log_line("Phase: invoke\tStatus: error\tError Type: Runtime.OutOfMemory")
        assert rig.log.count("Phase: init\tStatus: error\tError Type: Runtime.OutOfMemory") == 1

    run(scenario, environment={"INIT_MODE": "hungry"})


@pytest.mark.parametrize("snap_start", [False, True])
@pytest.mark.fidelity("handler-children")
def test_a_process_that_left_its_group_ends_with_its_environment(
    run: Callable[..., None], tmp_path: Path, snap_start: bool
) -> None:
    async def scenario(rig: Rig) -> None:
        left = await rig.result(act="leave")
        assert is_running(left)
        note = tmp_path / "pid"
        assert (await rig.call(act="leave", exit=str(note))).function_error == "Unhandled"
        assert await until(lambda: not is_running(int(note.read_text())))
        assert await until(lambda: not is_running(left))
        left = await rig.result(act="leave")
        await rig.pool.drain()
        assert await until(lambda: not is_running(left))

    run(scenario, snap_start=snap_start)


@pytest.mark.fidelity("handler-children")
@pytest.mark.parametrize("snap_start", [False, True])
def test_a_process_that_hides_from_its_environment_ends_with_it_and_leaves_no_zombie(
    run: Callable[..., None], tmp_path: Path, snap_start: bool
) -> None:
    def is_collected(pid: int) -> bool:
        return not Path(f"/proc/{pid}").exists()

    async def scenario(rig: Rig) -> None:
        mine = subprocess.Popen(["sleep", "60"], start_new_session=True, env={})
        hidden = await rig.result(act="hide", note=str(tmp_path / "stopped"))
        assert is_running(hidden)
        note = tmp_path / "crashed"
        assert (await rig.call(act="hide", note=str(note), crash="yes")).function_error == "Unhandled"
        assert await until(lambda: is_collected(int(note.read_text())))
        hidden = await rig.result(act="hide", note=str(tmp_path / "drained"))
        os.kill(await rig.result(act="hide", note=str(tmp_path / "ended by itself")), signal.SIGTERM)
        await rig.pool.drain()
        assert await until(lambda: all(is_collected(int(note.read_text())) for note in tmp_path.glob("*ed*")))
        assert mine.poll() is None, "what no environment has started is left alone"
        mine.kill()
        mine.wait()

    run(scenario, snap_start=snap_start)


@pytest.mark.parametrize("snap_start", [False, True])
@pytest.mark.fidelity("tmpdir", "crash-costs-one-request")
def test_temporary_files_are_an_environments_own_and_survive_its_reset(
    run: Callable[..., None], tmp_path: Path, snap_start: bool
) -> None:
    async def scenario(rig: Rig) -> None:
        folder, there = await rig.result(act="tmp")
        assert not there
        other = rig.call(act="tmp")
        busy = rig.call(act="sleep", s=0.5)
        results = [json.loads(result.payload)["result"] for result in await asyncio.gather(busy, other)]
        assert results[1][0] != folder
        assert (await rig.call(act="exit")).function_error == "Unhandled"
        await asyncio.gather(*(rig.call(act="tmp") for _ in range(2)))
        folders = await asyncio.gather(*(rig.result(act="tmp") for _ in range(2)))
        assert [there for _, there in folders] == [True, True]
        assert {path for path, _ in folders} == {folder, results[1][0]}
        await rig.pool.drain()
        assert await until(lambda: not Path(folder).exists())

    run(scenario, snap_start=snap_start)
    assert list(tmp_path.glob("lambda-environments-*")) == []


def test_closing_waits_for_the_processes_of_environments_that_were_let_go_before(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.result()
        pid = rig.pool.status().pids[0]
        assert rig.pool.reap(0) == 1
        await rig.pool.close()
        assert not is_running(pid)

    run(scenario)


def test_a_snapshot_that_is_given_up_leaves_its_environments_at_work(run: Callable[..., None], tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        let_go = tmp_path / "let-go"
        busy = asyncio.create_task(rig.call(act="wait", file=str(let_go)))
        await until(lambda: rig.pool.status().by_state["busy"] == 1)
        pid = rig.pool.status().pids[0]
        await rig.end_snapshot()
        assert is_running(pid)
        let_go.touch()
        assert (await busy).function_error is None
        os.kill(pid, signal.SIGKILL)
        assert await until(lambda: not Path(f"/proc/{pid}").exists()), "collected, though its parent is gone"

    run(scenario, snap_start=True)


@pytest.mark.fidelity("version-replaced")
def test_draining_lets_the_request_under_way_end(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.result()
        pid = rig.pool.status().pids[0]
        began = time.monotonic()
        busy = asyncio.create_task(rig.result(act="sleep", s=0.5))
        await until(lambda: rig.pool.status().by_state["busy"] == 1)
        await rig.pool.drain()
        assert await busy is None
        assert time.monotonic() - began >= 0.5
        assert not is_running(pid)

    run(scenario)
