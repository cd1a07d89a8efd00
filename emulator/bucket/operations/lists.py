"""Lists: of buckets, of objects and their versions, of uploads and their parts."""

from __future__ import annotations

from bisect import bisect_right

from emulator.bucket import checksums
from emulator.bucket.answers import OWNER, Answer, invalid_argument, xml_answer, xml_node
from emulator.bucket.bucket_index import Bucket, Upload
from emulator.bucket.listing import ListRequest, make_token, read_limit, read_token, walk
from emulator.bucket.object_facts import xml_date
from emulator.bucket.object_files import ObjectFile
from emulator.bucket.operations.multipart import MAX_PARTS, find_upload
from emulator.bucket.store import Store
from emulator.bucket.targets import S3Request


async def list_buckets(store: Store, request: S3Request) -> Answer:
    """ListBuckets, a page at a time if the request limits it."""
    query = request.query
    limit = read_limit({"max-buckets": query.get("max-buckets", "")}, "max-buckets")
    names = [name for name, _ in walk(sorted(store.buckets), query.get("prefix", ""), "", read_token(query) or "")]
    page = names[: limit if "max-buckets" in query else None]
    buckets = [
        {"Name": name, "CreationDate": xml_date(facts["created_at"]), "BucketRegion": facts["region"]}
        for name, facts in ((name, store.buckets[name].facts) for name in page)
    ]
    token = make_token(page[-1]) if page and len(names) > len(page) else None
    content = {"Owner": OWNER, "Buckets": {"Bucket": buckets}, "ContinuationToken": token}
    return xml_answer("ListAllMyBucketsResult", content)


async def list_objects(store: Store, request: S3Request) -> Answer:
    """ListObjects and ListObjectsV2, a page at a time."""
    query, bucket, is_v2 = request.query, store.bucket(request.bucket), query_is_v2(request)
    wanted, token = ListRequest(query), read_token(query) if is_v2 else None
    after = token if token is not None else query.get("start-after" if is_v2 else "marker", "")
    page: list[tuple[str, bool]] = []
    is_truncated = False
    for item in walk(bucket.visible_keys(), wanted.prefix, wanted.delimiter, after):
        if len(page) == wanted.limit:
            is_truncated = wanted.limit > 0
            break
        page.append(item)
    encode = wanted.encode
    has_owner = not is_v2 or query.get("fetch-owner") == "true"
    files = [file for name, is_prefix in page if not is_prefix and (file := bucket.current(name)) is not None]
    content = {"Name": request.bucket} | wanted.fields()
    if is_v2:
        content |= {
            "KeyCount": len(page),
            "ContinuationToken": query.get("continuation-token"),
            "NextContinuationToken": make_token(page[-1][0]) if is_truncated else None,
            "StartAfter": encode(query["start-after"]) if "start-after" in query else None,
        }
    else:
        next_marker = encode(page[-1][0]) if is_truncated and wanted.delimiter else None
        content |= {"Marker": encode(after), "NextMarker": next_marker}
    content |= {
        "IsTruncated": is_truncated,
        "Contents": [
            {"Key": encode(file.facts["key"]), **_list_fields(file), "Owner": OWNER if has_owner else None}
            for file in files
        ],
        "CommonPrefixes": [{"Prefix": encode(name)} for name, is_prefix in page if is_prefix],
    }
    return xml_answer("ListBucketResult", content)


def query_is_v2(request: S3Request) -> bool:
    """Say whether a list is asked for in its second version.

    Raises
    ------
    S3Error
        InvalidArgument: in another one.
    """
    kind = request.query.get("list-type")
    if kind not in {None, "2"}:
        raise invalid_argument("Invalid List Type specified in Request", "list-type", kind)
    return kind == "2"


def _list_fields(file: ObjectFile) -> dict[str, object]:
    facts = file.facts
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
    """ListObjectVersions, a page at a time: of each key the newest first."""
    query, bucket = request.query, store.bucket(request.bucket)
    wanted, marker, id_marker = ListRequest(query), query.get("key-marker", ""), query.get("version-id-marker", "")
    if id_marker and not marker:
        message = "A version-id marker cannot be specified without a key marker."
        raise invalid_argument(message, "version-id-marker", id_marker)
    rows: list[tuple[str, ObjectFile | None]] = []
    for name, is_prefix in walk(bucket.keys, wanted.prefix, wanted.delimiter, marker, inclusive=bool(id_marker)):
        files = [] if is_prefix else bucket.versions[name][::-1]
        if name == marker and not is_prefix:
            ids = [file.facts["version_id"] for file in files]
            files = files[ids.index(id_marker) + 1 :] if id_marker in ids else []
        rows += [(name, None)] if is_prefix else [(name, file) for file in files]
        if len(rows) > wanted.limit:
            break
    page, is_truncated, encode = rows[: wanted.limit], 0 < wanted.limit < len(rows), wanted.encode
    last = page[-1] if is_truncated else None
    content = wanted.fields() | {
        "Name": request.bucket,
        "KeyMarker": encode(marker),
        "VersionIdMarker": id_marker,
        "NextKeyMarker": encode(last[0]) if last else None,
        "NextVersionIdMarker": last[1].facts["version_id"] if last and last[1] else None,
        "IsTruncated": is_truncated,
    }
    listed = "".join(_version_node(bucket, encode(name), file) for name, file in page if file is not None)
    prefixes = xml_node("CommonPrefixes", [{"Prefix": encode(name)} for name, file in page if file is None])
    answer = xml_answer("ListVersionsResult", content)
    end = b"</ListVersionsResult>"
    return Answer(200, answer.headers, answer.body.replace(end, (listed + prefixes).encode() + end))


def _version_node(bucket: Bucket, key: str, file: ObjectFile) -> str:
    is_marker = file.facts["delete_marker"]
    content = {
        "Key": key,
        "VersionId": file.facts["version_id"],
        "IsLatest": bucket.versions[file.facts["key"]][-1] is file,
        "LastModified": xml_date(file.facts["last_modified"]),
        **({} if is_marker else _list_fields(file)),
        "Owner": OWNER,
    }
    return xml_node("DeleteMarker" if is_marker else "Version", content)


async def list_parts(store: Store, request: S3Request) -> Answer:
    """ListParts, a page at a time."""
    upload = find_upload(store.bucket(request.bucket), request)
    limit = read_limit(request.query, "max-parts")
    marker = request.number("part-number-marker", MAX_PARTS, least=0) or 0
    numbers = sorted(upload.parts)
    following = numbers[bisect_right(numbers, marker) :]
    page = following[:limit]
    algorithm = upload.facts.get("checksum_algorithm")
    content = {
        "Bucket": request.bucket,
        "Key": request.key,
        "UploadId": request.query["uploadId"],
        "StorageClass": upload.facts["storage_class"],
        "PartNumberMarker": marker,
        "NextPartNumberMarker": page[-1] if page else None,
        "MaxParts": limit,
        "IsTruncated": len(following) > len(page),
        "ChecksumAlgorithm": algorithm,
        "ChecksumType": upload.facts.get("checksum_type") if algorithm else None,
        "Part": [_part_fields(upload.parts[number]) for number in page],
    }
    return xml_answer("ListPartsResult", content)


def _part_fields(part: ObjectFile) -> dict[str, object]:
    facts = part.facts
    fields = {
        "PartNumber": facts["number"],
        "LastModified": xml_date(facts["last_modified"]),
        "ETag": f'"{facts["etag"]}"',
        "Size": part.size_bytes,
    }
    return fields | (
        {checksums.xml_name(facts["checksum_algorithm"]): facts["checksum"]} if "checksum" in facts else {}
    )


async def list_uploads(store: Store, request: S3Request) -> Answer:
    """ListMultipartUploads, a page at a time."""
    query, bucket = request.query, store.bucket(request.bucket)
    wanted, marker = ListRequest(query, "max-uploads"), query.get("key-marker", "")
    id_marker = query.get("upload-id-marker", "") if marker else ""
    by_key: dict[str, list[Upload]] = {}
    for upload in bucket.uploads.values():
        by_key.setdefault(upload.facts["key"], []).append(upload)
    rows: list[tuple[str, str, Upload | None]] = []
    for name, is_prefix in walk(sorted(by_key), wanted.prefix, wanted.delimiter, marker, inclusive=bool(id_marker)):
        uploads = [] if is_prefix else sorted(by_key[name], key=lambda upload: str(upload.facts["upload_id"]))
        rows += [(name, "", None)] if is_prefix else [(name, u.facts["upload_id"], u) for u in uploads]
    rows = [row for row in rows if row[0] != marker or row[1] > id_marker]
    page, encode = rows[: wanted.limit], wanted.encode
    is_truncated = 0 < len(page) < len(rows)
    content = wanted.fields("MaxUploads") | {
        "Bucket": request.bucket,
        "KeyMarker": encode(marker),
        "UploadIdMarker": id_marker,
        "NextKeyMarker": encode(page[-1][0]) if is_truncated else None,
        "NextUploadIdMarker": page[-1][1] if is_truncated else None,
        "IsTruncated": is_truncated,
        "Upload": [_upload_fields(upload, encode(name)) for name, _, upload in page if upload is not None],
        "CommonPrefixes": [{"Prefix": encode(name)} for name, _, upload in page if upload is None],
    }
    return xml_answer("ListMultipartUploadsResult", content)


def _upload_fields(upload: Upload, key: str) -> dict[str, object]:
    facts = upload.facts
    return {
        "Key": key,
        "UploadId": facts["upload_id"],
        "StorageClass": facts["storage_class"],
        "Initiated": xml_date(facts.get("created_at", "1970-01-01")),
        "ChecksumAlgorithm": facts.get("checksum_algorithm"),
        "ChecksumType": facts.get("checksum_type") if facts.get("checksum_algorithm") else None,
    }
