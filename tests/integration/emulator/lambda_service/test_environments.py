"""Environments of real processes: their memory, their temporary files, what they leave behind, how they begin."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.sandbox.processes import SpawnLauncher
from tests.integration.emulator.lambda_service.environment_rig import Rig, until


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def run(tmp_path: Path, functions: Path) -> Callable[..., None]:
    """Return a function that runs a scenario with a rig."""

    def _run(scenario: Callable[[Rig], Coroutine[Any, Any, None]], **options: Any) -> None:
        @asynccontextmanager
        async def rig() -> AsyncIterator[Rig]:
            made = Rig(tmp_path, (functions / "environments" / "code").resolve(), **options)
            try:
                yield made
            finally:
                await made.close()

        async def whole() -> None:
            async with rig() as made:
                await scenario(made)

        asyncio.run(whole())

    return _run


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
        report = await rig.said("Runtime.OutOfMemory")
        assert "Max Memory Used: 256 MB" in report
        assert report.endswith("Status: error\tError Type: Runtime.OutOfMemory")
        assert await rig.result(act="allocate", mb=60) == 60

    run(scenario, snap_start=snap_start)


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
        await rig.said("Phase: invoke\tStatus: error\tError Type: Runtime.OutOfMemory")
        assert rig.log.count("Phase: init\tStatus: error\tError Type: Runtime.OutOfMemory") == 1

    run(scenario, environment={"INIT_MODE": "hungry"})


@pytest.mark.parametrize("snap_start", [False, True])
@pytest.mark.fidelity("handler-children")
def test_what_left_its_process_group_ends_with_its_environment(
    run: Callable[..., None], tmp_path: Path, snap_start: bool
) -> None:
    async def scenario(rig: Rig) -> None:
        left = await rig.result(act="leave")
        assert not is_gone(left)
        note = tmp_path / "pid"
        assert (await rig.call(act="leave", exit=str(note))).function_error == "Unhandled"
        assert await until(lambda: is_gone(int(note.read_text())))
        assert await until(lambda: is_gone(left))
        left = await rig.result(act="leave")
        await rig.pool.drain()
        assert await until(lambda: is_gone(left))

    run(scenario, snap_start=snap_start)


@pytest.mark.fidelity("handler-children")
@pytest.mark.parametrize("snap_start", [False, True])
def test_what_hides_from_its_environment_ends_with_it_and_leaves_no_zombie(
    run: Callable[..., None], tmp_path: Path, snap_start: bool
) -> None:
    def is_collected(pid: int) -> bool:
        return not Path(f"/proc/{pid}").exists()

    async def scenario(rig: Rig) -> None:
        mine = subprocess.Popen(["sleep", "60"], start_new_session=True, env={})
        hidden = await rig.result(act="hide", note=str(tmp_path / "stopped"))
        assert not is_gone(hidden)
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
        results = [json.loads(one.payload)["result"] for one in await asyncio.gather(busy, other)]
        assert results[1][0] != folder
        assert (await rig.call(act="exit")).function_error == "Unhandled"
        await asyncio.gather(*(rig.call(act="tmp") for _ in range(2)))
        found = await asyncio.gather(*(rig.result(act="tmp") for _ in range(2)))
        assert [there for _, there in found] == [True, True]
        assert {one for one, _ in found} == {folder, results[1][0]}
        await rig.pool.drain()
        assert await until(lambda: not Path(folder).exists())

    run(scenario, snap_start=snap_start)
    assert list(tmp_path.glob("lambda-environments-*")) == []


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
            broken.setattr(SpawnLauncher, "launch", launch)
            failed = await rig.call()
        assert json.loads(failed.payload)["errorType"] == "Runtime.ExitError"
        assert rig.pool.status().by_state == {"starting": 0, "idle": 0, "busy": 0, "reset": 1}
        assert (await rig.call()).function_error is None, "the next request restarts it again"

    run(scenario)
    assert "the background task 'restart an environment of arn' failed" in caplog.text


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
        await rig.said("Phase: init\tStatus: success")
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


def test_closing_waits_for_the_processes_of_environments_that_were_let_go_before(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.result()
        pid = rig.pool.status().pids[0]
        assert rig.pool.reap(0) == 1
        await rig.pool.close()
        assert is_gone(pid)

    run(scenario)


def test_draining_tells_who_waits_for_a_first_environment(run: Callable[..., None]) -> None:
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

    run(scenario, environment={"BAD": "a\0b"})


@pytest.mark.parametrize("snap_start", [False, True])
@pytest.mark.fidelity("faults-on-purpose")
def test_a_delay_on_purpose_is_spent_in_the_environment_and_counts_towards_the_timeout(
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


def test_a_template_that_is_given_up_leaves_its_environments_at_work(run: Callable[..., None], tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        let_go = tmp_path / "let-go"
        busy = asyncio.create_task(rig.call(act="wait", file=str(let_go)))
        await until(lambda: rig.pool.status().by_state["busy"] == 1)
        pid = rig.pool.status().pids[0]
        await rig.end_template()
        assert not is_gone(pid)
        let_go.touch()
        assert (await busy).function_error is None
        os.kill(pid, signal.SIGKILL)
        assert await until(lambda: not Path(f"/proc/{pid}").exists()), "collected, though its parent is gone"

    run(scenario, snap_start=True)


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
        await rig.said("RESTORE_REPORT Restore Duration: ")
        words = [line.split()[0] for line in rig.log.splitlines()]
        assert words[:4] == ["INIT_START", "INIT_REPORT", "RESTORE_START", "RESTORE_REPORT"]
        assert b"Restore Duration" not in ((await rig.call(want_log_tail=True)).log_tail or b"")

    run(scenario, snap_start=True)


@pytest.mark.fidelity("failing-hooks")
def test_a_restore_that_takes_too_long_is_an_error_of_invoke(run: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        failed = await rig.call()
        assert failed.api_error == ("SnapStartTimeoutException", 408)
        await rig.said("Status: timeout")

    run(scenario, snap_start=True, init_s=1.0, environment={"INIT_MODE": "slow_restore"})


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
        assert is_gone(pid)

    run(scenario)
