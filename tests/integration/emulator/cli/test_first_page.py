"""The emulator's first page: what the server sends, and what a browser makes of it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.fidelity("first-page")
CHROMIUM = shutil.which("chromium")
HOSTILE = "<img src=x onerror=document.title='broken'>"


@pytest.fixture(scope="module")
def api(start_for_module: Callable[..., Any], functions: Path) -> Any:
    template = str(functions / "control" / "template.yaml")
    return start_for_module("start-api", "-t", template, "-p", "0", "--lambda-port", "0", "--count-header", "x-text")


@pytest.fixture
def lambda_api(api: Any) -> Any:
    _, url = re.findall(r" \* Running on (\S+)", api.log)
    return dataclasses.replace(api, url=url)


class Text(HTMLParser):
    """Collects the texts of a page, but not its script and its style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._hidden += tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.words.append(data.strip())


def shown(url: str) -> list[str]:
    """Return the texts that a browser shows once the page has asked for the figures."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return Text(done.stdout).words


def test_both_ports_have_it_with_a_policy_that_allows_its_own_script_alone(api: Any, lambda_api: Any) -> None:
    for port in (api, lambda_api):
        answer = port.get("/_emulator/")
        assert (answer.status, answer.header("Content-Type")) == (200, "text/html; charset=utf-8")
        policy = dict(part.split(" ", 1) for part in answer.header("Content-Security-Policy").split("; "))
        assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")
        for directive, tag in (("script-src", "script"), ("style-src", "style")):
            (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", answer.body.decode(), re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert policy[directive] == f"'sha256-{digest}'"
        assert (answer.header("X-Content-Type-Options"), answer.header("Referrer-Policy")) == ("nosniff", "no-referrer")
        assert b"http://" not in answer.body, "nothing comes from elsewhere"
        assert b"https://" not in answer.body
        assert port.get("/_emulator/", Host="evil.example").status == 403
        assert port.get("/_emulator/", "POST").status == 405


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_shows_requests_functions_environments_and_faults(api: Any) -> None:
    assert api.get("/published").status == 200
    assert api.get("/nothing").status == 404
    fault = b'{"faults": [{"function": "%s", "actionId": "aws:lambda:invocation-error"}]}' % HOSTILE.encode()
    assert api.get("/_emulator/faults", "PUT", fault).status == 200
    words = shown(f"{api.url}/_emulator/")
    assert "Live" in words
    assert words[0] == "Emulator", "the title, too, which the fault's text would change if it ran"
    assert {"GET /published", "no route", "Published", "Published 1", "live 100 %"} <= set(words)
    assert {"/aws/lambda/Published", "Left out of the template"} <= set(words)
    assert any("REPORT RequestId" in word for word in words), "the log's last lines"
    assert any(word.startswith(f"Fault: {HOSTILE} ") for word in words), "text is shown as text"
