"""What an object is apart from its body: from a request's headers into facts, and back into an answer's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from emulator.bucket import checksums
from emulator.bucket.answers import S3Error

# Headers that are kept with an object, and that a GET's ``response-…`` parameters may replace.
REPLACEABLE_HEADERS = frozenset({
    "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires",
})  # fmt: skip
_META = "x-amz-meta-"
_MAX_METADATA_BYTES = 2048
# Headers that have a fact of their own; the others are among the metadata.
_FACT_BY_HEADER = {
    "x-amz-storage-class": "storage_class",
    "x-amz-server-side-encryption": "encryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "kms_key_id",
    "x-amz-website-redirect-location": "website_redirect_location",
}
_STORAGE_CLASSES = frozenset({
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
    "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP",
})  # fmt: skip
_REFUSED_HEADERS = (
    "x-amz-server-side-encryption-customer-algorithm", "x-amz-object-lock-mode", "x-amz-object-lock-legal-hold",
    "x-amz-write-offset-bytes", "x-amz-tagging",
)  # fmt: skip


def read_object_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts that the headers of a PUT, a copy or a new upload say about the object.

    Raises
    ------
    S3Error
        They say what S3 doesn't take, or what the bucket doesn't do.
    """
    for name in _REFUSED_HEADERS:
        if name in headers:
            raise S3Error("NotImplemented", f"The emulator's bucket doesn't implement {name}.")
    metadata = {"content-type": "binary/octet-stream"}
    for name, value in headers.items():
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
            raise S3Error("InvalidArgument", f"The header {name} isn't UTF-8")
        lower = name.lower()
        if lower in REPLACEABLE_HEADERS or lower.startswith(_META):
            # Twice the same header is one with both values.
            metadata[lower] = f"{metadata[lower]},{value}" if lower in metadata and lower != "content-type" else value
    encodings = [part.strip() for part in metadata.get("content-encoding", "").split(",")]
    metadata["content-encoding"] = ",".join(part for part in encodings if part and part != "aws-chunked")
    metadata = {name: value for name, value in metadata.items() if value or name.startswith(_META)}
    own = [(name.removeprefix(_META), value) for name, value in metadata.items() if name.startswith(_META)]
    size_bytes = sum(len(name) + len(value.encode()) for name, value in own)
    if size_bytes > _MAX_METADATA_BYTES:
        raise S3Error("MetadataTooLarge", Size=size_bytes, MaxSizeAllowed=_MAX_METADATA_BYTES)
    facts = {fact: headers.get(name) for name, fact in _FACT_BY_HEADER.items()}
    facts["storage_class"] = facts["storage_class"] or "STANDARD"
    if facts["storage_class"] not in _STORAGE_CLASSES:
        raise S3Error("InvalidStorageClass")
    return {**facts, "metadata": metadata, "tags": {}}


def object_headers(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of a GET or HEAD that don't depend on the request."""
    headers = {
        **facts["metadata"],
        "ETag": f'"{facts["etag"]}"',
        "Last-Modified": http_date(facts),
        "Accept-Ranges": "bytes",
        "x-amz-server-side-encryption": "AES256",
    }
    headers |= {name: facts[fact] for name, fact in _FACT_BY_HEADER.items() if facts.get(fact)}
    if facts["storage_class"] == "STANDARD":
        del headers["x-amz-storage-class"]
    if facts["tags"]:
        headers["x-amz-tagging-count"] = str(len(facts["tags"]))
    return headers


def checksum_headers(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that say an object's checksum."""
    if not facts.get("checksum_value"):
        return {}
    name = checksums.header_name(facts["checksum_algorithm"])
    return {name: facts["checksum_value"], "x-amz-checksum-type": facts["checksum_type"]}


def checksum_fields(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the XML elements that say an object's checksum."""
    if not facts.get("checksum_value"):
        return {}
    return {f"Checksum{facts['checksum_algorithm']}": facts["checksum_value"], "ChecksumType": facts["checksum_type"]}


def http_date(facts: Mapping[str, Any]) -> str:
    """Return when an object was changed, as a header says it."""
    return f"{dt.datetime.fromisoformat(facts['last_modified']):%a, %d %b %Y %H:%M:%S} GMT"


def xml_date(moment: str) -> str:
    """Return an ISO moment as S3's documents say it: in whole seconds, as headers do."""
    return f"{dt.datetime.fromisoformat(moment):%Y-%m-%dT%H:%M:%S}.000Z"


def read_old_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a version, also of one that was kept by moto's rules: in files of format 1.

    Those have every header of the upload among the metadata, no type with the checksum of an object that was put
    whole, no number of parts in a composite one, and four bytes of a CRC64NVME's eight.
    """
    if facts.get("delete_marker") or "parts" in facts:
        return dict(facts)
    metadata = {name.lower(): value for name, value in facts["metadata"].items()}
    metadata.pop("x-amz-content-sha256", None)
    algorithm, value = facts.get("checksum_algorithm"), facts.get("checksum_value")
    if not algorithm or checksums.decode(value or "", algorithm) is None:
        value = None
    checksum_type = facts.get("checksum_type") or "FULL_OBJECT"
    if value and checksum_type == "COMPOSITE":
        value = f"{value}-{facts['checksum_parts']}"
    return {**facts, "metadata": metadata, "checksum_type": checksum_type, "checksum_value": value, "parts": None}
