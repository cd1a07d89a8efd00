"""Makes clients of the S3 server that the emulator is told to use."""

from __future__ import annotations

from typing import Any


def make_s3_client(endpoint_url: str, **settings: Any) -> Any:
    """Return a boto3 client; ``settings`` are those of botocore's ``Config``.

    A local bucket takes any credentials, but botocore needs some to sign with, and a region.
    """
    # Imported here: it takes a fifth of a second, and most commands need no client.
    import boto3
    from botocore.config import Config

    keys = {"aws_access_key_id": "emulator", "aws_secret_access_key": "emulator"}
    credentials = {} if boto3.Session().get_credentials() else keys
    return boto3.client(
        "s3", endpoint_url=endpoint_url, region_name="us-east-1", config=Config(**settings), **credentials
    )
