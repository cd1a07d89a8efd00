"""Initialising: what happens when it fails or takes long, and SnapStart's forks. Real processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from processes import is_running

INTERNAL_SERVER_ERROR = b'{"message":"Internal Server Error"}'


@pytest.fixture(scope="module")
def failing(start_for_module: Callable[..., Any], functions: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    template = str(functions / "failing" / "template.yaml")
    folder = tmp_path_factory.mktemp("marker")
    return start_for_module(
        "start-api", "-p", "0", "-t", template, "--init-limit", "1", env={"TMPDIR": str(folder)}
    )  # fmt: skip


@pytest.fixture
def snapstart(start: Callable[..., Any], functions: Path) -> Any:
    return start("start-api", "-p", "0", "-t", str(functions / "snapstart" / "template.yaml"))


def wait_for_log(running: Any, text: str, limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while text not in running.log:
        assert time.monotonic() < deadline, running.log
        time.sleep(0.01)


def kill(pid: int, limit_s: float = 30.0) -> None:
    """End a process and wait for its end; before it, a request may still reach the process and be lost."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + limit_s
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/raises", "[ERROR] ValueError: at init"),
        ("/exits", "Phase: init"),
        ("/missing", "Runtime.ImportModuleError: Unable to import module 'nowhere'"),
    ],
)
@pytest.mark.fidelity("failing-init")
def test_fault_24_failing_init_is_500_and_tried_again_by_the_next_request(
    failing: Any, path: str, message: str
) -> None:
    for _ in range(2):
        failed = failing.get(path)
        assert (failed.status, failed.body) == (500, INTERNAL_SERVER_ERROR)
    wait_for_log(failing, message)


@pytest.mark.fault(24)
@pytest.mark.fidelity("failing-init")
def test_fault_24_init_that_fails_once_is_tried_again_inside_the_invocation(failing: Any) -> None:
    assert failing.get("/once").body == b"now it works"
    wait_for_log(failing, "Phase: init\tStatus: error\tError Type: RuntimeError")


@pytest.mark.fault(24)
@pytest.mark.fidelity("init-timeout")
def test_fault_24_init_over_its_limit_runs_again_under_the_functions_timeout(failing: Any) -> None:
    assert failing.get("/slow").body == b"slow, but there"
    wait_for_log(failing, "Phase: init\tStatus: timeout")
    stuck = failing.get("/stuck")
    assert (stuck.status, stuck.body) == (500, INTERNAL_SERVER_ERROR)
    wait_for_log(failing, "Phase: invoke\tStatus: timeout")


@pytest.mark.fidelity(
    "autopublishalias",
    "snapshot-hooks",
    "initialization-type-snap-start",
)
def test_environments_are_forks_of_one_initialised_process(snapstart: Any) -> None:
    assert snapstart.get("/hooked").status == 200
    with ThreadPoolExecutor(4) as clients:
        facts = [answer.json for answer in clients.map(lambda _: snapstart.get("/hooked?s=0.4"), range(4))]
    assert len({fact["pid"] for fact in facts}) == 4
    assert len({fact["parent"] for fact in facts}) == 1
    assert len({fact["random"] for fact in facts}) == 4
    assert len({fact["uuid"] for fact in facts}) == 4
    for fact in facts:
        assert fact["pid"] != fact["parent"]
        assert fact["ran"] == [["before 2", True], ["before 1", True], ["after 1", False], ["after 2", False]]
        assert (fact["type"], fact["version"], fact["log_variables"]) == ("snap-start", "1", [])
        assert fact["arn"].endswith(":Hooked:live")
    for fact in facts:
        wait_for_log(snapstart, f"END RequestId: {fact['request_id']}")
    assert snapstart.log.count("in the handler") == 5, "logging is set up once, whatever the snapshot holds"


class Echo(BaseHTTPRequestHandler):
    """Answers with the path, after a moment, over a connection that it keeps."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(0.01)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def echo_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.fidelity("snapshot-connections")
def test_connections_of_the_snapshot_are_cut_in_each_environment(
    start: Callable[..., Any], functions: Path, echo_url: str
) -> None:
    template = str(functions / "snapstart" / "template.yaml")
    api = start("start-api", "-p", "0", "-t", template, "--parameter-overrides", f"EchoUrl={echo_url}")
    with ThreadPoolExecutor(3) as clients:
        answers = list(clients.map(lambda word: api.get(f"/connected?word={word}"), "abc"))
    assert [answer.status for answer in answers] == [200] * 3, api.log
    assert [answer.json["wrong"] for answer in answers] == [[], [], []]
    assert len({answer.json["pid"] for answer in answers}) == 3


INIT_S = 60


@pytest.mark.parametrize("requests", [0, 2])
def test_stopping_while_a_snapshot_is_made_takes_no_time(
    start: Callable[..., Any], functions: Path, requests: int
) -> None:
    template = str(functions / "snapstart" / "template.yaml")
    api = start("start-api", "-p", "0", "-t", template, "--parameter-overrides", f"HookedInitSeconds={INIT_S}")
    with ThreadPoolExecutor(2) as clients:
        waiting = [clients.submit(api.get, "/hooked") for _ in range(requests)]
        time.sleep(0.5)
        processes = api.descendants()
        assert api.stop() == 0  # Which is given half of what the snapshot would still take.
        for call in waiting:
            call.exception()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.05)


def test_a_forked_environment_that_ends_costs_its_own_request(snapstart: Any) -> None:
    parent = snapstart.get("/hooked").json["parent"]
    assert snapstart.get("/hooked?exit=1").status == 500
    again = snapstart.get("/hooked").json
    assert again["parent"] == parent
    kill(again["pid"])
    assert snapstart.get("/hooked").status == 200
    timed_out = snapstart.get("/hooked?s=9")
    assert timed_out.status == 500
    assert snapstart.get("/hooked").json["parent"] == parent


@pytest.mark.fidelity("snapshot-process-dies")
def test_a_killed_snapshot_process_is_made_again_and_its_environments_live_on(snapstart: Any) -> None:
    first = snapstart.get("/hooked").json
    with ThreadPoolExecutor(2) as clients:
        busy = clients.submit(snapstart.get, "/hooked?s=0.5")
        time.sleep(0.1)
        os.kill(first["parent"], signal.SIGKILL)
        time.sleep(0.1)
        other = clients.submit(snapstart.get, "/hooked")
    assert busy.result().json["pid"] == first["pid"]
    assert other.result().status == 200
    # The end of an environment whose snapshot process is gone is noticed as well.
    kill(first["pid"])
    with ThreadPoolExecutor(2) as clients:
        statuses = [answer.status for answer in clients.map(lambda _: snapstart.get("/hooked?s=0.2"), range(2))]
    assert statuses == [200, 200]
    new = {snapstart.get("/hooked").json["parent"] for _ in range(3)}
    assert first["parent"] not in new


@pytest.mark.fidelity("threads-before-fork")
def test_threads_alive_at_the_snapshot_are_reported_and_nothing_hangs(snapstart: Any) -> None:
    for _ in range(2):
        answer = snapstart.get("/threaded")
        assert (answer.status, answer.body) == (200, b"42 snap-start")
    wait_for_log(snapstart, "threads are alive after initialisation (MainThread, needed)")


@pytest.mark.fault(24)
@pytest.mark.fidelity("failing-hooks")
def test_fault_24_failing_snapshot_and_failing_restore_are_500(snapstart: Any) -> None:
    for path, message in (("/broken", "ValueError: no snapshot of this"), ("/restore", "OSError: can't be restored")):
        for _ in range(2):
            failed = snapstart.get(path)
            assert (failed.status, failed.body) == (500, INTERNAL_SERVER_ERROR)
        wait_for_log(snapstart, message)
    assert snapstart.get("/hooked").status == 200
    processes = snapstart.descendants()
    assert snapstart.stop() == 0
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.05)


@pytest.mark.fidelity("invoke-pending-version")
def test_a_version_that_is_being_made_is_409_and_one_that_is_restored_is_waited_for(
    start: Callable[..., Any], functions: Path
) -> None:
    template = str(functions / "snapstart" / "template.yaml")
    server = start("start-lambda", "Hooked", "-p", "0", "-t", template, "--parameter-overrides", "HookedInitSeconds=2")
    client = boto3.client("lambda", endpoint_url=server.url, config=Config(retries={"total_max_attempts": 1}))
    name = {"FunctionName": "Hooked"}
    try:
        # The first version is there since the emulator was started, as after a restart.
        restored = client.invoke(**name, Qualifier="live", Payload=b"{}")
        assert restored["ExecutedVersion"] == "1"
        slower = {"Variables": {"INIT_S": "20"}}
        client.update_function_configuration(**name, Environment=slower)
        client.get_waiter("function_updated_v2").wait(**name)
        assert client.publish_version(**name)["Version"] == "2"
        for kind in ("RequestResponse", "Event", "DryRun"):
            with pytest.raises(client.exceptions.ResourceConflictException) as refused:
                client.invoke(**name, Qualifier="2", InvocationType=kind)
            assert refused.value.response["Error"]["Message"].endswith("in the following state: Pending")
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
        assert client.invoke(**name, Qualifier="live", Payload=b"{}")["ExecutedVersion"] == "1"
    finally:
        client.close()
