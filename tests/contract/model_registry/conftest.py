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


@pytest.fixture(params=["memory", "moto", "local-bucket"])
def store(request: pytest.FixtureRequest, aws_environment: None) -> Iterator[ObjectStore]:
    """An empty store of each kind."""
    bucket = f"contract-{os.getpid()}-{next(_numbers)}"
    if request.param == "memory":
        yield InMemoryStore()
    elif request.param == "moto":
        with mock_aws():
            client = make_s3_client()
            client.create_bucket(Bucket=bucket)
            yield S3Store(bucket, OneAtATime(client))
    else:
        client = make_s3_client(request.getfixturevalue("local_bucket_url"))
        client.create_bucket(Bucket=bucket)
        yield S3Store(bucket, client)
        client.close()
