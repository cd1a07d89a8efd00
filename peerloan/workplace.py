"""A command's surroundings: the project's folders, the bucket, the running stack's addresses and the user's name."""

from __future__ import annotations

import fcntl
import json
import os
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from emulator.durable_files import lock_folder
from model_registry.candidate import Inspection, Inspector
from model_registry.errors import CandidateRefusedError
from model_registry.manifest import Manifest
from model_registry.names import DEFAULT_MODEL
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from model_registry.writer import RegistryWriter
from peerloan.errors import UsageError
from peerloan.files import write_whole

if TYPE_CHECKING:
    from model_artifact.opening.signature import Signer
    from model_rollout.controller import Controller
    from model_rollout.rollout_store import RolloutStore
    from peerloan.keyring import Keyring

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_BUCKET = "peerloan-models"
DEFAULT_LOG_BUCKET = "peerloan-logs"
DEFAULT_KEY = "local"
DEFAULT_BUCKET_PORT = 9000
DEFAULT_API_PORT = 3000
DEFAULT_LAMBDA_PORT = 3001
_LOCK_NAME = "running.lock"
_DATA_NAME = "data.json"
_DATA_VARIABLE = "PEERLOAN_DATA"


def _inspect(pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
    # Imported here: most commands inspect nothing.
    from model_artifact.opening.inspection import inspect_candidate

    return inspect_candidate(pickle, probe_records)


@dataclass(frozen=True)
class Workplace:
    """Everything from outside that a command uses: environment, clock, identifiers, bucket and folders.

    ``endpoint_url`` is where the bucket is, None for AWS. ``state_dir`` holds the local stack's bucket, keys and notes.
    ``key`` is the name of the key that signs what is published; None leaves it unsigned. ``log_bucket`` holds the
    prediction log; None if it isn't known.
    """

    environ: Mapping[str, str]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    who: str
    bucket: str = DEFAULT_BUCKET
    endpoint_url: str | None = None
    model: str = DEFAULT_MODEL
    state_dir: Path = PROJECT / ".peerloan"
    inspect: Inspector = _inspect
    key: str | None = DEFAULT_KEY
    log_bucket: str | None = None

    def at(
        self,
        *,
        bucket: str | None,
        endpoint_url: str | None,
        model: str,
        state_dir: Path | None,
        log_bucket: str | None = None,
    ) -> Workplace:
        """Return the workplace that a command's options and the environment ask for.

        A bucket without an endpoint is on AWS. Without both, the local stack's bucket is used. Then ``PEERLOAN_DATA``,
        unless it is set, has the value that the stack was started with. At an endpoint the log's bucket has the local
        stack's name unless another is given; on AWS it has no default.

        Raises
        ------
        UsageError
            If the endpoint isn't an address.
        """
        state_dir = Path(state_dir or self.environ.get("PEERLOAN_STATE_DIR") or self.state_dir).resolve()
        bucket = bucket or self.environ.get("MODEL_BUCKET")
        endpoint_url = endpoint_url or self.environ.get("AWS_ENDPOINT_URL_S3")
        if endpoint_url:
            check_url(endpoint_url, "--endpoint-url or AWS_ENDPOINT_URL_S3")
        environ = self.environ
        if not bucket and not endpoint_url:
            remembered = _remembered_data(state_dir)
            environ = ChainMap(environ, remembered) if remembered else environ  # type: ignore[arg-type]
            running = read_running(state_dir)
            endpoint_url = running.get("bucket_url") or f"http://127.0.0.1:{DEFAULT_BUCKET_PORT}"
        return replace(
            self,
            environ=environ,
            bucket=bucket or DEFAULT_BUCKET,
            endpoint_url=endpoint_url,
            model=model,
            state_dir=state_dir,
            log_bucket=log_bucket
            or self.environ.get("LOG_BUCKET")
            or (DEFAULT_LOG_BUCKET if endpoint_url is not None else None),
        )

    def api_url(self, url: str | None = None) -> str:
        """Return where the API answers: ``url`` if that is an address, else the local stack's or the default one."""
        if url is not None:
            return check_url(url, "--url")
        return read_running(self.state_dir).get("api_url") or f"http://127.0.0.1:{DEFAULT_API_PORT}"

    def lambda_url(self) -> str:
        """Return where Lambda answers: the running local stack's, else the default address."""
        return read_running(self.state_dir).get("lambda_url") or f"http://127.0.0.1:{DEFAULT_LAMBDA_PORT}"

    def writer(self) -> RegistryWriter:
        """Return a writer on the bucket."""
        return RegistryWriter(
            self._store(),
            self.model,
            clock=self.clock,
            who=self.who,
            new_id=self.new_id,
            inspect=self.inspect,
            sign=self._sign,
        )

    def keyring(self) -> Keyring:
        """Return the publishers' keys."""
        from peerloan.keyring import Keyring

        return Keyring(self.state_dir / "keys")

    def find_signer(self) -> Signer | None:
        """Return the publisher's key, None for ``--unsigned`` or before a first key was made.

        Raises ``UsageError`` if another key was asked for and isn't there.
        """
        signer = None if self.key is None else self.keyring().find_signer(self.key)
        if signer is None and self.key not in (None, DEFAULT_KEY):
            raise UsageError(f"The key {self.key!r} doesn't exist. Make it: peerloan keys new {self.key}")
        return signer

    def _sign(self, manifest: Manifest) -> Manifest:
        """Return the manifest with the signature of ``key``; without such a key, as it is if arrays serve."""
        signer = self.find_signer()
        if signer is not None:
            return signer.sign(manifest)
        if self.key is not None and manifest.serving_form is None:
            raise CandidateRefusedError(
                "The model can't be served from arrays, and its pickle needs a signature. Make a key: "
                "peerloan keys new. Or publish it with --unsigned; then no function serves it."
            )
        return manifest

    def reader(self) -> RegistryReader:
        """Return a reader on the bucket."""
        return RegistryReader(self._store(), self.model)

    def log_store(self) -> ObjectStore:
        """Return the bucket of the prediction log; raise ``UsageError`` if its name isn't known."""
        if self.log_bucket is None:
            raise UsageError(
                "The prediction log's bucket isn't known. Name it with --log-bucket or LOG_BUCKET: it is the stack's "
                "output LogBucket."
            )
        return self._store(self.log_bucket)

    def rollouts(self) -> RolloutStore:
        """Return the rollouts in the bucket."""
        from model_rollout.rollout_store import RolloutStore

        return RolloutStore(self._store(), self.model, new_id=self.new_id)

    def rollout_controller(self) -> Controller:
        """Return a controller of rollouts. It needs the prediction log once it judges."""
        # Imported here: the guards bring NumPy.
        from model_rollout.controller import Controller
        from model_rollout.log_evidence import LogEvidence
        from model_watch.log_reader import LogReader

        evidence = LogEvidence(lambda: LogReader(self.log_store()))
        return Controller(self.rollouts(), self.writer(), evidence, clock=self.clock)

    def _store(self, bucket: str | None = None) -> ObjectStore:
        from model_registry.stores.s3 import S3Store

        return S3Store(bucket or self.bucket, self._client)

    @cached_property
    def _client(self) -> Any:
        # Imported here: botocore takes longer than what most commands do, and some need no bucket.
        from model_registry.stores.s3 import make_s3_client

        return make_s3_client(self.endpoint_url)


def check_url(url: str, source: str) -> str:
    """Return the URL unchanged; raise ``UsageError``, which names its source, if it isn't an HTTP address."""
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise UsageError(f"{url!r} ({source}) isn't an address; write it as http://HOST:PORT.")
    return url


def is_local(url: str) -> bool:
    """Return whether an address is this machine's own."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def running_file(state_dir: Path) -> Path:
    """Return the file that says where a running local stack listens."""
    return state_dir / "running.json"


def read_running(state_dir: Path) -> dict[str, Any]:
    """Return the addresses of the running local stack; empty if no stack runs or running.json can't be read.

    A stack that was killed leaves running.json behind, but not its lock: the system releases that when a process ends.
    """
    try:
        document = json.loads(running_file(state_dir).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) and is_locked(state_dir) else {}


def try_lock(state_dir: Path) -> IO[bytes] | None:
    """Lock a stack's folder until the returned file is closed or the process ends. None if another stack runs."""
    return lock_folder(state_dir, _LOCK_NAME)


def is_locked(state_dir: Path) -> bool:
    """Return whether a stack of this folder runs."""
    try:
        with (state_dir / _LOCK_NAME).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def remember_data(state_dir: Path, environ: Mapping[str, str]) -> None:
    """Keep what ``PEERLOAN_DATA`` names, with absolute paths, for later commands on the same stack."""
    if paths := environ.get(_DATA_VARIABLE):
        absolute = os.pathsep.join(str(Path(path).resolve()) for path in paths.split(os.pathsep) if path)
        write_whole(state_dir / _DATA_NAME, json.dumps({_DATA_VARIABLE: absolute}).encode())


def _remembered_data(state_dir: Path) -> dict[str, str]:
    try:
        paths = json.loads((state_dir / _DATA_NAME).read_text(encoding="utf-8"))[_DATA_VARIABLE]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {_DATA_VARIABLE: paths} if isinstance(paths, str) else {}
