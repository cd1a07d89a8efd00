"""Where a command works: the project's folders, the bucket that it talks to, and who it says it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from model_artifact.opening.inspection import inspect_in_child
from model_registry.candidate import Inspector
from model_registry.names import DEFAULT_MODEL
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from model_registry.writer import RegistryWriter
from peerloan.errors import UsageError

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_BUCKET = "peerloan-models"
DEFAULT_BUCKET_PORT = 9000
DEFAULT_API_PORT = 3000
DEFAULT_LAMBDA_PORT = 3001


@dataclass(frozen=True)
class Workplace:
    """What commands are given instead of looking around for themselves.

    ``endpoint_url`` is where the bucket is, None for AWS. ``state_dir`` holds the local stack's bucket and notes.
    """

    environ: Mapping[str, str]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    who: str
    bucket: str = DEFAULT_BUCKET
    endpoint_url: str | None = None
    model: str = DEFAULT_MODEL
    state_dir: Path = PROJECT / ".peerloan"
    inspect: Inspector = inspect_in_child

    def at(self, *, bucket: str | None, endpoint_url: str | None, model: str, state_dir: Path | None) -> Workplace:
        """Return the workplace that a command's options and the environment ask for.

        A bucket that is named and has no endpoint is on AWS. With neither it is the local stack's.

        Raises
        ------
        UsageError
            If the endpoint is no address.
        """
        state_dir = Path(state_dir or self.environ.get("PEERLOAN_STATE_DIR") or self.state_dir).resolve()
        bucket = bucket or self.environ.get("MODEL_BUCKET")
        endpoint_url = endpoint_url or self.environ.get("AWS_ENDPOINT_URL_S3")
        if endpoint_url:
            check_url(endpoint_url, "--endpoint-url or AWS_ENDPOINT_URL_S3")
        if not bucket and not endpoint_url:
            running = read_running(state_dir)
            endpoint_url = running.get("bucket_url") or f"http://127.0.0.1:{DEFAULT_BUCKET_PORT}"
        return replace(
            self, bucket=bucket or DEFAULT_BUCKET, endpoint_url=endpoint_url, model=model, state_dir=state_dir
        )

    def api_url(self) -> str:
        """Return where the API answers: the running local stack's, else the default address."""
        return read_running(self.state_dir).get("api_url") or f"http://127.0.0.1:{DEFAULT_API_PORT}"

    def lambda_url(self) -> str:
        """Return where Lambda answers: the running local stack's, else the default address."""
        return read_running(self.state_dir).get("lambda_url") or f"http://127.0.0.1:{DEFAULT_LAMBDA_PORT}"

    def writer(self) -> RegistryWriter:
        """Return a writer on the bucket."""
        return RegistryWriter(
            self._store(), self.model, clock=self.clock, who=self.who, new_id=self.new_id, inspect=self.inspect
        )

    def reader(self) -> RegistryReader:
        """Return a reader on the bucket."""
        return RegistryReader(self._store(), self.model)

    def _store(self) -> ObjectStore:
        # Imported here: botocore takes longer than what most commands do, and some need no bucket.
        from model_registry.stores.s3 import S3Store, make_s3_client

        return S3Store(self.bucket, make_s3_client(self.endpoint_url))


def check_url(url: str, said_by: str) -> str:
    """Return an address of HTTP as it is; raise ``UsageError`` if it is none."""
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise UsageError(f"{url!r} ({said_by}) is no address; write it as http://HOST:PORT.")
    return url


def is_local(url: str) -> bool:
    """Return whether an address is this machine's own."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def running_file(state_dir: Path) -> Path:
    """Return the file that says where a running local stack listens."""
    return state_dir / "running.json"


def read_running(state_dir: Path) -> dict[str, Any]:
    """Return where a running local stack listens; empty if none does, or its note can't be read.

    A stack that was killed leaves its note behind: one whose process is gone does not count.
    """
    try:
        document = json.loads(running_file(state_dir).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) and _is_alive(document.get("pid")) else {}


def _is_alive(pid: object) -> bool:
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)  # Sends nothing; asks whether there is somebody to send it to.
    except PermissionError:  # Somebody else's process is one, too.
        return True
    except (OSError, OverflowError):
        return False
    return True
