"""A command's surroundings: the project's folders, the bucket, the running stack's addresses and the user's name."""

from __future__ import annotations

import json
import os
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from model_registry.errors import CandidateRefusedError
from model_registry.names import DEFAULT_MODEL
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from peerloan.errors import StackNotRunningError, UsageError
from peerloan.files import write_whole
from peerloan.running_stack import read_running

if TYPE_CHECKING:
    from model_artifact.opening.signature import Signer
    from model_monitor.joined.outcome_store import OutcomeStore
    from model_monitor.report import MonitorReport
    from model_monitor.settings import MonitorSettings
    from model_registry.candidate import Inspection, Inspector
    from model_registry.manifest import Manifest
    from model_registry.writer import RegistryWriter
    from model_rollout.controller import Controller
    from model_rollout.rollout_store import RolloutStore
    from peerloan.keyring import Keyring
    from peerloan.retraining.document import RetrainingStore

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_BUCKET = "peerloan-models"
DEFAULT_LOG_BUCKET = "peerloan-logs"
DEFAULT_FILES_BUCKET = "peerloan-files"
DEFAULT_KEY = "local"
DEFAULT_BUCKET_PORT = 9000
DEFAULT_API_PORT = 3000
DEFAULT_LAMBDA_PORT = 3001
# What a request to the local stack is signed with, as boto3's clients take it. The local bucket and the local Lambda
# take any credentials, but botocore wants to sign with some, and for some region.
LOCAL_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
_DATA_NAME = "data.json"
DATA_VARIABLE = "PEERLOAN_DATA"


def _inspect(pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
    # Imported here: most commands inspect nothing.
    from model_artifact.opening.inspection import inspect_candidate

    return inspect_candidate(pickle, probe_records)


@dataclass(frozen=True)
class Workplace:
    """Everything from outside that a command uses: environment, clock, identifiers, bucket and folders.

    ``endpoint_url`` is where the bucket is, None for AWS. ``needs_stack`` is true if the local stack's bucket is meant
    and no stack runs: another folder's stack may listen at the default port. ``state_dir`` holds the local stack's
    bucket, keys and notes. ``key`` is the name of the key that signs what is published; None leaves it unsigned.
    ``log_bucket`` holds the prediction log; None if it isn't known.
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
    needs_stack: bool = False

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
        needs_stack = False
        if not bucket and not endpoint_url:
            remembered = _remembered_data(state_dir)
            environ = ChainMap(environ, remembered) if remembered else environ  # type: ignore[arg-type]
            endpoint_url = read_running(state_dir).get("bucket_url")
            needs_stack = endpoint_url is None
            endpoint_url = endpoint_url or f"http://127.0.0.1:{DEFAULT_BUCKET_PORT}"
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
            needs_stack=needs_stack,
        )

    def api_url(self, url: str | None = None) -> str:
        """Return where the API answers: ``url`` if that is an address, else the local stack's.

        A stack without an API is the bucket for `sam local`, which has the default port.

        Raises
        ------
        StackNotRunningError
            If no address is given and no stack runs.
        """
        if url is not None:
            return check_url(url, "--url")
        return self._running("name the API with --url").get("api_url") or f"http://127.0.0.1:{DEFAULT_API_PORT}"

    def lambda_url(self) -> str:
        """Return where the local stack's Lambda answers; raise ``StackNotRunningError`` if no stack runs."""
        running = self._running("name a stack on AWS with --stack, or Lambda with --endpoint-url")
        return running.get("lambda_url") or f"http://127.0.0.1:{DEFAULT_LAMBDA_PORT}"

    def _running(self, otherwise: str) -> dict[str, Any]:
        running = read_running(self.state_dir)
        if not running:
            raise StackNotRunningError(self.state_dir, otherwise)
        return running

    def writer(self) -> RegistryWriter:
        """Return a writer on the bucket."""
        from model_registry.writer import RegistryWriter

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

    def model_store(self) -> ObjectStore:
        """Return the model bucket."""
        return self._store()

    def retrainings(self) -> RetrainingStore:
        """Return the retrainings in the bucket."""
        from peerloan.retraining.document import RetrainingStore

        return RetrainingStore(self._store(), self.model, new_id=self.new_id)

    def rollouts(self) -> RolloutStore:
        """Return the rollouts in the bucket."""
        from model_rollout.rollout_store import RolloutStore

        return RolloutStore(self._store(), self.model, new_id=self.new_id)

    def outcomes(self) -> OutcomeStore:
        """Return the imports of outcomes in the bucket."""
        from model_monitor.joined.outcome_store import OutcomeStore

        return OutcomeStore(self._store(), self.model)

    def rollout_controller(self) -> Controller:
        """Return a controller of rollouts. It needs the prediction log once it judges."""
        # Imported here: the guards bring NumPy.
        from model_rollout.controller import Controller
        from model_rollout.log_evidence import LogEvidence
        from model_watch.log_reader import LogReader

        evidence = LogEvidence(lambda: LogReader(self.log_store(), self.model), self.clock)
        return Controller(self.rollouts(), self.writer(), evidence, clock=self.clock)

    def look(self, alias: str, settings: MonitorSettings, today: date) -> MonitorReport:
        """Look at the version in charge of an alias as OperateFunction does each night, and keep the report."""
        # Imported here: it brings NumPy.
        from model_monitor.monitor import look

        return look(self.model_store(), self.log_store(), self.model, alias, settings, today)

    def _store(self, bucket: str | None = None) -> ObjectStore:
        from model_registry.stores.s3 import S3Store

        return S3Store(bucket or self.bucket, self._client)

    @cached_property
    def _client(self) -> Any:
        # Imported here: botocore takes longer than what most commands do, and some need no bucket.
        from model_registry.stores.s3 import make_s3_client

        if self.needs_stack:
            raise StackNotRunningError(self.state_dir, "name a bucket on AWS with peerloan --bucket")
        if self.endpoint_url is None or not is_local(self.endpoint_url):
            return make_s3_client(self.endpoint_url)
        region = self.environ.get("AWS_DEFAULT_REGION") or LOCAL_CREDENTIALS["region_name"]
        keys = (LOCAL_CREDENTIALS["aws_access_key_id"], LOCAL_CREDENTIALS["aws_secret_access_key"])
        return make_s3_client(
            self.endpoint_url, region=region, keys=None if self.environ.get("AWS_ACCESS_KEY_ID") else keys
        )


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


def remember_data(state_dir: Path, environ: Mapping[str, str]) -> None:
    """Keep what ``PEERLOAN_DATA`` names, with absolute paths, for later commands on the same stack."""
    if paths := environ.get(DATA_VARIABLE):
        absolute = os.pathsep.join(str(Path(path).resolve()) for path in paths.split(os.pathsep) if path)
        write_whole(state_dir / _DATA_NAME, json.dumps({DATA_VARIABLE: absolute}).encode())


def _remembered_data(state_dir: Path) -> dict[str, str]:
    try:
        paths = json.loads((state_dir / _DATA_NAME).read_text(encoding="utf-8"))[DATA_VARIABLE]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {DATA_VARIABLE: paths} if isinstance(paths, str) else {}
