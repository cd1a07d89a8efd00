"""Routes that need a signed request: real processes, and botocore's signer and curl as clients."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SECRET = "a-secret-of-this-test"


@pytest.fixture(scope="module")
def api(start_for_module: Callable[..., Any], functions: Path) -> Any:
    template = str(functions / "authorized" / "template.yaml")
    keys = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": ""}
    return start_for_module("start-api", "-p", "0", "-t", template, "--region", "eu-west-1", env=keys)


def signed_headers(url: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    request = AWSRequest("POST", url, data=body, headers={"Host": url.split("/")[2]})
    SigV4Auth(Credentials("AKIATEST", secret), "execute-api", "eu-west-1").add_auth(request)
    return {name.replace("-", "_"): value for name, value in request.headers.items()}


@pytest.mark.fidelity("iam-authorizer", "iam-caller")
def test_a_signed_request_reaches_the_function(api: Any) -> None:
    answer = api.get("/signed/a%20b?c=1", "POST", b"{}", **signed_headers(f"{api.url}/signed/a%20b?c=1", b"{}"))
    caller = answer.json["event"]["requestContext"]["authorizer"]["iam"]
    assert (caller["accessKey"], caller["accountId"]) == ("AKIATEST", "123456789012")
    old = api.get("/old/signed", "POST", b"{}", **signed_headers(f"{api.url}/old/signed", b"{}"))
    identity = old.json["event"]["requestContext"]["identity"]
    assert (identity["accessKey"], identity["sourceIp"]) == ("AKIATEST", "127.0.0.1")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't installed")
@pytest.mark.fidelity("iam-authorizer")
def test_curl_signs_requests(api: Any) -> None:
    command = ["curl", "-sS", "--aws-sigv4", "aws:amz:eu-west-1:execute-api", "-d", '{"a": 1}', "-w", "%{http_code}"]
    command += ["-o", "/dev/null", "-H", "Content-Type: application/json", f"{api.url}/signed/a"]
    for user, status in ((f"AKIATEST:{SECRET}", "200"), ("AKIATEST:wrong", "403")):
        run = subprocess.run([*command, "--user", user], capture_output=True, text=True, timeout=60, check=True)
        assert run.stdout == status, api.log


@pytest.mark.fidelity("iam-authorizer")
def test_a_request_that_isnt_signed_is_forbidden_and_no_signature_is_logged(api: Any) -> None:
    wrong = signed_headers(f"{api.url}/signed/a", b"{}", "wrong")
    refused = ({}, wrong, {"Authorization": "Bearer a-token.of-this.test"})
    for headers in refused:
        answer = api.get("/signed/a", "POST", b"{}", **headers)
        assert (answer.status, answer.body) == (403, b'{"message":"Forbidden"}')
    assert "ANY /signed/{rest+}: the request is refused: it isn't signed" in api.log
    right = signed_headers(f"{api.url}/signed/a", b"{}")
    assert api.get("/signed/a", "POST", b"{}", **right).status == 200
    for secret in (SECRET, "AKIATEST", "of-this", *(words["Authorization"][-64:] for words in (right, wrong))):
        assert secret not in api.log


def test_a_signed_request_opens_no_route_with_tokens(api: Any) -> None:
    headers = signed_headers(f"{api.url}/token", b"{}")
    answer = api.get("/token", "POST", b"{}", **headers)
    assert (answer.status, answer.body) == (401, b'{"message":"Unauthorized"}')
