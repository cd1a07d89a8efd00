"""Answers a request: finds the operation that it asks for, and turns every failure into S3's error."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import StreamReader

from emulator.bucket import buckets, lists, multipart, objects
from emulator.bucket.answers import Answer, S3Error
from emulator.bucket.requests import S3Request, check_expiry, read_target
from emulator.bucket.store import Store, disk_refusal
from emulator.http_server import CLIENT_IS_GONE

Operation = Callable[[Store, S3Request], Awaitable[Answer]]

# By method; then by the first of these parameters that the request has, and an empty name without any.
_OF_SERVICE: Mapping[str, Mapping[str, Operation]] = {"GET": {"": lists.list_buckets}}
_OF_BUCKET: Mapping[str, Mapping[str, Operation]] = {
    "GET": {
        "location": buckets.get_location,
        "versioning": buckets.get_versioning,
        "versions": lists.list_versions,
        "uploads": lists.list_uploads,
        "": lists.list_objects,
    },
    "HEAD": {"": buckets.head_bucket},
    "PUT": {"versioning": buckets.put_versioning, "": buckets.create_bucket},
    "DELETE": {"": buckets.delete_bucket},
    "POST": {"delete": objects.delete_objects, "": buckets.refuse},
}
_OF_OBJECT: Mapping[str, Mapping[str, Operation]] = {
    "GET": {"uploadId": lists.list_parts, "tagging": objects.get_tags, "": objects.get_object},
    "HEAD": {"": objects.get_object},
    "PUT": {"uploadId": multipart.upload_part, "": objects.put_object},
    "DELETE": {"uploadId": multipart.abort_upload, "": objects.delete_object},
    "POST": {"uploads": multipart.create_upload, "uploadId": multipart.complete_upload, "": buckets.refuse},
}
_COPIES: Mapping[Operation, Operation] = {
    objects.put_object: objects.copy_object,
    multipart.upload_part: multipart.copy_part,
}
# Parameters that make a request another operation. Without this list, a PUT of an object's tags would put an object.
_OTHER_OPERATIONS = frozenset({
    "abac", "accelerate", "acl", "analytics", "annotation", "attributes", "cors", "delete", "encryption",
    "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging", "metadataAnnotationTable",
    "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics",
    "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "renameObject",
    "replication", "requestPayment", "restore", "retention", "select", "session", "tagging", "torrent", "uploads",
    "versioning", "versions", "website",
})  # fmt: skip
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """An answer with the open file of its body, which the receiver closes, if it is a piece of one."""

    answer: Answer
    request_id: str
    descriptor: int | None = None


async def _no_invitation() -> None:
    """Do nothing: the client doesn't wait for permission to send its body."""


async def answer_request(
    store: Store,
    method: str,
    target: str,
    headers: Mapping[str, str],
    stream: StreamReader,
    *,
    invite: Callable[[], Awaitable[None]] = _no_invitation,
    host_bucket: str = "",
    refusal: str | None = None,
) -> OpenAnswer:
    """Answer one request.

    Parameters
    ----------
    target : str
        Path and query as they came, percent-encoded.
    headers : mapping
        Look-ups ignore case.
    stream : StreamReader
        The body.
    invite : callable
        Called before the body is read.
    host_bucket : str
        The bucket that the ``Host`` header names; empty if the path names it.
    refusal : str, optional
        Why the request is refused whatever it asks for.

    Raises
    ------
    ConnectionError and others of `CLIENT_IS_GONE`
        The client has hung up.
    """
    request_id = uuid4().hex[:16].upper()
    try:
        if refusal is not None:
            raise S3Error("AccessDenied", refusal)
        bucket, key, query = read_target(target, host_bucket)
        check_expiry(query, store.now())
        request = S3Request(method, bucket, key, query, headers, stream, invite)
        answer, descriptor = await _run(store, _find_operation(request), request)
        return OpenAnswer(answer, request_id, descriptor)
    except CLIENT_IS_GONE:
        raise
    except S3Error as error:
        failure = error
    except OSError as error:
        failure = disk_refusal(error)
    except Exception:  # noqa: BLE001 - any failure is answered 500
        _log.exception("%s %s failed; a change is undone", method, target)
        failure = S3Error("InternalError")
    return OpenAnswer(failure.to_answer(target.partition("?")[0], request_id), request_id)


async def _run(store: Store, operation: Operation, request: S3Request) -> tuple[Answer, int | None]:
    """Return an operation's answer and the open file of its body."""
    answer = await operation(store, request)
    if answer.span is None or request.method == "HEAD":
        return answer, None
    descriptor = answer.span.file.open()
    if descriptor is not None:
        return answer, descriptor
    # A change is at work on the object: it is read once that is over.
    async with store.settled():
        answer = await operation(store, request)
        descriptor = answer.span.file.open() if answer.span is not None else None
    if answer.span is not None and descriptor is None:
        _log.error("%s was replaced or removed by another program", answer.span.file.path)
        raise S3Error("InternalError", "The object's file was replaced or removed by another program.")
    return answer, descriptor


def _find_operation(request: S3Request) -> Operation:
    """Return the operation that a request asks for."""
    tables = _OF_OBJECT if request.bucket and request.key else _OF_BUCKET if request.bucket else _OF_SERVICE
    table = tables.get(request.method)
    if table is None:
        raise S3Error("MethodNotAllowed", Method=request.method, ResourceType="OBJECT")
    name = next((name for name in table if name in request.query), "")
    is_other = not name and not _OTHER_OPERATIONS.isdisjoint(request.query)
    operation = buckets.refuse if is_other else table[name]
    return _COPIES.get(operation, operation) if "x-amz-copy-source" in request.headers else operation
