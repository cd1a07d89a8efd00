"""``make run`` in each mode: who gets an answer, by curl, boto3's signer and a JWT library that the emulator lacks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from joserfc import jwt
from joserfc.jwk import RSAKey

from emulator.http_api.oidc_issuer import KEY_FILE
from peerloan.access import find_access
from peerloan.load import load
from peerloan.workplace import PROJECT, Workplace

if TYPE_CHECKING:
    from tests.integration.peerloan.conftest import Peerloan

BODY = json.loads((PROJECT / "events" / "late-payer.json").read_text())["body"].encode()


class RunningApi:
    """An API that `peerloan up --auth MODE` started."""

    def __init__(self, peerloan: Peerloan, mode: str) -> None:
        self.peerloan = peerloan
        self.process, self.printed = peerloan.up("--auth", mode)
        notes = json.loads((peerloan.folder / "state" / "running.json").read_text())
        self.url, self.auth = notes["api_url"], notes["auth"]

    def status(self, path: str = "/predict", headers: Mapping[str, str] | None = None) -> int:
        """Return the status of a POST of a record, or of a GET of another path."""
        body = BODY if path == "/predict" else None
        sent = {"Content-Type": "application/json", **(headers or {})}
        method = "POST" if body else "GET"
        return requests.request(method, self.url + path, data=body, headers=sent, timeout=30).status_code

    def printed_request(self) -> Any:
        """Run the printed curl command as a shell does, and return the answer."""
        line = next(line for line in self.printed.splitlines() if line.startswith("curl "))
        done = subprocess.run(["sh", "-c", line], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def signed_headers(self, service: str = "execute-api", secret: str = "local") -> dict[str, str]:
        request = AWSRequest("POST", f"{self.url}/predict", data=BODY)
        SigV4Auth(Credentials("local", secret), service, "us-east-1").add_auth(request)
        return dict(request.headers.items())

    def commands_work(self) -> None:
        """Check that the commands authenticate by themselves."""
        assert "late" in self.peerloan.run("predict", "events/late-payer.json").stdout
        status = self.peerloan.run("status").stdout
        assert status.startswith(f"address  {self.url}, AUTH={self.auth['mode']}\napi      ready\n")
        assert self.load() == {200}

    def load(self) -> set[int]:
        """Return the statuses of the answers that the load's clients get."""
        workplace = Workplace(
            environ=os.environ,
            clock=lambda: datetime.now(UTC),
            new_id=lambda: "1",
            who="tester",
            state_dir=self.peerloan.folder / "state",
        )

        async def send() -> set[int]:
            access = find_access(workplace, self.url)
            async with load(f"{self.url}/predict", [BODY], 2, access=access) as answers:
                while len(answers) < 4:
                    await asyncio.sleep(0.01)
            return {answer.status for answer in answers}

        return asyncio.run(send())

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0


def test_an_open_api_answers_everybody(peerloan: Peerloan) -> None:
    api = RunningApi(peerloan, "open")
    assert api.auth == {"mode": "open"}
    assert (api.status(), api.status("/readyz"), api.status("/livez")) == (200, 200, 200)
    assert api.printed_request()["predictions"]
    api.commands_work()
    refused = peerloan.run("token")
    assert refused.returncode == 2
    assert "runs with AUTH=open and takes no tokens. Start it with: make run AUTH=jwt" in refused.stderr
    api.close()
    refused = peerloan.run("token")
    assert (refused.returncode, "runs, so nobody takes a token" in refused.stderr) == (2, True)


def test_an_api_with_iam_answers_signed_requests_alone(peerloan: Peerloan, monkeypatch: pytest.MonkeyPatch) -> None:
    # The user's own credentials never reach the local stack, and never sign for it.
    monkeypatch.setitem(os.environ, "AWS_ACCESS_KEY_ID", "AKIAOFTHEUSER")
    api = RunningApi(peerloan, "iam")
    assert "AKIAOFTHEUSER" not in api.printed
    assert api.status("/livez") == 200
    assert (api.status(), api.status("/readyz"), api.status("/nowhere")) == (403, 403, 403)
    assert api.status(headers={"Authorization": "Bearer abc"}) == 403
    # boto3's signer.
    assert api.status(headers=api.signed_headers()) == 200
    assert api.status(headers=api.signed_headers(secret="another")) == 403
    assert api.status(headers=api.signed_headers(service="lambda")) == 403
    # curl's signer.
    assert "--aws-sigv4 aws:amz:us-east-1:execute-api --user local:local" in api.printed
    assert api.printed_request()["predictions"]
    api.commands_work()
    api.close()


def test_an_api_with_jwt_answers_tokens_of_its_issuer_alone(peerloan: Peerloan) -> None:
    api = RunningApi(peerloan, "jwt")
    assert api.auth["issuer"] == f"{api.url}/_emulator/oidc"
    assert api.status("/livez") == 200
    assert (api.status(), api.status("/readyz"), api.status("/nowhere")) == (401, 401, 401)
    assert api.status(headers=api.signed_headers()) == 401
    statuses = {}
    for words in ((), ("--scope", "other"), ("--audience", "other"), ("--scope", "read predict", "--expires", "1m")):
        token = peerloan.run("token", *words)
        assert token.returncode == 0, token.stderr
        statuses[words] = api.status(headers={"Authorization": f"Bearer {token.stdout.strip()}"})
    assert list(statuses.values()) == [200, 403, 401, 200]
    # Another library: by the issuer's key, and by a key that only claims to be it.
    header = read_header(peerloan.run("token").stdout)
    for key, status in ((issuer_key(peerloan.folder), 200), (RSAKey.generate_key(2048), 401)):
        assert api.status(headers={"Authorization": f"Bearer {other_token(api, header, key)}"}) == status
    # curl sends what the printed command gets from `peerloan token`.
    assert "Authorization: Bearer $(" in api.printed
    assert api.printed_request()["predictions"]
    api.commands_work()
    too_long = peerloan.run("token", "--expires", "9000h")
    assert (too_long.returncode, "a token is valid for 30 days at most" in too_long.stderr) == (2, True)
    log = (peerloan.folder / "state" / "start-api.log").read_text()
    assert "Bearer" not in log
    assert token.stdout.strip().rpartition(".")[2] not in log
    api.close()


def issuer_key(folder: Path) -> RSAKey:
    return RSAKey.import_key((folder / "state" / "lambda" / KEY_FILE).read_bytes())


def read_header(token: str) -> dict[str, Any]:
    import base64

    part = token.split(".", maxsplit=1)[0]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def other_token(api: RunningApi, header: dict[str, Any], key: RSAKey) -> str:
    now = int(time.time()) - 1
    claims = {"iss": api.auth["issuer"], "aud": "peerloan", "scope": "predict", "iat": now, "exp": now + 60}
    return jwt.encode({"alg": "RS256", "kid": header["kid"]}, claims, key)
