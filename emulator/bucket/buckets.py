"""Operations on buckets: make and remove them, and switch versioning on."""

from __future__ import annotations

from emulator.bucket.answers import Answer, S3Error, read_xml, xml_answer
from emulator.bucket.requests import S3Request
from emulator.bucket.store import FIRST_REGION, Store


async def create_bucket(store: Store, request: S3Request) -> Answer:
    """CreateBucket: in the region that the request names."""
    body, region = await request.body.document(), None
    if body.strip():
        region = read_xml(body, "CreateBucketConfiguration").findtext("LocationConstraint")
    await store.create_bucket(request.bucket, region or FIRST_REGION)
    return Answer(200, {"Location": f"/{request.bucket}"})


async def head_bucket(store: Store, request: S3Request) -> Answer:
    """HeadBucket."""
    return Answer(200, {"x-amz-bucket-region": store.bucket(request.bucket).facts["region"]})


async def get_location(store: Store, request: S3Request) -> Answer:
    """GetBucketLocation: an empty name for S3's first region."""
    region = store.bucket(request.bucket).facts["region"]
    return xml_answer("LocationConstraint", "" if region == FIRST_REGION else region)


async def delete_bucket(store: Store, request: S3Request) -> Answer:
    """DeleteBucket: an empty one."""
    async with store.changing(request.bucket) as bucket:
        if bucket.versions:
            raise S3Error("BucketNotEmpty", BucketName=request.bucket)
        await store.run(store.disk.remove_bucket, request.bucket)
        del store.buckets[request.bucket]
    return Answer(204)


async def get_versioning(store: Store, request: S3Request) -> Answer:
    """GetBucketVersioning: nothing before it was switched on once."""
    return xml_answer("VersioningConfiguration", {"Status": store.bucket(request.bucket).versioning or None})


async def put_versioning(store: Store, request: S3Request) -> Answer:
    """PutBucketVersioning: switch it on, or suspend it."""
    status = read_xml(await request.body.document(), "VersioningConfiguration").findtext("Status")
    if status not in {"Enabled", "Suspended"}:
        raise S3Error("IllegalVersioningConfigurationException")
    await store.set_versioning(request.bucket, status)
    return Answer()


async def refuse(_store: Store, request: S3Request) -> Answer:
    """Refuse what the bucket doesn't do, and name it."""
    what = f"{request.method} with the parameters {', '.join(request.query) or 'that it has'}"
    raise S3Error("NotImplemented", f"The emulator's bucket doesn't implement {what}.")
