"""Routes with ``AuthorizationType: AWS_IAM``: checks a request's signature by signing it once more, with botocore.

Source: IAM user guide, "AWS Signature Version 4 for API requests". IAM policies aren't evaluated: whoever has the local
credentials may call every route. A signature is never logged.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from emulator.http_api.requests import HttpRequest
from emulator.lambda_service.function_version import LocalCredentials

SERVICE = "execute-api"
CLOCK_WINDOW = dt.timedelta(minutes=5)
_MAX_EXPIRES_S = 7 * 24 * 3600
_ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(rf"{_ALGORITHM} +Credential=([^, ]+), *SignedHeaders=([^, ]+), *Signature=([0-9a-f]{{64}})")
_SIGNATURE_IN_QUERY = re.compile(r"(^|&)X-Amz-Signature=[^&]*")


class SignatureError(ValueError):
    """A request isn't signed as it must be; the message says why, and repeats nothing of the signature."""


@dataclass(frozen=True, slots=True)
class _Signature:
    """What a request says about how it is signed."""

    credential: str
    signed_headers: frozenset[str]
    value: str
    date: str
    token: str | None
    # For how long a presigned request may be used; None for one that is signed in its headers.
    expires_s: int | None


class _SecondSigner(SigV4Auth):  # type: ignore[misc]
    """Signs the headers that the client has signed, also those that botocore itself leaves out."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        """Return all headers, since the request has only those to sign."""
        return request.headers


def check_signature(request: HttpRequest, credentials: LocalCredentials, region: str) -> None:
    """Check that the holder of the credentials has signed a request for this region's API, just now.

    Raises
    ------
    SignatureError
        It isn't signed, or by somebody else, or is another request than the signed one, or too old.
    """
    headers = _by_name(request.headers)
    signature = _read_signature(request, headers)
    key, *scope = signature.credential.split("/")
    if not hmac.compare_digest(key.encode(), credentials.access_key.encode()):
        raise SignatureError("the access key isn't that of the local credentials")
    if scope != [signature.date[:8], region, SERVICE, "aws4_request"]:
        raise SignatureError(f"the credential's scope isn't today's of {SERVICE} in {region}")
    if signature.token and not hmac.compare_digest(signature.token.encode(), (credentials.token or "").encode()):
        raise SignatureError("the session token isn't that of the local credentials")
    _check_time(signature, request.time)
    _check_what_is_signed(signature, headers, request.body)
    expected = _sign_again(request, headers, signature, credentials, region)
    if not hmac.compare_digest(signature.value.encode(), expected.encode()):
        raise SignatureError("the signature is of another request, or made with another secret key")


def caller_v2(credentials: LocalCredentials, account_id: str) -> dict[str, Any]:
    """Return ``requestContext.authorizer.iam`` of payload format 2.0."""
    return {
        "accessKey": credentials.access_key,
        "accountId": account_id,
        "callerId": credentials.access_key,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{account_id}:user/emulator",
        "userId": credentials.access_key,
    }


def caller_v1(credentials: LocalCredentials, account_id: str) -> dict[str, Any]:
    """Return what ``requestContext.identity`` of payload format 1.0 says of the caller."""
    caller = caller_v2(credentials, account_id)
    own_names = {name: caller[name] for name in ("accessKey", "accountId", "userArn")}
    return {**own_names, "caller": caller["callerId"], "user": caller["userId"]}


def _read_signature(request: HttpRequest, headers: Mapping[str, list[str]]) -> _Signature:
    authorization = ",".join(headers.get("authorization", ()))
    if authorization:
        match = _HEADER.fullmatch(authorization.strip())
        if match is None:
            raise SignatureError(f"the Authorization header isn't {_ALGORITHM}'s")
        date, token = (headers.get(name, [""])[0] for name in ("x-amz-date", "x-amz-security-token"))
        return _Signature(match[1], _names(match[2]), match[3], date, token, None)
    query = dict(parse_qsl(request.raw_query))
    try:
        if query["X-Amz-Algorithm"] != _ALGORITHM:
            raise SignatureError(f"X-Amz-Algorithm must be {_ALGORITHM}")
        expires = query["X-Amz-Expires"]
        return _Signature(
            query["X-Amz-Credential"],
            _names(query["X-Amz-SignedHeaders"]),
            query["X-Amz-Signature"],
            query["X-Amz-Date"],
            query.get("X-Amz-Security-Token"),
            int(expires) if re.fullmatch("[0-9]{1,6}", expires) else _MAX_EXPIRES_S + 1,
        )
    except KeyError:
        raise SignatureError("it isn't signed") from None


def _check_time(signature: _Signature, now: dt.datetime) -> None:
    try:
        signed_at = dt.datetime.strptime(signature.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        raise SignatureError("it has no X-Amz-Date like 20260309T070501Z") from None
    expires_s = signature.expires_s
    if expires_s is not None and not 0 < expires_s <= _MAX_EXPIRES_S:
        raise SignatureError(f"X-Amz-Expires must be a number of seconds up to {_MAX_EXPIRES_S}")
    longest = CLOCK_WINDOW if expires_s is None else dt.timedelta(seconds=expires_s)
    # The difference of two times always exists; the sum of the year 9999 and a week doesn't.
    if not -CLOCK_WINDOW <= now - signed_at <= longest:
        raise SignatureError("it was signed too long ago, or is from the future: compare the clocks")


def _check_what_is_signed(signature: _Signature, headers: Mapping[str, list[str]], body: bytes) -> None:
    # AWS wants the host and every x-amz- header signed; else these could be changed under a signature.
    needed = {"host", *(name for name in headers if name.startswith("x-amz-") and name != "x-amz-content-sha256")}
    if not needed <= signature.signed_headers or not signature.signed_headers <= headers.keys():
        raise SignatureError("the host and every x-amz- header must be signed, and each signed header sent")
    digest = hashlib.sha256(body).hexdigest()
    if any(value != digest for value in headers.get("x-amz-content-sha256", ())):
        raise SignatureError("X-Amz-Content-SHA256 isn't the hash of the body")


def _sign_again(
    request: HttpRequest,
    headers: Mapping[str, list[str]],
    signature: _Signature,
    credentials: LocalCredentials,
    region: str,
) -> str:
    # The signature itself isn't part of what is signed.
    query = _SIGNATURE_IN_QUERY.sub("", request.raw_query) if signature.expires_s is not None else request.raw_query
    # botocore hashes the body of what isn't sent by TLS, and never leaves it unsigned.
    url = f"http://localhost{request.raw_path}" + (f"?{query.lstrip('&')}" if query else "")
    signed = AWSRequest(request.method, url, data=request.body)
    for name in sorted(signature.signed_headers):
        for value in headers[name]:
            signed.headers.add_header(name, value)
    signed.context["timestamp"] = signature.date
    signer = _SecondSigner(Credentials(credentials.access_key, credentials.secret_key), SERVICE, region)
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    return str(signer.signature(text, signed))


def _by_name(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the headers' values by their names in lower case."""
    by_name: dict[str, list[str]] = {}
    for name, value in headers:
        by_name.setdefault(name.lower(), []).append(value)
    return by_name


def _names(text: str) -> frozenset[str]:
    return frozenset(text.lower().split(";"))
