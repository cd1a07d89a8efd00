"""A bucket in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.emulator.bucket.asked_bucket import Bucket


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    with asyncio.Runner() as runner:
        made = Bucket(tmp_path, runner)
        made.create("bkt")
        yield made
        made.store.close()
