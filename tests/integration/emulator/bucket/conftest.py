"""The servers that the bucket's contract suite runs against: ours as a process, and moto's in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tests.integration.emulator.bucket.endpoint import Endpoint


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out moto's run of each case that moto is known to get wrong."""
    wrong = [item for item in items if item.get_closest_marker("moto_is_wrong") and _server(item) == "moto"]
    config.hook.pytest_deselected(items=wrong)
    items[:] = [item for item in items if item not in set(wrong)]


def _server(item: pytest.Item) -> Any:
    return item.callspec.params.get("endpoint") if hasattr(item, "callspec") else None


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module", params=["ours", "moto"])
def endpoint(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    is_ours = request.param == "ours"
    endpoint = Endpoint(request.getfixturevalue("local_bucket_url" if is_ours else "moto_url"), is_checked=is_ours)
    yield endpoint
    endpoint.close()


@pytest.fixture
def s3(endpoint: Endpoint) -> Any:
    """A boto3 client; our answers are checked against botocore's model."""
    return endpoint.client()


@pytest.fixture
def bucket(endpoint: Endpoint) -> str:
    """The name of a new bucket."""
    return endpoint.new_bucket()
