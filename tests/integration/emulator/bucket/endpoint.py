"""An S3 server under test: its boto3 clients, whose answers are checked, and plain HTTP to it."""

from __future__ import annotations

import contextlib
import http.client
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.emulator.bucket.answer_check import AnswerCheck

# Of the authorization that clients send, a server that checks no signature may read the scope.
SIGNED = {
    "Authorization": (
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    ),
    "x-amz-date": "20260101T000000Z",
}
MIN_PART = 5 * 1024 * 1024
_numbers = itertools.count(1)


@dataclass(frozen=True)
class HttpAnswer:
    """An HTTP response; the names of its headers are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """S3's error code, None for an answer without one."""
        try:
            return ElementTree.fromstring(self.body).findtext("Code")
        except ElementTree.ParseError:
            return None

    @property
    def refusal(self) -> tuple[int, str | None]:
        return self.status, self.code


@dataclass
class Endpoint:
    """A server's address. Clients are kept, since making one takes long.

    With ``is_checked`` each answer to a client is checked against botocore's model; moto's would fail.
    """

    url: str
    is_checked: bool = True
    _clients: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def client(self, **config: Any) -> Any:
        """Return a boto3 client that sends each request once; ``config`` is that of ``botocore.config.Config``."""
        key = tuple(sorted((name, repr(value)) for name, value in config.items()))
        if key not in self._clients:
            settings = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}, "read_timeout": 60}
            self._clients[key] = boto3.client(
                "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="test",
                aws_secret_access_key="test", config=Config(**{**settings, **config}),
            )  # fmt: skip
            if self.is_checked:
                AnswerCheck().register(self._clients[key])
        return self._clients[key]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def new_bucket(self) -> str:
        """Make a bucket and return its name."""
        name = f"suite-{next(_numbers)}"
        self.client().create_bucket(Bucket=name)
        return name

    def send(
        self, method: str, target: str, body: bytes | Iterable[bytes] = b"", *, is_signed: bool = True, **headers: str
    ) -> HttpAnswer:
        """Send one request over a connection of its own; ``_`` in a header's name stands for ``-``."""
        host, _, port = urlsplit(self.url).netloc.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(connection):
            connection.request(method, target, body, {**(SIGNED if is_signed else {}), **named})
            response = connection.getresponse()
            return HttpAnswer(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )


def path_of(bucket: str, key: str) -> str:
    return f"/{bucket}/{quote(key)}"


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    """Return the status and code that S3 refuses a call with."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def read(client: Any, bucket: str, key: str, **more: Any) -> bytes:
    return bytes(client.get_object(Bucket=bucket, Key=key, **more)["Body"].read())
