"""The stores that one contract suite runs against: in memory, moto in-process, and the local bucket over HTTP."""

from __future__ import annotations

import io
import itertools
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from memory_store import InMemoryStore
from model_registry.stores.base import ObjectStore
from model_registry.stores.s3 import S3Store, make_s3_client

_numbers = itertools.count(1)


class OneAtATime:
    """A client whose calls wait for each other: moto's objects in one process are not safe between threads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def locked(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                answer = call(*args, **kwargs)
                if "Body" in answer:
                    # The body is read within the lock too: it is the object's own buffer.
                    answer["Body"] = io.BytesIO(answer["Body"].read())
                return answer

        return locked if name.endswith("_object") else call


@pytest.fixture(scope="session")
def moto_client() -> Any:
    """A client of moto's S3. Making one takes longer than most of the tests do."""
    with mock_aws():
        return make_s3_client(region="us-east-1")


@pytest.fixture(scope="session")
def bucket_client(local_bucket_url: str) -> Iterator[Any]:
    """A client of the local bucket."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        client = make_s3_client(local_bucket_url, region="us-east-1")
    yield client
    client.close()


@pytest.fixture(params=["memory", "moto", "local-bucket"])
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    """An empty store of each kind."""
    bucket = f"contract-{os.getpid()}-{next(_numbers)}"
    if request.param == "memory":
        yield InMemoryStore()
    elif request.param == "moto":
        with mock_aws():
            client = request.getfixturevalue("moto_client")
            client.create_bucket(Bucket=bucket)
            yield S3Store(bucket, OneAtATime(client))
    else:
        client = request.getfixturevalue("bucket_client")
        client.create_bucket(Bucket=bucket)
        yield S3Store(bucket, client)
