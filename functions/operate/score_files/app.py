"""Builds the function: the only place that makes clients and clocks and reads the environment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from model_artifact.loading import LoadedModel, load_version
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from score_files.errors import RefusedError
from score_files.file_scoring import FileScoring, Models
from score_files.settings import Settings

# A part has 8 MiB, and a range as many.
_READ_TIMEOUT_S = 60.0


def build(
    settings: Settings,
    models: ObjectStore,
    client: Any,
    store: Callable[[str], ObjectStore],
    *,
    clock: Callable[[], float],
    write: Callable[[str], None],
) -> FileScoring:
    """Put the function together.

    Parameters
    ----------
    settings : Settings
        The model and its alias.
    models : ObjectStore
        The bucket of the models.
    client : botocore's client of S3
        For the files.
    store : callable
        Returns the bucket of a name, which has files.
    clock : callable
        Returns seconds that only count up.
    write : callable
        Takes a line of the function's log.
    """
    reader = RegistryReader(models, settings.model)

    def load(version: int) -> LoadedModel:
        if reader.get_manifest(version).serving_form is None:
            raise RefusedError(
                f"Version {version} is served from its pickle, and this function serves arrays only. Score the file by "
                "peerloan score, or publish a version that has arrays."
            )
        return load_version(reader, version, settings.trust)

    def current() -> int:
        return reader.get_alias(settings.alias).alias.version

    return FileScoring(Models(settings.model, current, load), client, store, clock=clock, write=write)


def build_for_lambda() -> FileScoring:
    """Build the function from the process's environment; ``Settings.from_environ`` names the variables."""
    settings = Settings.from_environ(os.environ)
    # Imported here: tests may bring a store of their own.
    from model_registry.stores.s3 import S3Store, make_s3_client

    client = make_s3_client(settings.s3_endpoint_url, read_timeout_s=_READ_TIMEOUT_S)
    models = S3Store(settings.bucket, client)
    return build(settings, models, client, lambda name: S3Store(name, client), clock=time.monotonic, write=_write)


def _write(line: str) -> None:
    print(line, flush=True)  # noqa: T201
