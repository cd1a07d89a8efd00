"""Operations on buckets: make and remove them, and their settings."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping

from emulator.bucket.answers import OWNER, Answer, S3Error, not_implemented, read_xml, xml_answer
from emulator.bucket.store import Store
from emulator.bucket.targets import S3Request

_NEW_NAME = re.compile(
    r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3|--x-s3|--table-s3|\.mrap)$)"
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)
_DEFAULT_REGION = "us-east-1"
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'
# What a setting's GET answers until it is put: an error's code, or a document.
_ABSENT: Mapping[str, str | tuple[str, Mapping[str, object]]] = {
    "accelerate": ("AccelerateConfiguration", {}),
    "analytics": "NoSuchConfiguration",
    "cors": "NoSuchCORSConfiguration",
    "encryption": (
        "ServerSideEncryptionConfiguration",
        {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}},
    ),
    "intelligent-tiering": "NoSuchConfiguration",
    "inventory": "NoSuchConfiguration",
    "lifecycle": "NoSuchLifecycleConfiguration",
    "logging": ("BucketLoggingStatus", {}),
    "metrics": "NoSuchConfiguration",
    "notification": ("NotificationConfiguration", {}),
    "object-lock": "ObjectLockConfigurationNotFoundError",
    "ownershipControls": "OwnershipControlsNotFoundError",
    "policy": "NoSuchBucketPolicy",
    "policyStatus": "NoSuchBucketPolicy",
    "publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
    "replication": "ReplicationConfigurationNotFoundError",
    "requestPayment": ("RequestPaymentConfiguration", {"Payer": "BucketOwner"}),
    "tagging": "NoSuchTagSet",
    "versioning": ("VersioningConfiguration", {}),
    "website": "NoSuchWebsiteConfiguration",
}
SETTINGS = frozenset(_ABSENT)


async def create_bucket(store: Store, request: S3Request) -> Answer:
    """CreateBucket: in the region that the request names."""
    body, region = await request.body.document(), _DEFAULT_REGION
    if body.strip():
        root = read_xml(body, "CreateBucketConfiguration")
        region = root.findtext("LocationConstraint") or region
    await make_bucket(store, request.bucket, region)
    return Answer(200, {"Location": f"/{request.bucket}"})


async def make_bucket(store: Store, name: str, region: str = _DEFAULT_REGION) -> None:
    """Make a bucket of a name that S3 allows; in its first region, one that is there is made again.

    Raises
    ------
    S3Error
        InvalidBucketName or BucketAlreadyOwnedByYou.
    """
    if not _NEW_NAME.fullmatch(name):
        raise S3Error(400, "InvalidBucketName", "The specified bucket is not valid.", BucketName=name)
    if not await store.create_bucket(name, region) and region != _DEFAULT_REGION:
        message = "Your previous request to create the named bucket succeeded and you already own it."
        raise S3Error(409, "BucketAlreadyOwnedByYou", message, BucketName=name)


async def head_bucket(store: Store, request: S3Request) -> Answer:
    """HeadBucket."""
    return Answer(200, {"x-amz-bucket-region": store.bucket(request.bucket).facts["region"]})


async def get_location(store: Store, request: S3Request) -> Answer:
    """GetBucketLocation: an empty name for S3's first region."""
    region = store.bucket(request.bucket).facts["region"]
    return xml_answer("LocationConstraint", {}) if region == _DEFAULT_REGION else _text_document(region)


def _text_document(region: str) -> Answer:
    answer = xml_answer("LocationConstraint", {"Region": region})
    return Answer(200, answer.headers, answer.body.replace(b"<Region>", b"").replace(b"</Region>", b""))


async def delete_bucket(store: Store, request: S3Request) -> Answer:
    """DeleteBucket: an empty one."""
    async with store.changing(request.bucket) as bucket:
        if bucket.versions:
            message = "The bucket you tried to delete is not empty"
            raise S3Error(409, "BucketNotEmpty", message, BucketName=request.bucket)
        await store.run(store.disk.remove_bucket, request.bucket)
        del store.buckets[request.bucket]
    return Answer(204)


def _setting_name(request: S3Request) -> str:
    name = next(name for name in SETTINGS if name in request.query)
    return f"{name}&id={request.query['id']}" if "id" in request.query else name


async def get_setting(store: Store, request: S3Request) -> Answer:
    """Answer a bucket's setting as it was put, or what S3 answers before it was."""
    settings, name = store.bucket(request.bucket).settings, _setting_name(request)
    if name in settings:
        kind = "application/json" if name == "policy" else "application/xml"
        return Answer(200, {"Content-Type": kind}, settings[name])
    absent = _ABSENT[name.partition("&")[0]]
    if isinstance(absent, str):
        raise S3Error(404, absent, "The bucket doesn't have this setting", BucketName=request.bucket)
    return xml_answer(*absent)


async def change_setting(store: Store, request: S3Request) -> Answer:
    """Keep a bucket's setting, or forget it. Only versioning has an effect."""
    name = _setting_name(request)
    body = await request.body.document()
    async with store.changing(request.bucket) as bucket:
        settings = bucket.settings
        if request.method == "PUT":
            settings[name] = _checked_setting(name, body)
        else:
            settings.pop(name, None)
        encoded = {key: base64.b64encode(value).decode() for key, value in settings.items()}
        await store.write_bucket(request.bucket, {**bucket.facts, "sub_resources": encoded})
    return Answer(200 if request.method == "PUT" and name != "policy" else 204)


def _checked_setting(name: str, body: bytes) -> bytes:
    if name == "policy":
        try:
            json.loads(body)
        except ValueError as error:
            raise S3Error(400, "MalformedPolicy", "Policies must be valid JSON") from error
        return body
    root = read_xml(body, "VersioningConfiguration" if name == "versioning" else None)
    if name == "versioning":
        status = root.findtext("Status")
        if status not in {"Enabled", "Suspended"}:
            message = "The versioning configuration specified in the request is invalid"
            raise S3Error(400, "IllegalVersioningConfigurationException", message)
    return body


async def get_acl(store: Store, request: S3Request) -> Answer:
    """GetBucketAcl, GetObjectAcl: the owner may do everything; others aren't told apart."""
    store.bucket(request.bucket)
    if request.key:
        store.version(request.bucket, request.key, request.query.get("versionId"))
    content = {"Owner": OWNER, "AccessControlList": {"Grant": {"Grantee": OWNER, "Permission": "FULL_CONTROL"}}}
    answer = xml_answer("AccessControlPolicy", content)
    return Answer(200, answer.headers, answer.body.replace(b"<Grantee>", f"<Grantee {_XSI}>".encode()))


async def put_acl(store: Store, request: S3Request) -> Answer:
    """PutBucketAcl, PutObjectAcl: taken without an effect."""
    await request.body.document()
    # It fails where there is nothing to put it on.
    await get_acl(store, request)
    return Answer()


async def refuse(_store: Store, request: S3Request) -> Answer:
    """Refuse what the bucket doesn't do, and name it."""
    raise not_implemented(f"{request.method} with {', '.join(request.query) or 'this body'}")
