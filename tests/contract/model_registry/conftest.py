"""The stores that one contract suite runs against: in memory, moto in-process, and the local bucket over HTTP."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
from moto import mock_aws

from model_registry.stores.base import ObjectStore
from model_registry.stores.memory import InMemoryStore
from model_registry.stores.s3 import S3Store, make_s3_client

_numbers = itertools.count(1)


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
            yield S3Store(bucket, client)
    else:
        client = make_s3_client(request.getfixturevalue("local_bucket_url"))
        client.create_bucket(Bucket=bucket)
        yield S3Store(bucket, client)
        client.close()
