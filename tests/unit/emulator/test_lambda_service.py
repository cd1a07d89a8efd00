"""The parts of the Lambda service that need no process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.lambda_service import invocations
from emulator.lambda_service.concurrency import BurstRate
from emulator.lambda_service.environment_state import State
from emulator.lambda_service.functions import (
    FunctionVersion,
    environment_variables,
    import_folders,
    is_built_for_another_python,
)
from emulator.lambda_service.invocations import (
    SNAP_START_ERROR,
    Invocation,
    InvocationResult,
    TooManyRequestsError,
)
from emulator.lambda_service.logs import LogSink
from emulator.lambda_service.pool import EnvironmentPool, pause_before_replacing
from emulator.lambda_service.processes import ProcessPlan, SpawnedProcess
from emulator.lambda_service.runtime_api import RuntimeApi, _Connection
from emulator.project import FunctionSpec


class FakeEnvironment:
    """An environment whose life the test decides."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self.pool = pool
        self.state = State.STARTING
        self.idle_since = 0.0
        self.is_fresh = True
        self.is_provisioned = False
        self.pid = None
        self.current: Invocation | None = None
        self.gone = asyncio.Event()

    async def start(self) -> None:
        """Nothing: the test makes it ready."""

    async def wait_stopped(self) -> None:
        await self.gone.wait()

    def invoke(self, invocation: Invocation) -> None:
        assert self.state in {State.IDLE, State.RESET}
        assert self.current is None, "interleaved"
        self.state, self.current, self.is_fresh = State.BUSY, invocation, False

    def become_free(self) -> None:
        self.state, self.current = State.IDLE, None
        self.pool.environment_is_free(self)  # type: ignore[arg-type]

    def answer(self) -> None:
        assert self.current is not None
        self.current.result.set_result(InvocationResult(b"ok", None, "1"))
        self.become_free()

    def crash(self) -> None:
        current, self.current, self.state = self.current, None, State.RESET
        if current is not None:
            current.result.set_result(InvocationResult(b"dead", "Unhandled", "1"))
        self.pool.environment_was_reset(self)  # type: ignore[arg-type]

    def fail_to_start(self) -> None:
        self.state = State.STOPPED
        self.gone.set()
        self.pool.environment_failed_to_start(self, b"failed", SNAP_START_ERROR)  # type: ignore[arg-type]

    def stop(self) -> None:
        self.state = State.STOPPED
        self.gone.set()


class Rig:
    """A pool of fakes."""

    def __init__(self, burst: int = 100) -> None:
        self.made: list[FakeEnvironment] = []
        self.pool = EnvironmentPool("f", "1", self._make, BurstRate(lambda: 0.0, burst))

    def _make(self, pool: EnvironmentPool) -> Any:
        self.made.append(FakeEnvironment(pool))
        return self.made[-1]

    def submit(self) -> Invocation:
        result: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        invocation = Invocation(str(len(self.made)), b"{}", "arn", "", result)
        self.pool.submit(invocation)
        return invocation


def test_the_first_free_environment_takes_the_oldest_request() -> None:
    async def scenario() -> None:
        rig = Rig()
        first, second = rig.submit(), rig.submit()
        assert len(rig.made) == 2
        rig.made[1].become_free()
        assert rig.made[1].current is first
        rig.made[1].answer()
        assert rig.made[1].current is second
        third = rig.submit()
        assert len(rig.made) == 2, "the one that is still starting will do"
        rig.made[0].become_free()
        assert rig.made[0].current is third
        rig.made[0].answer()
        rig.made[1].answer()
        status = rig.pool.status()
        assert (status.cold_starts, status.warm_starts, status.by_state["idle"]) == (2, 1, 2)
        assert rig.pool.reap(-1) == 2
        assert rig.pool.size == 0

    asyncio.run(scenario())


def test_a_failed_start_costs_one_waiting_request_at_most() -> None:
    async def scenario() -> None:
        rig = Rig()
        first, second = rig.submit(), rig.submit()
        rig.made[0].fail_to_start()
        assert first.result.result().api_error == SNAP_START_ERROR
        assert not second.result.done()
        rig.made[1].become_free()
        third = rig.submit()
        rig.made[1].answer()
        assert rig.made[1].current is third
        rig.made[2].fail_to_start()
        assert not third.result.done()

    asyncio.run(scenario())


def test_a_reset_environment_is_used_before_one_is_added_and_after_the_idle_ones() -> None:
    async def scenario() -> None:
        rig = Rig(burst=2)
        rig.submit(), rig.submit()
        for one in rig.made:
            one.become_free()
        rig.made[0].crash()
        rig.made[1].answer()
        assert rig.pool.status().by_state == {"starting": 0, "idle": 1, "busy": 0, "reset": 1}
        third, fourth = rig.submit(), rig.submit()
        assert (rig.made[1].current, rig.made[0].current) == (third, fourth)
        with pytest.raises(TooManyRequestsError, match="limit of 2"):
            rig.submit()
        rig.made[0].crash()
        rig.made[1].crash()
        assert rig.pool.reap(-1) == 2

    asyncio.run(scenario())


def test_draining_stops_the_idle_at_once_and_the_busy_after_their_answers() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.submit(), rig.submit()
        for one in rig.made:
            one.become_free()
        rig.made[0].answer()
        late, last = rig.submit(), rig.submit()
        assert rig.made[0].current is late
        draining = asyncio.create_task(rig.pool.drain())
        await asyncio.sleep(0)
        rig.made[0].answer()
        assert rig.made[0].current is last, "it was accepted before"
        rig.made[0].answer()
        assert rig.made[0].state is State.STOPPED
        rig.made[1].crash()
        assert rig.made[1].state is State.STOPPED
        assert not draining.done()
        rig.made[2].become_free()
        await draining
        assert rig.pool.size == 0

    asyncio.run(scenario())


def test_provisioned_environments_are_kept_replaced_and_given_up() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.pool.provision(2)
        assert [one.is_provisioned for one in rig.made] == [True, True]
        for one in rig.made:
            one.become_free()
        assert rig.pool.reap(-1) == 0
        assert rig.pool.status().provisioned_ready == 2
        rig.submit()
        served = next(one for one in rig.made if one.current is not None)
        served.crash()
        assert (served.state, len(rig.made)) == (State.STOPPED, 3), "replaced at once: a request has ended it"
        rig.made[2].fail_to_start()
        status = rig.pool.status()
        assert (len(rig.made), status.provisioned_wanted, status.provisioning_failure) == (3, 1, b"failed")
        rig.pool.provision(0)
        assert rig.pool.reap(-1) == 1
        await rig.pool.close()

    asyncio.run(scenario())


def test_provisioned_environments_that_end_by_themselves_are_replaced_later_and_later() -> None:
    async def scenario() -> None:
        rig = Rig()
        rig.pool.provision(1)
        for number in range(1, 4):
            rig.made[-1].become_free()
            made = len(rig.made)
            rig.made[-1].crash()
            assert len(rig.made) == made
            timer = rig.pool._replacing
            assert timer is not None
            assert rig.pool._ended_untried == number
            rig.pool._keep_provisioned()
            assert timer.cancelled()
            assert len(rig.made) == made + 1
        rig.made[-1].become_free()
        rig.submit()
        rig.made[-1].answer()
        rig.made[-1].crash()
        assert rig.pool._replacing is None, "it was of use; the next one begins anew"
        rig.made[-1].become_free()
        rig.made[-1].crash()
        await rig.pool.close()
        assert rig.pool._replacing is None

    asyncio.run(scenario())


def test_the_pauses_double_up_to_a_minute() -> None:
    pauses = [pause_before_replacing(number) for number in (0, 1, 2, 3, 4, 5, 6, 7, 5000)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@given(st.lists(st.integers(0, 6), max_size=80), st.integers(1, 5))
def test_whatever_happens_every_request_ends_and_none_is_interleaved(steps: list[int], burst: int) -> None:
    async def scenario() -> None:
        rig = Rig(burst)
        submitted: list[Invocation] = []
        for step in steps:
            living = [one for one in rig.made if one.state is not State.STOPPED]
            starting = [one for one in living if one.state is State.STARTING]
            busy = [one for one in living if one.state is State.BUSY]
            idle = [one for one in living if one.state is State.IDLE]
            if step <= 1:
                try:
                    submitted.append(rig.submit())
                except TooManyRequestsError:
                    assert len(rig.made) == burst
            elif step == 2 and starting:
                starting[0].become_free()
            elif step == 3 and busy:
                busy[-1].answer()
            elif step == 4 and busy:
                busy[0].crash()
            elif step == 5 and starting:
                starting[-1].fail_to_start()
            elif step == 6 and idle:
                idle[0].crash()
        for _ in range(2 * len(submitted) + 2):
            for one in list(rig.made):
                if one.state is State.STARTING:
                    one.become_free()
                elif one.state is State.BUSY:
                    one.answer()
        assert all(one.result.done() for one in submitted)
        assert rig.pool.status().waiting == 0
        await rig.pool.close()

    asyncio.run(scenario())


class Told:
    """Notes what a runtime said."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def runtime_asks_for_next(self) -> None:
        self.said.append(("next",))

    def runtime_answered(self, request_id: str, payload: bytes, size_bytes: int) -> None:
        self.said.append(("answer", request_id, payload, size_bytes))

    def runtime_failed(self, request_id: str, payload: bytes) -> None:
        self.said.append(("error", request_id, payload))

    def runtime_failed_to_initialise(self, payload: bytes) -> None:
        self.said.append(("init", payload))


class FakeTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        """Nothing to close."""


def post(path: str, body: bytes) -> bytes:
    return f"POST /2018-06-01/runtime{path} HTTP/1.1\r\nHost: h\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


STREAM = (
    b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nHost: h\r\n\r\n"
    + b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n"
    + post("/invocation/1/response", b'{"a": "\r\n\r\n"}')
    + post("/invocation/2/error", b"{}")
    + post("/invocation/3/response", b"")
    + post("/init/error", b"x" * 300)
    + b"GET /nothing HTTP/1.1\r\n\r\n"
)


@given(st.lists(st.integers(1, 60), max_size=40))
def test_the_runtime_api_reads_requests_however_they_are_cut(cuts: list[int]) -> None:
    told, transport = Told(), FakeTransport()
    connection = _Connection(RuntimeApi(told))
    connection.connection_made(transport)
    rest = STREAM
    for cut in cuts:
        connection.data_received(rest[:cut])
        rest = rest[cut:]
    connection.data_received(rest)
    assert told.said == [
        ("next",),
        ("answer", "1", b'{"a": "\r\n\r\n"}', 13),
        ("error", "2", b"{}"),
        ("answer", "3", b"", 0),
        ("init", b"x" * 300),
    ]
    assert transport.written.count(b"HTTP/1.1 202") == 4
    assert transport.written.count(b"Content-Type: application/json") == 6, "an answer without one kills the client"
    assert b"HTTP/1.1 404" in transport.written


def test_an_invocation_is_sent_whatever_its_trace_id_holds() -> None:
    transport, api = FakeTransport(), RuntimeApi(Told())
    connection = _Connection(api)
    connection.connection_made(transport)
    connection.data_received(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n")
    api.send_invocation("id", b"{}", 1, "arn", "Root=€\udcff")
    assert not api.is_polled
    assert transport.written.endswith(b"Lambda-Runtime-Trace-Id: Root=??\r\n\r\n{}")


def test_an_answer_over_the_limit_is_counted_and_not_kept() -> None:
    told, transport = Told(), FakeTransport()
    connection = _Connection(RuntimeApi(told))
    connection.connection_made(transport)
    data = post("/invocation/1/response", b"x" * (invocations.MAX_ANSWER_BYTES + 1))
    for start in range(0, len(data), 1 << 20):
        connection.data_received(data[start : start + (1 << 20)])
    assert told.said == [("answer", "1", b"", invocations.MAX_ANSWER_BYTES + 1)]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (7, "Runtime exited with error: exit status 7"),
        (0, "Runtime exited without providing a reason"),
        (None, "Runtime exited without providing a reason"),
        (-9, "Runtime exited with error: signal: killed"),
        (-11, "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_how_a_process_ended_is_said_as_lambda_does(status: int | None, words: str) -> None:
    payload = json.loads(invocations.exited("id", status))
    assert payload == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: id Error: {words}"}


def test_variables_of_a_function(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "python").mkdir(parents=True)
    spec = FunctionSpec(
        "F", "f", tmp_path, "a.b", "python3.13", (layer,), {"A": "1", "TZ": "UTC"}, snap_start=True, alias="live"
    )
    machine = {"PATH": "/bin", "EVIL": "1", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}

    def variables(version: str, machine: dict[str, str]) -> dict[str, str]:
        function = FunctionVersion(spec, version, "arn")
        return environment_variables(function, machine, region="r", log_stream="s", runtime_api="h:1")

    published = variables("1", machine)
    assert published["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"
    assert (published["AWS_ACCESS_KEY_ID"], published["A"], published["TZ"]) == ("k", "1", "UTC")
    assert "EVIL" not in published
    logs = {"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f", "AWS_LAMBDA_LOG_STREAM_NAME": "s"}
    assert not logs.keys() & published.keys(), "as AWS documents of SnapStart"
    assert logs.items() <= variables("$LATEST", machine).items()
    assert "AWS_SESSION_TOKEN" not in published
    assert "AWS_XRAY_DAEMON_ADDRESS" not in published
    latest = variables("$LATEST", {})
    assert latest["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert latest["AWS_ACCESS_KEY_ID"]
    assert import_folders(spec) == [str(tmp_path), str(layer / "python"), str(layer)]


def test_a_process_that_cannot_be_started_leaves_no_descriptor_open(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = LogSink(2)
        before = sorted(Path("/dev/fd").iterdir())
        with pytest.raises(FileNotFoundError):
            SpawnedProcess(ProcessPlan({}, {}, tmp_path / "nowhere"), sink)
        assert sorted(Path("/dev/fd").iterdir()) == before
        sink.close()

    asyncio.run(scenario())


def test_code_that_was_compiled_for_another_python_is_noticed(tmp_path: Path) -> None:
    spec = FunctionSpec("F", "f", tmp_path, "a.b", "python3.13")
    assert not is_built_for_another_python(spec)
    (tmp_path / "x.cpython-399-x86_64-linux-gnu.so").touch()
    assert is_built_for_another_python(spec)
