"""Routes with IAM: which signatures are taken, and what an event says of the caller."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from emulator.http_api.iam_authorizer import SignatureError, caller_v1, caller_v2, check_signature
from emulator.http_api.requests import HttpRequest
from emulator.lambda_service.function_version import LocalCredentials, local_credentials

KEYS = LocalCredentials("AKIALOCAL", "a-hidden-key", None)
REGION = "eu-west-1"
HOST = "127.0.0.1:3000"
BODY = b'{"a": 1}'


def to_request(method: str, target: str, headers: list[tuple[str, str]], body: bytes = BODY) -> HttpRequest:
    path, _, query = target.partition("?")
    return HttpRequest(
        method, path, query, headers, body, "127.0.0.1", 3000, "HTTP/1.1", "r", "t", dt.datetime.now(dt.UTC)
    )


def signed(
    method: str = "POST",
    target: str = "/predict",
    body: bytes = BODY,
    *,
    keys: LocalCredentials = KEYS,
    service: str = "execute-api",
    region: str = REGION,
    auth: Any = SigV4Auth,
    **headers: str,
) -> HttpRequest:
    """Return a request as botocore signs it."""
    credentials = Credentials(keys.access_key, keys.secret_key, keys.token)
    dashed = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method, f"http://{HOST}{target}", data=body, headers={"Host": HOST, **dashed})
    auth(credentials, service, region).add_auth(request)
    url = urlsplit(request.url)
    return to_request(method, f"{url.path}?{url.query}".rstrip("?"), list(request.headers.items()), body)


def reason(request: HttpRequest, keys: LocalCredentials = KEYS) -> str | None:
    """Return why a request is refused, or None."""
    try:
        check_signature(request, keys, REGION)
    except SignatureError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "target", ["/predict", "/", "/a%20b/%E2%82%AC", "/a//b/../c", "/a?b=1&a=2&b=0", "/a?empty=&x=%2F%20", "/a?flag"]
)
@pytest.mark.parametrize(("method", "body"), [("POST", BODY), ("GET", b"")])
@pytest.mark.fidelity("iam-authorizer")
def test_a_request_that_botocore_has_signed(method: str, body: bytes, target: str) -> None:
    assert reason(signed(method, target, body)) is None
    assert reason(signed("GET", target, b"", auth=SigV4QueryAuth)) is None


def signed_by_hand(headers: dict[str, str], path: str = "/predict") -> HttpRequest:
    """Return a request with every header signed, as the documentation describes it, without botocore."""
    date = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": HOST, "x-amz-date": date, **headers}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(BODY).hexdigest()}"
    scope = f"{date[:8]}/{REGION}/execute-api/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{KEYS.secret_key}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    words = f"AWS4-HMAC-SHA256 Credential={KEYS.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return to_request("POST", path, [*headers.items(), ("Authorization", words)])


@pytest.mark.fidelity("iam-authorizer")
def test_headers_that_botocore_never_signs_may_be_signed() -> None:
    assert reason(signed_by_hand({"user-agent": "curl/8", "content-type": "application/json"})) is None
    assert reason(signed_by_hand({"x-amz-content-sha256": hashlib.sha256(BODY).hexdigest()})) is None


def changed(request: HttpRequest, **headers: str | None) -> HttpRequest:
    """Return a request with other headers after it was signed; None leaves one out."""
    present = {name.lower(): value for name, value in request.headers}
    changes = {name.replace("_", "-"): value for name, value in headers.items()}
    present = {name: value for name, value in {**present, **changes}.items() if value is not None}
    return replace(request, headers=list(present.items()))


def authorization(request: HttpRequest) -> str:
    return next(value for name, value in request.headers if name == "Authorization")


def refused() -> dict[str, tuple[HttpRequest, str]]:
    good = signed(X_More="1")
    words = authorization(good)
    unsigned_date = words.replace(";x-amz-date", "")
    return {
        "nothing": (changed(good, authorization=None), "isn't signed"),
        "a token": (changed(good, authorization="Bearer a.b.c"), "isn't AWS4-HMAC-SHA256's"),
        "another secret": (signed(keys=replace(KEYS, secret_key="other")), "another request"),
        "another key": (signed(keys=replace(KEYS, access_key="AKIAOTHER")), "access key"),
        "another service": (signed(service="lambda"), "scope"),
        "another region": (signed(region="us-east-1"), "scope"),
        "another body": (replace(good, body=b"{}"), "another request"),
        "another path": (replace(good, raw_path="/other"), "another request"),
        "another query": (replace(good, raw_query="a=1"), "another request"),
        "another method": (replace(good, method="PUT"), "another request"),
        "another host": (changed(good, host="else"), "another request"),
        "another signed header": (changed(good, x_more="2"), "another request"),
        "a signed header less": (changed(good, x_more=None), "must be signed"),
        "one more x-amz- header": (changed(good, x_amz_meta="1"), "must be signed"),
        "an unsigned date": (changed(good, authorization=unsigned_date), "must be signed"),
        "an unsigned body": (changed(good, x_amz_content_sha256="UNSIGNED-PAYLOAD"), "hash of the body"),
        "no date": (changed(good, x_amz_date=None), "scope"),
        "a cut signature": (changed(good, authorization=words[:-1]), "isn't AWS4-HMAC-SHA256's"),
        "another signature": (changed(good, authorization=words[:-64] + "0" * 64), "another request"),
        "late": (replace(good, time=good.time + dt.timedelta(seconds=302)), "too long ago"),
        "early": (replace(good, time=good.time - dt.timedelta(seconds=302)), "from the future"),
    }


@pytest.mark.parametrize("kind", sorted(refused()))
@pytest.mark.fidelity("iam-authorizer")
def test_a_request_that_nobody_has_signed_like_that(kind: str) -> None:
    request, why = refused()[kind]
    said = reason(request) or ""
    assert why in said
    assert KEYS.access_key not in said
    assert authorization(signed(X_More="1"))[-64:] not in said


def presigned(expires: int = 300) -> HttpRequest:
    return signed("GET", "/a?b=1", b"", auth=lambda *words: SigV4QueryAuth(*words, expires=expires))


@pytest.mark.parametrize(("date", "why"), [("00010101T000000Z", "too long ago"), ("99991231T235959Z", "the future")])
def test_a_date_at_either_end_of_the_calendar_is_refused(date: str, why: str) -> None:
    today = signed("GET", "/a", b"")
    headers = authorization(today).replace(f"{dict(today.headers)['X-Amz-Date'][:8]}/", f"{date[:8]}/")
    assert why in (reason(changed(today, x_amz_date=date, authorization=headers)) or "")
    query = re.sub(r"[0-9]{8}(T[0-9]{6}Z|(?=%2F))", lambda match: date if match[1] else date[:8], presigned().raw_query)
    assert why in (reason(replace(presigned(), raw_query=query)) or "")


@pytest.mark.fidelity("iam-authorizer")
def test_a_presigned_request_ends_when_it_says() -> None:
    request = presigned(60)
    assert reason(request) is None
    assert "too long ago" in (reason(replace(request, time=request.time + dt.timedelta(seconds=62))) or "")
    assert "from the future" in (reason(replace(request, time=request.time - dt.timedelta(seconds=302))) or "")
    longer = replace(request, raw_query=request.raw_query.replace("Expires=60", "Expires=600"))
    assert "another request" in (reason(longer) or "")
    for value in ("0", "604801", "-1", "x", "é"):
        changed_query = request.raw_query.replace("Expires=60", f"Expires={value}")
        assert "X-Amz-Expires" in (reason(replace(request, raw_query=changed_query)) or "")
    for name in ("Credential", "SignedHeaders", "Signature", "Date"):
        without = "&".join(pair for pair in request.raw_query.split("&") if not pair.startswith(f"X-Amz-{name}="))
        assert "isn't signed" in (reason(replace(request, raw_query=without)) or "")
    strange = request.raw_query.rpartition("X-Amz-Signature=")[0] + "X-Amz-Signature=%C3%A9"
    assert "another request" in (reason(replace(request, raw_query=strange)) or "")


def test_temporary_credentials() -> None:
    keys = replace(KEYS, token="tok")
    assert reason(signed(keys=keys), keys) is None
    assert reason(signed("GET", "/a", b"", keys=keys, auth=SigV4QueryAuth), keys) is None
    assert "session token" in (reason(signed(keys=replace(KEYS, token="else")), keys) or "")
    assert "session token" in (reason(signed(keys=keys), KEYS) or "")


@pytest.mark.fidelity("iam-authorizer")
def test_the_credentials_are_those_of_the_emulator_or_its_own() -> None:
    assert local_credentials({}) == LocalCredentials("emulator", "emulator", "emulator")
    assert local_credentials({"AWS_ACCESS_KEY_ID": "a"}) == LocalCredentials()
    machine = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": ""}
    assert local_credentials(machine) == LocalCredentials("a", "s", None)
    assert "emulator" not in repr(LocalCredentials("a"))


@pytest.mark.fidelity("iam-caller")
def test_the_event_names_the_caller() -> None:
    assert caller_v2(KEYS, "12") == {
        "accessKey": "AKIALOCAL", "accountId": "12", "callerId": "AKIALOCAL", "cognitoIdentity": None,
        "principalOrgId": None, "userArn": "arn:aws:iam::12:user/emulator", "userId": "AKIALOCAL",
    }  # fmt: skip
    assert caller_v1(KEYS, "12") == {
        "accessKey": "AKIALOCAL", "accountId": "12", "caller": "AKIALOCAL", "user": "AKIALOCAL",
        "userArn": "arn:aws:iam::12:user/emulator",
    }  # fmt: skip
