"""Requests that the guard refuses because a foreign web page may have sent them."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from emulator.browser_guard import BrowserGuard

pytestmark = pytest.mark.fidelity("web-pages-refused")
GUARD = BrowserGuard(["my-machine", "Host.Docker.Internal"])


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:3001", "LOCALHOST.:3001", "models.localhost:9000", "127.0.0.1", "127.0.0.1:3001",
        "192.168.1.20:9000", "[::1]", "[::1]:9000", "my-machine:3001", "host.docker.internal:9000",
        "models.host.docker.internal:9000",
    ],
)  # fmt: skip
def test_addresses_of_this_machine_pass(host: str) -> None:
    assert GUARD.find_refusal(CIMultiDict(host=host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:3001", "127.0.0.1.evil.example", "localhost.evil.example", "notlocalhost:3001",
        "my-machine.evil.example", "", ":3001", "[::1", "127.0.0.1, evil.example",
    ],
)  # fmt: skip
def test_other_names_are_refused_with_what_to_do(host: str) -> None:
    refusal = GUARD.find_refusal(CIMultiDict(host=host))
    assert refusal is not None
    assert repr(host) in refusal
    assert "--allow-host" in refusal


def test_a_client_without_host_is_not_a_browser() -> None:
    assert GUARD.find_refusal(CIMultiDict()) is None


@pytest.mark.parametrize("origin", ["http://localhost:3001", "http://LOCALHOST:3001", "https://localhost:3001"])
def test_the_emulators_own_pages_pass(origin: str) -> None:
    assert GUARD.find_refusal(CIMultiDict(host="localhost:3001", origin=origin)) is None


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://localhost", "http://localhost:8080", "http://127.0.0.1:3001"]
)
def test_other_origins_are_refused(origin: str) -> None:
    assert GUARD.find_refusal(CIMultiDict(host="localhost:3001", origin=origin)) is not None
