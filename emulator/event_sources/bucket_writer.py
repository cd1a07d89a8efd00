"""Writes objects over S3's API."""

from __future__ import annotations

from emulator.s3_client import make_s3_client

_CONNECT_LIMIT_S = 1
_READ_LIMIT_S = 5


class BucketWriter:
    """A client of one S3 server. Each write is tried once: the caller retries."""

    def __init__(self, endpoint_url: str) -> None:
        self._client = make_s3_client(
            endpoint_url,
            connect_timeout=_CONNECT_LIMIT_S,
            read_timeout=_READ_LIMIT_S,
            retries={"total_max_attempts": 1},
        )

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """See `ObjectWriter`."""
        self._client.put_object(Bucket=bucket, Key=key, Body=body)
