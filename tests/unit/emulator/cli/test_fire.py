"""How `fire` finds the emulator, and what it says if it finds none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from emulator.cli import fire
from emulator.cli.flags import parse
from emulator.template.errors import ProjectError


@contextmanager
def server(status: int, answer: str, asked: list[Any] | None = None) -> Iterator[str]:
    """Answer each request in the same way; note the documents that were posted."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if asked is not None:
                asked.append((self.path, document))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=http_server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http_server.server_port}"
    finally:
        http_server.shutdown()
        thread.join()
        http_server.server_close()


def test_another_server_on_the_port_of_the_api_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    fired = json.dumps({"fired": [{"function": "F", "requestId": "id"}]})
    with server(404, "<html>") as page, server(403, '{"message": "no"}') as other, server(200, fired, asked) as mine:
        monkeypatch.setattr(fire, "_URLS", (page, other, mine))
        assert fire.fire(parse(["fire", "FUp", "--key", "in/a", "--bucket", "b"])) == ["F: event id is queued"]
    assert asked == [("/_emulator/fire", {"name": "FUp", "key": "in/a", "bucket": "b", "event": None})]


def test_the_event_is_that_of_the_file(tmp_path: Path) -> None:
    asked: list[Any] = []
    event = tmp_path / "event.json"
    event.write_text('{"a": 1}')
    with server(200, '{"fired": []}', asked) as url:
        assert fire.fire(parse(["fire", "R", "-e", str(event), "--url", f"{url}/"])) == []
    assert asked[0][1]["event"] == '{"a": 1}'


def test_a_refusal_is_passed_on() -> None:
    refusal = json.dumps({"message": "'R' isn't a schedule", "fired": []})
    with server(400, refusal) as url, pytest.raises(ProjectError, match="isn't a schedule"):
        fire.fire(parse(["fire", "R", "--url", url]))


def test_no_emulator_is_said() -> None:
    with server(200, "[]") as url, pytest.raises(ProjectError, match=f"no emulator answers at {url}: start one"):
        fire.fire(parse(["fire", "R", "--url", url]))
    for unanswered in (url, "no-url", "http://127.0.0.1:port"):
        with pytest.raises(ProjectError, match="no emulator answers at"):
            fire.fire(parse(["fire", "R", "--url", unanswered]))
