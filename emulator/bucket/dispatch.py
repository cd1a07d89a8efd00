"""Answers a request: finds the operation that it asks for, and turns every failure into S3's error."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import StreamReader

from emulator.bucket import buckets, lists, multipart, objects
from emulator.bucket.answers import Answer, S3Error
from emulator.bucket.requests import S3Request, check_expiry, read_target
from emulator.bucket.store import Store
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


async def answer_request(
    store: Store,
    method: str,
    target: str,
    headers: Mapping[str, str],
    stream: StreamReader,
    invite: Callable[[], Awaitable[None]],
    *,
    request_id: str = "",
    host_bucket: str = "",
    refusal: str | None = None,
) -> Answer:
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
        Called before the body is read: a client may wait for permission to send it.
    request_id : str
        Names the request in an error's document.
    host_bucket : str
        The bucket that the ``Host`` header names; empty if the path names it.
    refusal : str, optional
        Why the request is refused whatever it asks for.

    Raises
    ------
    ConnectionError and others of `CLIENT_IS_GONE`
        The client has hung up.
    """
    try:
        if refusal is not None:
            raise S3Error("AccessDenied", refusal)
        bucket, key, query = read_target(target, host_bucket)
        check_expiry(query, store.now())
        request = S3Request(method, bucket, key, query, headers, stream, invite)
        return await _find_operation(request)(store, request)
    except CLIENT_IS_GONE:
        raise
    except S3Error as error:
        failure = error
    except OSError as error:
        _log.error("the data folder can't be read or written; a change is undone: %s", error)
        failure = S3Error("InternalError", f"The data folder can't be read or written: {error.strerror}.")
    except Exception:  # noqa: BLE001 - any failure is answered 500
        _log.exception("%s %s failed; a change is undone", method, target)
        failure = S3Error("InternalError")
    return failure.to_answer(target.partition("?")[0], request_id)


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
