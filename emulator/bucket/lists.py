"""Lists, a page at a time: of buckets, of objects and their versions, of uploads and their parts."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from emulator.bucket.answers import OWNER, Answer, invalid_argument, xml_answer
from emulator.bucket.multipart import MAX_PARTS, find_upload
from emulator.bucket.object_facts import xml_date
from emulator.bucket.object_files import ObjectFile
from emulator.bucket.requests import S3Request
from emulator.bucket.store import Store, Upload

_TOKEN_MARK = b"1:"


class _Page:
    """What one page of a list has: rows of a name and an item, which is None for a common prefix.

    Parameters
    ----------
    request : S3Request
        Its parameters are a prefix, a delimiter, an encoding of names, and the limit.
    limit_name : str
        The parameter that limits the rows.
    most : int
        S3's own limit.
    """

    def __init__(self, request: S3Request, limit_name: str = "max-keys", most: int = 1000) -> None:
        query = request.query
        self.limit = _read_limit(request, limit_name, most)
        self.prefix, self.delimiter = query.get("prefix", ""), query.get("delimiter", "")
        self.rows: list[tuple[str, Any]] = []
        self.is_truncated = False
        self._encoding = query.get("encoding-type") or None
        if self._encoding not in {None, "url"}:
            raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", self._encoding)

    def fill(
        self, keys: Sequence[str], after: str, items_of: Callable[[str], Sequence[Any]], *, inclusive: bool = False
    ) -> None:
        """Take the rows after a key, or from it on if ``inclusive``; `items_of` gives a key's items in their order."""
        for name, is_prefix in _walk(keys, self.prefix, self.delimiter, after, inclusive=inclusive):
            self.rows += [(name, None)] if is_prefix else [(name, item) for item in items_of(name)]
            if len(self.rows) > self.limit:
                self.is_truncated = self.limit > 0
                break
        del self.rows[self.limit :]

    @property
    def last(self) -> tuple[str, Any]:
        """The last row if another page follows; an empty one otherwise."""
        return self.rows[-1] if self.is_truncated else ("", None)

    def encode(self, text: str) -> str:
        """Return a name as the answer has it."""
        return quote_plus(text, safe="/*-._") if self._encoding else text

    def fields(self, limit_name: str = "MaxKeys") -> dict[str, object]:
        """Return the elements of the answer that all such lists have."""
        return {
            "Prefix": self.encode(self.prefix),
            "Delimiter": self.encode(self.delimiter) or None,
            "EncodingType": self._encoding,
            limit_name: self.limit,
            "IsTruncated": self.is_truncated,
            "CommonPrefixes": [{"Prefix": self.encode(name)} for name, item in self.rows if item is None],
        }

    def items(self) -> list[tuple[str, Any]]:
        """Return the rows that aren't common prefixes, with their names as the answer has them."""
        return [(self.encode(name), item) for name, item in self.rows if item is not None]


def _walk(
    keys: Sequence[str], prefix: str, delimiter: str, after: str, *, inclusive: bool = False
) -> Iterator[tuple[str, bool]]:
    """Yield sorted keys after one of them, and common prefixes in place of the keys that share one.

    Each comes with whether it is a prefix. If ``after`` is one, what it stands for is passed over.
    """
    start = bisect_left(keys, after) if inclusive else bisect_right(keys, after)
    last_delimiter = len(after) - len(delimiter)
    if delimiter and after.startswith(prefix) and after.find(delimiter, len(prefix)) == last_delimiter >= 0:
        start = _end_of_prefix(keys, after, start)
    position = max(start, bisect_left(keys, prefix))
    while position < len(keys) and keys[position].startswith(prefix):
        key = keys[position]
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            yield key, False
            position += 1
        else:
            common = key[: end + len(delimiter)]
            yield common, True
            position = _end_of_prefix(keys, common, position)


def _end_of_prefix(keys: Sequence[str], prefix: str, start: int) -> int:
    """Return the position after the keys from ``start`` on that share a prefix."""
    return bisect_left(keys, True, start, key=lambda key: not key.startswith(prefix))


def _read_limit(request: S3Request, name: str, most: int) -> int:
    """Return how many rows a page may have."""
    limit = request.number(name, 2**31 - 1, least=0) if request.query.get(name) else None
    return most if limit is None else min(limit, most)


def _make_token(item: str) -> str:
    """Return the token of the page after an item."""
    return base64.urlsafe_b64encode(_TOKEN_MARK + item.encode()).decode()


def _read_token(query: Mapping[str, str]) -> str | None:
    """Return the item that a request's token stands for, or None without one."""
    token = query.get("continuation-token")
    if token is None:
        return None
    try:
        content = base64.b64decode(token, altchars=b"-_", validate=True)
        if content.startswith(_TOKEN_MARK):
            return content.removeprefix(_TOKEN_MARK).decode()
    except (binascii.Error, ValueError):
        pass
    raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token)


async def list_buckets(store: Store, request: S3Request) -> Answer:
    """ListBuckets."""
    page = _Page(request, "max-buckets", most=10_000)
    page.fill(sorted(store.buckets), _read_token(request.query) or "", lambda name: [store.buckets[name].facts])
    buckets = [
        {"Name": name, "CreationDate": xml_date(facts["created_at"]), "BucketRegion": facts["region"]}
        for name, facts in page.items()
    ]
    token = _make_token(page.last[0]) if page.is_truncated else None
    return xml_answer(
        "ListAllMyBucketsResult", {"Owner": OWNER, "Buckets": {"Bucket": buckets}, "ContinuationToken": token}
    )


async def list_objects(store: Store, request: S3Request) -> Answer:
    """ListObjects and ListObjectsV2."""
    query, bucket, kind = request.query, store.bucket(request.bucket), request.query.get("list-type")
    if kind not in {None, "2"}:
        raise invalid_argument("Invalid List Type specified in Request", "list-type", kind)
    page, token = _Page(request), _read_token(query) if kind else None
    after = token if token is not None else query.get("start-after" if kind else "marker", "")
    page.fill(bucket.visible_keys(), after, lambda key: [bucket.current(key)])
    has_owner = not kind or query.get("fetch-owner") == "true"
    content = {"Name": request.bucket} | page.fields()
    if kind:
        content |= {
            "KeyCount": len(page.rows),
            "ContinuationToken": query.get("continuation-token"),
            "NextContinuationToken": _make_token(page.last[0]) if page.is_truncated else None,
            "StartAfter": page.encode(query["start-after"]) if "start-after" in query else None,
        }
    else:
        next_marker = page.encode(page.last[0]) if page.is_truncated and page.delimiter else None
        content |= {"Marker": page.encode(after), "NextMarker": next_marker}
    owner = {"Owner": OWNER} if has_owner else {}
    content["Contents"] = [{"Key": key, **_object_fields(file), **owner} for key, file in page.items()]
    return xml_answer("ListBucketResult", content)


def _object_fields(file: ObjectFile) -> dict[str, object]:
    facts = file.facts
    if facts["delete_marker"]:
        return {"LastModified": xml_date(facts["last_modified"])}
    has_checksum = bool(facts.get("checksum_value"))
    return {
        "LastModified": xml_date(facts["last_modified"]),
        "ETag": f'"{facts["etag"]}"',
        "ChecksumAlgorithm": facts["checksum_algorithm"] if has_checksum else None,
        "ChecksumType": facts["checksum_type"] if has_checksum else None,
        "Size": file.size_bytes,
        "StorageClass": facts["storage_class"],
    }


async def list_versions(store: Store, request: S3Request) -> Answer:
    """ListObjectVersions: of each key the newest first."""
    query, bucket = request.query, store.bucket(request.bucket)
    page, marker, id_marker = _Page(request), query.get("key-marker", ""), query.get("version-id-marker", "")
    if id_marker and not marker:
        message = "A version-id marker cannot be specified without a key marker."
        raise invalid_argument(message, "version-id-marker", id_marker)

    def versions_of(key: str) -> list[ObjectFile]:
        files = bucket.versions[key][::-1]
        ids = [file.facts["version_id"] for file in files]
        # A client that empties the bucket has deleted the marker's version.
        return files[ids.index(id_marker) + 1 :] if key == marker and id_marker in ids else files

    page.fill(bucket.keys, marker, versions_of, inclusive=bool(id_marker))
    listed: dict[str, list[Mapping[str, object]]] = {"Version": [], "DeleteMarker": []}
    for key, file in page.items():
        listed["DeleteMarker" if file.facts["delete_marker"] else "Version"].append({
            "Key": key,
            "VersionId": file.facts["version_id"],
            "IsLatest": bucket.versions[file.facts["key"]][-1] is file,
            **_object_fields(file),
            "Owner": OWNER,
        })  # fmt: skip
    last_key, last_file = page.last
    content = page.fields() | {
        "Name": request.bucket,
        "KeyMarker": page.encode(marker),
        "VersionIdMarker": id_marker,
        "NextKeyMarker": page.encode(last_key) or None,
        "NextVersionIdMarker": last_file.facts["version_id"] if last_file else None,
        **listed,
    }
    return xml_answer("ListVersionsResult", content)


async def list_parts(store: Store, request: S3Request) -> Answer:
    """ListParts."""
    upload = find_upload(store.bucket(request.bucket), request)
    limit = _read_limit(request, "max-parts", most=1000)
    marker = request.number("part-number-marker", MAX_PARTS, least=0) or 0
    following = sorted(number for number in upload.parts if number > marker)
    page = following[:limit]
    content = {
        "Bucket": request.bucket,
        "Key": request.key,
        **_upload_fields(upload),
        "PartNumberMarker": marker,
        "NextPartNumberMarker": page[-1] if page else None,
        "MaxParts": limit,
        "IsTruncated": len(following) > len(page),
        "Part": [
            {
                "PartNumber": number,
                "LastModified": xml_date(part.facts["last_modified"]),
                "ETag": f'"{part.facts["etag"]}"',
                "Size": part.size_bytes,
                # A part of format 1 has none.
                f"Checksum{part.facts.get('checksum_algorithm')}": part.facts.get("checksum"),
            }
            for number, part in ((number, upload.parts[number]) for number in page)
        ],
    }
    return xml_answer("ListPartsResult", content)


async def list_uploads(store: Store, request: S3Request) -> Answer:
    """ListMultipartUploads."""
    query, bucket = request.query, store.bucket(request.bucket)
    page, marker = _Page(request, "max-uploads"), query.get("key-marker", "")
    id_marker = query.get("upload-id-marker", "") if marker else ""
    by_key: dict[str, list[Upload]] = {}
    for upload_id in sorted(bucket.uploads):
        upload = bucket.uploads[upload_id]
        if (upload.facts["key"], upload_id) > (marker, id_marker) or not id_marker:
            by_key.setdefault(upload.facts["key"], []).append(upload)
    page.fill(sorted(by_key), marker, by_key.__getitem__, inclusive=bool(id_marker))
    last_key, last_upload = page.last
    content = page.fields("MaxUploads") | {
        "Bucket": request.bucket,
        "KeyMarker": page.encode(marker),
        "UploadIdMarker": id_marker,
        "NextKeyMarker": page.encode(last_key) if page.is_truncated else None,
        "NextUploadIdMarker": last_upload.facts["upload_id"] if last_upload else None,
        "Upload": [
            {"Key": key, **_upload_fields(upload), "Initiated": xml_date(upload.facts.get("created_at", "1970-01-01"))}
            for key, upload in page.items()
        ],
    }
    return xml_answer("ListMultipartUploadsResult", content)


def _upload_fields(upload: Upload) -> dict[str, object]:
    facts, algorithm = upload.facts, upload.facts.get("checksum_algorithm")
    return {
        "UploadId": facts["upload_id"],
        "StorageClass": facts["storage_class"],
        "ChecksumAlgorithm": algorithm,
        "ChecksumType": facts.get("checksum_type") if algorithm else None,
    }
