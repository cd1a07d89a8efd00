"""A bucket of files for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.score_files.files_kit import Bucket


@pytest.fixture
def bucket(local_bucket_url: str) -> Iterator[Bucket]:
    bucket = Bucket(local_bucket_url)
    yield bucket
    bucket.client.close()
