"""S3, and anything else that speaks S3: the one place that imports botocore.

Its client is the one that ``boto3.client`` returns. boto3 itself isn't imported: its resources and transfer manager
aren't used here, and a cold start would wait for them.
"""

from __future__ import annotations

import math
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader

from model_registry import threads
from model_registry.errors import (
    AccessDeniedError,
    ObjectNotFoundError,
    ObjectTooLargeError,
    PreconditionFailedError,
    StoreUnavailableError,
)
from model_registry.stores.base import MAX_OBJECT_BYTES, StoredObject, remaining_s

# Enough for a large model over a slow line. The function sets shorter deadlines of its own.
TOTAL_TIMEOUT_S = 300.0
_SERVICE = "s3"
_BODY_ATTEMPTS = 3
_PIECE_BYTES = 1 << 20
_CONFLICT_ATTEMPTS = 5
_ABANDONED_TIMEOUT_S = 0.001


def make_s3_client(
    endpoint_url: str | None = None,
    *,
    region: str | None = None,
    keys: tuple[str, str] | None = None,
    connect_timeout_s: float = 1.0,
    read_timeout_s: float = 5.0,
    max_attempts: int = 3,
) -> Any:
    """Return an S3 client with bounded time-outs and retries (exponential, with jitter: botocore's standard mode).

    Parameters
    ----------
    endpoint_url : str, optional
        The address of a bucket that isn't on AWS; its name then goes into the path, as local servers expect.
    region : str, optional
        AWS region; the environment's by default.
    keys : tuple of str and str, optional
        Access key id and secret access key; those that botocore finds by default.
    connect_timeout_s, read_timeout_s : float
        Seconds for a connection, and between two reads.
    max_attempts : int
        Tries per request, including the first.
    """
    config = Config(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": max_attempts},
        s3={"addressing_style": "path"} if endpoint_url else None,
    )
    session = botocore.session.get_session()
    session.register_component("data_loader", QuickLoader(session.get_config_variable("data_path")))
    access_key_id, secret_access_key = keys or (None, None)
    return session.create_client(
        _SERVICE,
        endpoint_url=endpoint_url or None,
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=config,
    )


class S3Store:
    """An ``ObjectStore`` on an S3 bucket.

    Parameters
    ----------
    bucket : str
        The bucket's name; the bucket must exist.
    client : botocore S3 client
        See ``make_s3_client``.
    total_timeout_s : float
        Seconds for a whole read including retries. A deadline (see ``reads_until``) may end it earlier.
    """

    def __init__(self, bucket: str, client: Any, *, total_timeout_s: float = TOTAL_TIMEOUT_S) -> None:
        self.bucket = bucket
        self._client = client
        self._total_timeout_s = total_timeout_s

    def get(self, key: str, *, limit_bytes: int = MAX_OBJECT_BYTES) -> StoredObject:
        """See ``ObjectStore``."""
        return self._get(key, {}, limit_bytes)

    def get_if_changed(self, key: str, etag: str, *, limit_bytes: int = MAX_OBJECT_BYTES) -> StoredObject | None:
        """See ``ObjectStore``."""
        try:
            return self._get(key, {"IfNoneMatch": etag}, limit_bytes)
        except _NotModifiedError:
            return None

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """See ``ObjectStore``."""
        conditions = {"IfNoneMatch": "*"} if if_absent else {"IfMatch": if_match} if if_match else {}
        for _ in range(_CONFLICT_ATTEMPTS):
            try:
                answer = self._client.put_object(Bucket=self.bucket, Key=key, Body=body, **conditions)
                return str(answer["ETag"])
            except ClientError as error:
                # S3 answers 409 where two conditional writes meet, and asks the loser to try again.
                if _code(error) == "ConditionalRequestConflict":
                    continue
                if conditions and _code(error) in ("PreconditionFailed", "412", "NoSuchKey"):
                    return self._etag_if_ours(key, body, error)
                raise self._unavailable("write", key, error) from error
            except BotoCoreError as error:
                raise self._unavailable("write", key, error) from error
        raise StoreUnavailableError("write", f"s3://{self.bucket}/{key}", "other writes kept interfering")

    def list_keys(self, prefix: str) -> list[str]:
        """See ``ObjectStore``."""
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable("list", prefix, error) from error

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        try:
            self._client.delete_object(Bucket=self.bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable("delete", key, error) from error

    def _get(self, key: str, conditions: dict[str, str], limit_bytes: int) -> StoredObject:
        limit_s = min(self._total_timeout_s, remaining_s())
        reading = _Reading(limit_bytes)
        if limit_s == math.inf:
            return self._read(key, conditions, reading)
        if limit_s <= 0:
            raise self._unavailable("read", key, TimeoutError("no time is left for it"))
        return self._get_within(limit_s, key, conditions, reading)

    def _get_within(self, limit_s: float, key: str, conditions: dict[str, str], reading: _Reading) -> StoredObject:
        # On a thread of its own: looking up the host's name, the handshake, the headers and the body may each be slow
        # without exceeding any of the client's time-outs. Rejected: reading in pieces, which bounds only the body.
        outcome = threads.begin(partial(self._read, key, conditions, reading), f"read of {key}")
        if not wait([outcome], limit_s).done:
            reading.abandon()
            raise self._unavailable("read", key, TimeoutError(f"it took longer than {limit_s:.3g} s"))
        return outcome.result()

    def _read(self, key: str, conditions: dict[str, str], reading: _Reading) -> StoredObject:
        # botocore retries failures before the body. If the connection breaks within the body, this loop retries.
        for attempt in range(1, _BODY_ATTEMPTS + 1):
            answer = self._open(key, conditions)
            size_bytes = int(answer.get("ContentLength", 0))
            reading.begin(answer["Body"])
            try:
                content = None if size_bytes > reading.limit_bytes else reading.read()
                if content is None:
                    answer["Body"].close()
                    raise ObjectTooLargeError(key, max(size_bytes, reading.limit_bytes + 1), reading.limit_bytes)
                return StoredObject(body=content, etag=str(answer["ETag"]))
            except (BotoCoreError, OSError) as error:
                if attempt == _BODY_ATTEMPTS or reading.is_abandoned:
                    raise self._unavailable("read", key, error) from error
        raise AssertionError("unreachable")

    def _open(self, key: str, conditions: dict[str, str]) -> Any:
        try:
            return self._client.get_object(Bucket=self.bucket, Key=key, **conditions)
        except ClientError as error:
            if _code(error) in ("304", "NotModified"):
                raise _NotModifiedError from None
            if _code(error) in ("NoSuchKey", "404"):
                raise ObjectNotFoundError(key) from None
            if _code(error) in ("AccessDenied", "403", "InvalidObjectState"):
                raise AccessDeniedError("read", f"s3://{self.bucket}/{key}", str(error)) from error
            raise self._unavailable("read", key, error) from error
        except BotoCoreError as error:
            raise self._unavailable("read", key, error) from error

    def _etag_if_ours(self, key: str, body: bytes, error: ClientError) -> str:
        # If a write succeeds but its answer is lost, botocore sends it again, and its condition then fails. Every
        # document holds something unique, so if exactly our bytes are stored after a retry, we wrote them.
        if error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0):
            stored = self.get(key)
            if stored.body == body:
                return stored.etag
        raise PreconditionFailedError(key) from None

    def _unavailable(self, operation: str, key: str, error: Exception) -> StoreUnavailableError:
        return StoreUnavailableError(operation, f"s3://{self.bucket}/{key}", str(error))


class _Reading:
    """A read under way, which another thread may abandon."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.is_abandoned = False
        self._body: Any = None

    def begin(self, body: Any) -> None:
        """Remember the body that is being read now."""
        self._body = body
        if self.is_abandoned:
            self._hurry()

    def read(self) -> bytes | None:
        """Return the body; None if it has more bytes than the limit, whatever the answer's headers say."""
        content = bytearray()
        while piece := self._body.read(_PIECE_BYTES):
            content += piece
            if len(content) > self.limit_bytes:
                return None
        return bytes(content)

    def abandon(self) -> None:
        """Make the read fail at its next wait, so that its thread and its connection end soon."""
        self.is_abandoned = True
        self._hurry()

    def _hurry(self) -> None:
        # A body that was read to its end no longer has a socket.
        with suppress(AttributeError, OSError):
            self._body.set_socket_timeout(_ABANDONED_TIMEOUT_S)


class QuickLoader(Loader):  # type: ignore[misc]
    """Finds the description of S3 without listing the folders of all four hundred services.

    botocore makes that list to check that a service exists, which takes a fifth of the time to make a client. Other
    services (STS, where a profile assumes a role) are found as before.
    """

    def __init__(self, data_path: str | None) -> None:
        super().__init__(create_loader(data_path).search_paths, include_default_search_paths=False)
        self._service = ""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Load a service's description."""
        self._service = service_name
        return super().load_service_model(service_name, type_name, api_version)

    def list_available_services(self, type_name: str) -> Any:
        """Return all services, or S3 alone while S3 is being loaded."""
        return [_SERVICE] if self._service == _SERVICE else super().list_available_services(type_name)


class _NotModifiedError(Exception):
    """The object still has the entity tag that was asked about."""


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
