"""The emulator's own pages and the terminal view of them, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from emulator.cli.admin_pages import AdminPages
from emulator.lambda_service.control_plane.account import AliasRecord
from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.operations import Operations, open_operations
from emulator.lambda_service.data_plane.faults import ADD_DELAY, ERROR, FaultInjector
from emulator.lambda_service.data_plane.ledger import ConcurrencyLedger
from emulator.lambda_service.data_plane.pool import EnvironmentPool
from emulator.lambda_service.data_plane.running_version import utc_now
from emulator.metrics import RequestMeter
from emulator.template.http_api_spec import HttpApi, HttpRoute, HttpStage, IamAuthorizer
from emulator.template.left_out import LeftOut
from emulator.template.project import FunctionSpec, Project
from tests.integration.emulator.lambda_service.environment_rig import Rig, until

Scenario = Callable[["Pages"], Awaitable[None]]
ROUTES = (HttpRoute("GET", "/open", "F"), HttpRoute("ANY", "$default", "F", authorizer=IamAuthorizer()))
LEFT_OUT = LeftOut("Queue", "Type", "AWS::SQS::Queue is not imitated", "no message arrives")
PROJECT = Project({}, (HttpApi("Api", (HttpStage(routes=ROUTES),)),), (), left_out=(LEFT_OUT,))


def open_account(code: Path) -> Operations:
    """Return an account with one function; its alias sends a tenth of the requests to the second of two versions."""
    operations = open_operations(None, ArnScope("eu-west-1", "123456789012"), utc_now)
    for greeting in ("hello", "hi"):
        environment = {"GREETING": greeting}
        spec = FunctionSpec("F", "f", code, "worker.handler", "python3.13", environment=environment, snap_start=False)
        operations.template.update(spec)
        operations.versions.publish(function_name="f")
    routing = {"AdditionalVersionWeights": {"2": 0.1}}
    operations.aliases.create(function_name="f", name="live", function_version="1", routing_config=routing)
    return operations


class Pages:
    """The pages of one real pool, on a real socket."""

    def __init__(self, rig: Rig, operations: Operations) -> None:
        self.rig = rig
        self.operations = operations
        self.ledger = ConcurrencyLedger()
        self.faults = FaultInjector(lambda: 0.0, time.monotonic)
        self.meter = RequestMeter(asyncio.get_running_loop().time, "X-Model-Version")
        self._runner = web.ServerRunner(web.Server(AdminPages(self, self.meter, project=PROJECT).answer))  # type: ignore[arg-type]
        self.url = ""

    def pools(self) -> Iterable[EnvironmentPool]:
        return [self.rig.pool]

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def send(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        async with ClientSession() as session, session.request(method, self.url + path, data=data) as answer:
            body = await answer.read()
            return answer.status, json.loads(body) if body else None


@pytest.fixture
def with_pages(tmp_path: Path, functions: Path) -> Callable[[Scenario], None]:
    """Return a function that runs a scenario with the pages."""

    async def whole(scenario: Scenario) -> None:
        code = (functions / "environments" / "code").resolve()
        rig, operations = Rig(tmp_path, code, snap_start=True), open_account(code)
        pages = Pages(rig, operations)
        await pages.start()
        try:
            await scenario(pages)
        finally:
            await pages.stop()
            await rig.close()
            operations.close()

    return lambda scenario: asyncio.run(whole(scenario))


@pytest.mark.fidelity("status-page")
def test_the_status_tells_of_environments_versions_and_requests(with_pages: Callable[[Scenario], None]) -> None:
    async def scenario(pages: Pages) -> None:
        await asyncio.gather(*(pages.rig.result(act="sleep", s=0.3) for _ in range(2)))
        await pages.rig.result()
        pages.operations.concurrency.put_reserved(function_name="f", reserved_concurrent_executions=7)
        pages.ledger.set_reserved("f", 7)
        pages.ledger.claim("f")
        pages.meter.record("GET /a", 200, 0.01)
        status, document = await pages.send("GET", "/_emulator/status")
        assert status == 200
        (function,) = document["functions"]
        assert (function["function"], function["reserved"], function["inFlight"]) == ("f", 7, 1)
        assert function["throttles"] == 0
        assert function["versions"] == ["$LATEST", "1", "2"]
        assert function["aliases"] == [{"name": "live", "weights": {"1": 0.9, "2": 0.1}}]
        (pool,) = function["environments"]
        assert pool["byState"] == {"starting": 0, "idle": 2, "busy": 0, "reset": 0}
        assert (pool["version"], pool["coldStarts"], pool["warmStarts"], pool["waiting"]) == ("1", 2, 1, 0)
        assert len(pool["memory"]) == 2
        assert all(0 < process["mb"] < 256 for process in pool["memory"])
        assert document["leftOut"] == [
            {"resource": "Queue", "property": "Type", "reason": "AWS::SQS::Queue is not imitated",
             "consequence": "no message arrives"}
        ]  # fmt: skip
        assert document["concurrency"] == {"accountLimit": 1000, "unreserved": 993}
        assert document["requests"]["routes"]["GET /a"]["requests"] == 1
        authorization = {"GET /open": "NONE", "$default": "AWS_IAM"}
        assert document["apis"] == [{"api": "Api", "stage": "$default", "authorization": authorization}]

    with_pages(scenario)


@pytest.mark.fidelity("status-page")
def test_the_status_lists_every_version_and_alias(with_pages: Callable[[Scenario], None]) -> None:
    async def scenario(pages: Pages) -> None:
        catalogue = pages.operations.catalogue
        function = catalogue.account.functions["f"]
        numbers = [str(number) for number in range(1, 121)]
        catalogue.save(
            dataclasses.replace(
                function,
                versions={number: dataclasses.replace(function.versions["1"], version=number) for number in numbers},
                aliases={f"to-{number}": AliasRecord(f"to-{number}", number, "revision") for number in numbers},
            )
        )
        _, document = await pages.send("GET", "/_emulator/status")
        (status,) = document["functions"]
        assert status["versions"] == ["$LATEST", *numbers]
        assert status["aliases"] == [{"name": f"to-{number}", "weights": {number: 1.0}} for number in numbers]

    with_pages(scenario)


@pytest.mark.fidelity("status-page")
def test_the_status_shows_a_deleted_function_until_its_last_request_ends(
    with_pages: Callable[[Scenario], None], tmp_path: Path
) -> None:
    async def scenario(pages: Pages) -> None:
        end = tmp_path / "end"
        busy = asyncio.create_task(pages.rig.result(act="wait", file=str(end)))
        await until(lambda: pages.rig.pool.status().by_state["busy"] == 1)
        pages.operations.functions.delete(function_name="f")
        status, document = await pages.send("GET", "/_emulator/status")
        assert status == 200
        (function,) = document["functions"]
        assert (function["function"], function["versions"], function["aliases"]) == ("f", [], [])
        assert function["environments"][0]["byState"]["busy"] == 1
        code, output, error = await top("--url", pages.url, "--once")
        assert (code, error) == (0, "")
        assert ["f", "1"] in [line.split()[:2] for line in output.splitlines()]
        end.touch()
        await busy

    with_pages(scenario)


@pytest.mark.fidelity("injected-faults")
def test_faults_are_set_shown_and_taken_back(with_pages: Callable[[Scenario], None]) -> None:
    async def scenario(pages: Pages) -> None:
        path = "/_emulator/faults"
        assert await pages.send("GET", path) == (200, {"faults": []})
        delay = {"function": "f", "actionId": ADD_DELAY, "parameters": {"startupDelayMilliseconds": 10}}
        status, document = await pages.send("PUT", path, {"faults": [delay, {"actionId": ERROR}]})
        assert status == 200
        assert [fault["function"] for fault in document["faults"]] == ["f", "*"]
        wrong = {"faults": [{"actionId": "no"}]}
        status, error = await pages.send("PUT", path, wrong)
        assert (status, error["message"][:40]) == (400, "/faults/0/actionId: Input should be 'aws")
        assert (await pages.send("PUT", path, b"{"))[0] == 400
        status, error = await pages.send("PUT", path, b'{"faults":' + b"[" * 100_000)
        assert (status, error) == (400, {"message": "the body must be JSON: it is nested too deeply"})
        assert await pages.send("GET", path) == (200, document), "a wrong document changes nothing"
        assert await pages.send("DELETE", path) == (204, None)
        assert not pages.faults.is_set
        assert (await pages.send("POST", path))[0] == 405
        assert (await pages.send("GET", "/_emulator/nothing"))[0] == 404
        assert (await pages.send("HEAD", path))[0] == 200

    with_pages(scenario)


async def top(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "peerloan", "top", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


@pytest.mark.fidelity("status-page")
def test_top_prints_the_state_once_into_a_pipe(with_pages: Callable[[Scenario], None]) -> None:
    async def scenario(pages: Pages) -> None:
        await pages.rig.result()
        pages.meter.record("GET /a", 503, 0.01)
        pages.meter.record("POST /predict", 200, 0.01, [("x-model-version", "7")])
        pages.faults.replace_all([])
        await pages.send("PUT", "/_emulator/faults", {"faults": [{"actionId": ERROR}]})
        code, output, error = await top("--url", pages.url)
        assert (code, error) == (0, "")
        lines = [line.split() for line in output.splitlines()]
        assert ["GET", "/a", "1", "1"] in [[*line[:2], *line[3:5]] for line in lines]
        assert ["model", "version", "requests/s"] in [line[:3] for line in lines]
        assert ["7", "1", "0"] in [[line[0], *line[2:4]] for line in lines if line]
        assert ["f", "1", "live", "90%", "1", "0", "0", "0", "0", "1", "0"] in [line[:11] for line in lines]
        assert "fault: * aws:lambda:invocation-error (invocationPercentage 100, preventExecution False)" in output
        assert "\x1b" not in output
        code, output, _ = await top("--url", pages.url, "--once", "--json")
        assert (code, json.loads(output)["functions"][0]["function"]) == (0, "f")

    with_pages(scenario)


def test_top_names_an_address_without_a_status_page(local_bucket_url: str) -> None:
    code, output, error = asyncio.run(top("--url", local_bucket_url))
    assert (code, output) == (1, "")
    assert f"No emulator shows its status at {local_bucket_url}/_emulator/status" in error


@pytest.mark.fidelity("status-page")
@pytest.mark.parametrize("key", ["", "q"], ids=["interrupt", "q"])
def test_top_in_a_terminal_keeps_up_until_it_is_ended(with_pages: Callable[[Scenario], None], key: str) -> None:
    async def scenario(pages: Pages) -> None:
        await pages.rig.result()
        ours, theirs = os.openpty()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "peerloan", "top", "--url", pages.url, "--every", "0.1",
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        )  # fmt: skip
        os.close(theirs)
        os.set_blocking(ours, False)
        shown = bytearray()

        def read() -> bool:
            with contextlib.suppress(OSError):  # Nothing new, or the other side has ended.
                shown.extend(os.read(ours, 65_536))
            return True

        try:
            await until(lambda: read() and b"live 90%" in shown)
            assert "…" not in shown.decode(errors="replace"), "80 columns are enough"
            pages.meter.record("GET /later", 200, 0.01)
            await until(lambda: read() and b"GET /later" in shown)
            if key:
                os.write(ours, b"x" + key.encode())
            else:
                process.send_signal(signal.SIGINT)
            # Read all the while: nobody can end amid writing to a terminal that is full.
            await until(lambda: read() and process.returncode is not None)
            assert process.returncode == 0
            assert read()
            assert b"\x1b[?1049l" in shown
        finally:
            os.close(ours)
            if process.returncode is None:
                process.kill()
                await process.wait()

    with_pages(scenario)


def test_top_says_where_nothing_answers() -> None:
    code, output, error = asyncio.run(top("--url", "http://127.0.0.1:9", "--once"))
    assert (code, output) == (1, "")
    assert "Nothing answers at http://127.0.0.1:9" in error
