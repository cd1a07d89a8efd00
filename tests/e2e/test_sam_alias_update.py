"""`peerloan alias set` is followed by a running `sam local start-api`, within the TTL and without a restart."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e import docker
from tests.e2e.answers import send
from tests.e2e.limits import MARGIN_S, TTL_S
from tests.e2e.processes import Bucket

pytestmark = [pytest.mark.sam, pytest.mark.usefixtures("live_version_1")]

EVENT_FILE = Path(__file__).resolve().parents[2] / "events" / "one-record.json"
ONE_RECORD = json.loads(EVENT_FILE.read_text())


@pytest.fixture
def set_live(bucket: Bucket, local_environ: Mapping[str, str]) -> Callable[[int], None]:
    """Return a function that points ``live`` at a version by the command line."""

    def run(version: int) -> None:
        command = [sys.executable, "-m", "peerloan", "--endpoint-url", bucket.url, "alias", "set", "live"]
        subprocess.run([*command, "--version", str(version)], env=local_environ, check=True, capture_output=True)

    return run


def answers_until(url: str, deadline_s: float) -> Iterator[tuple[float, requests.Response]]:
    """Post one record after the other until a moment, and say when each was sent."""
    while (sent_at_s := time.monotonic()) < deadline_s:
        yield sent_at_s, send(url, ONE_RECORD)


@pytest.mark.parametrize("version", [2, 1])
def test_start_api_follows_an_alias_update_within_the_ttl_without_a_restart(
    version: int, sam_api: str, set_live: Callable[[int], None]
) -> None:
    set_live(3 - version)
    time.sleep(TTL_S + MARGIN_S)
    containers = docker.container_ids()
    assert send(sam_api, ONE_RECORD).headers["X-Model-Version"] == str(3 - version)

    set_live(version)
    updated_at_s = time.monotonic()
    answers = list(answers_until(sam_api, updated_at_s + TTL_S + 2 * MARGIN_S))

    assert {answer.status_code for _, answer in answers} == {200}
    late = [answer for sent_at_s, answer in answers if sent_at_s > updated_at_s + TTL_S + MARGIN_S]
    assert late
    assert {answer.headers["X-Model-Version"] for answer in late} == {str(version)}
    assert docker.container_ids() == containers


def test_invoke_follows_an_alias_update(
    set_live: Callable[[int], None], invoke: Callable[[Path], dict[str, Any]]
) -> None:
    set_live(2)
    assert invoke(EVENT_FILE)["headers"]["X-Model-Version"] == "2"
