"""Requests that a web page in the developer's browser could send to the emulator's ports."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.fidelity("web-pages-refused")
EVIL = {"Host": "evil.example"}
CROSS = {"Origin": "http://evil.example"}
INVOKE = "/2015-03-31/functions/Basic/invocations"
CODE = "/2015-03-31/functions/Basic/code"


@pytest.fixture(scope="module")
def api(start_for_module: Callable[..., Any], functions: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The HTTP API; `lambda_api` and `bucket` are its neighbours."""
    return start_for_module(
        "-p", "0", "--lambda-port", "0", "--bucket-port", "0", "--allow-host", "box.example", "--data-dir",
        str(tmp_path_factory.mktemp("data")), "-t", str(functions / "basic" / "template.yaml"),
    )  # fmt: skip


@pytest.fixture
def lambda_api(api: Any) -> Any:
    _, url = re.findall(r" \* Running on (\S+)", api.log)
    return dataclasses.replace(api, url=url)


@pytest.fixture
def bucket(api: Any) -> Any:
    (url,) = re.findall(r"Bucket running on (\S+)", api.log)
    return dataclasses.replace(api, url=url)


@pytest.mark.parametrize("headers", [EVIL, CROSS, {"Origin": "null"}, {**EVIL, "Origin": "http://evil.example"}])
@pytest.mark.parametrize(("method", "path"), [("POST", INVOKE), ("PUT", CODE), ("GET", "/2015-03-31/functions/")])
def test_lambdas_api_refuses_web_pages(lambda_api: Any, headers: dict[str, str], method: str, path: str) -> None:
    answer = lambda_api.get(path, method, b"{}", **headers)
    assert (answer.status, answer.header("X-Amzn-ErrorType")) == (403, "AccessDeniedException")
    assert "evil.example" in answer.json["Message"] or "null" in answer.json["Message"]


@pytest.mark.parametrize("headers", [EVIL, CROSS])
@pytest.mark.parametrize(("method", "path"), [("PUT", "/basic-store/key"), ("GET", "/"), ("POST", "/basic-store")])
def test_the_bucket_refuses_web_pages(bucket: Any, headers: dict[str, str], method: str, path: str) -> None:
    answer = bucket.get(path, method, b"", **headers)
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.body


@pytest.mark.parametrize("headers", [EVIL, CROSS])
@pytest.mark.parametrize("path", ["/_emulator/object-events", "/_emulator/reset"])
def test_the_buckets_own_pages_are_refused(bucket: Any, headers: dict[str, str], path: str) -> None:
    assert bucket.get(path, "POST", b'{"buckets": ["basic-store"]}', **headers).status == 403


@pytest.mark.parametrize("headers", [EVIL, CROSS])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/_emulator/status"), ("DELETE", "/_emulator/faults"), ("POST", "/_emulator/reset"),
     ("POST", "/_emulator/fire"), ("GET", "/_emulator/logs?group=a")],
)  # fmt: skip
def test_the_emulators_own_pages_are_refused_on_both_ports(
    api: Any, lambda_api: Any, headers: dict[str, str], method: str, path: str
) -> None:
    for port in (api, lambda_api):
        assert port.get(path, method, **headers).status == 403


def test_the_http_api_answers_web_pages_of_other_origins(api: Any) -> None:
    answer = api.get("/do", **EVIL, **CROSS)
    assert answer.status == 200
    assert json.loads(answer.body)["pid"] > 0


def test_names_of_this_machine_are_allowed(api: Any, lambda_api: Any, bucket: Any) -> None:
    for name in ("localhost", "box.example:1234", "[::1]:3001", "10.1.2.3"):
        assert lambda_api.get(INVOKE, "POST", b"{}", Host=name).status == 200
        assert lambda_api.get("/_emulator/status", Host=name, Origin=f"http://{name}").status == 200
        assert api.get("/_emulator/status", Host=name).status == 200
        assert bucket.get("/basic-store", Host=name).status == 200
    assert bucket.get("/", Host="basic-store.localhost:9000").status == 200
