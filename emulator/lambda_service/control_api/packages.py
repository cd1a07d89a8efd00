"""A function's code as it comes over the API: a zip file, in the request or in a bucket. It may be hostile."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.lambda_service.control_api.parameters import decode_base64
from emulator.lambda_service.control_plane.functions import MAX_ZIPPED_BYTES
from emulator.lambda_service.control_plane.zip_files import MAX_UNZIPPED_BYTES, TOO_LARGE, unpack
from emulator.lambda_service.errors import InvalidParameterError, LambdaApiError
from emulator.s3_client import make_s3_client

_S3_PARAMETERS = ("S3Bucket", "S3Key", "S3ObjectVersion")
PACKAGE_PARAMETERS = ("ZipFile", *_S3_PARAMETERS)
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Package:
    """An unpacked zip file."""

    folder: Path  # Its content
    sha256: str  # Of the zip file; base64, as ``CodeSha256`` is
    size_bytes: int  # Of the zip file


def receive(parameters: Mapping[str, Any], s3_endpoint: str | None, folder: Path) -> Package:
    """Unpack the package that UpdateFunctionCode names, into an empty folder.

    `s3_endpoint` is the address of a server that speaks S3, or None.

    Raises
    ------
    LambdaApiError
        No package is named, or two are; it can't be fetched, isn't a zip file, is too large, or
        has a name or a link that points outside the folder.
    """
    archive, unpacked = folder / "package.zip", folder / "unpacked"
    named = [name for name in _S3_PARAMETERS if name in parameters]
    if "ZipFile" in parameters:
        if named:
            raise InvalidParameterError("Please do not provide other FunctionCode parameters when providing a ZipFile.")
        content = decode_base64("zipFile", parameters["ZipFile"])
        if not content:
            raise InvalidParameterError("Uploaded file must be a non-empty zip")
        if len(content) > MAX_ZIPPED_BYTES:
            message = f"Zipped size must be smaller than {MAX_ZIPPED_BYTES} bytes"
            raise LambdaApiError("RequestEntityTooLargeException", 413, message)
        archive.write_bytes(content)
    elif {"S3Bucket", "S3Key"} <= set(named):
        _fetch(parameters, s3_endpoint, archive)
    else:
        raise InvalidParameterError("Please provide a source for function code.")
    unpacked.mkdir()
    with archive.open("rb") as file:
        unpack(file, unpacked)
        digest = hashlib.file_digest(file, "sha256")
    return Package(unpacked, base64.b64encode(digest.digest()).decode("ascii"), archive.stat().st_size)


def _fetch(parameters: Mapping[str, Any], s3_endpoint: str | None, target: Path) -> None:
    """Write an object of a bucket into a file."""
    if s3_endpoint is None:
        raise InvalidParameterError(
            "S3Bucket and S3Key need a bucket, and the emulator has none: name one with --s3-endpoint, "
            "or send the code as ZipFile"
        )
    from botocore.exceptions import BotoCoreError, ClientError

    client = make_s3_client(s3_endpoint)
    names = {"Bucket": "S3Bucket", "Key": "S3Key", "VersionId": "S3ObjectVersion"}
    try:
        answer = client.get_object(**{name: parameters[ours] for name, ours in names.items() if ours in parameters})
        if answer["ContentLength"] > MAX_UNZIPPED_BYTES:
            raise InvalidParameterError(TOO_LARGE)
        with target.open("wb") as file:
            for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                file.write(chunk)
    except ClientError as error:
        details = error.response["Error"]
        reason = f"S3 Error Code: {details['Code']}. S3 Error Message: {details['Message']}"
        raise InvalidParameterError(f"Error occurred while GetObject. {reason}") from None
    except BotoCoreError as error:
        raise InvalidParameterError(f"Error occurred while GetObject. {error}") from None
    finally:
        client.close()
