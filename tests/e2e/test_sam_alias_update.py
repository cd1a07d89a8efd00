"""`peerloan alias set` is followed by a running `sam local start-api` within the TTL, and nothing is restarted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests

from tests.contract.predict_api.api_kit import Registry
from tests.e2e import docker
from tests.e2e.answers import send
from tests.e2e.limits import MARGIN_S, TTL_S
from tests.e2e.processes import Bucket

pytestmark = [pytest.mark.sam, pytest.mark.usefixtures("live_version_1")]

ONE_RECORD = json.loads((Path(__file__).resolve().parents[2] / "events/one-record.json").read_text())


def answers_until(url: str, deadline_s: float) -> Iterator[tuple[float, requests.Response]]:
    """Post one record after the other until a moment, and say when each was sent."""
    while (sent_at_s := time.monotonic()) < deadline_s:
        yield sent_at_s, send(url, ONE_RECORD)


@pytest.mark.parametrize("version", [2, 1])
def test_an_alias_update_is_followed_within_the_ttl_without_a_restart(
    version: int, sam_api: str, registry: Registry, bucket: Bucket, local_environ: Mapping[str, str]
) -> None:
    registry.writer.assign("live", 3 - version, reason="the other one first")
    time.sleep(TTL_S + MARGIN_S)
    containers = docker.container_ids()
    assert send(sam_api, ONE_RECORD).headers["X-Model-Version"] == str(3 - version)

    command = [sys.executable, "-m", "peerloan", "--endpoint-url", bucket.url, "alias", "set", "live"]
    subprocess.run([*command, "--version", str(version)], env=local_environ, check=True, capture_output=True)
    updated_at_s = time.monotonic()
    answers = list(answers_until(sam_api, updated_at_s + TTL_S + 2 * MARGIN_S))

    assert {answer.status_code for _, answer in answers} == {200}
    late = [answer for sent_at_s, answer in answers if sent_at_s > updated_at_s + TTL_S + MARGIN_S]
    assert late
    assert {answer.headers["X-Model-Version"] for answer in late} == {str(version)}
    assert docker.container_ids() == containers
