"""Which requests are signed, which carry a token, and when a token is replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from botocore.exceptions import ProfileNotFound, SSOTokenLoadError

from peerloan.access import LocalTokens, OpenAccess, SignedAccess, TokenAccess, find_access, local_tokens
from peerloan.errors import ServiceError, UsageError
from peerloan.running_stack import try_lock
from peerloan.workplace import Workplace

URL = "http://127.0.0.1:13000"
NOW = 1_800_000_000.0


def workplace(state_dir: Path, environ: Mapping[str, str] | None = None) -> Workplace:
    clock = lambda: datetime.fromtimestamp(NOW, UTC)  # noqa: E731
    return Workplace(environ=environ or {}, clock=clock, new_id=lambda: "1", who="tester", state_dir=state_dir)


def leave_note(state_dir: Path, auth: Mapping[str, Any]) -> None:
    (state_dir / "running.json").write_text(json.dumps({"api_url": URL, "auth": auth}))


def test_the_local_stack_says_what_its_api_asks_for(tmp_path: Path) -> None:
    place = workplace(tmp_path, {"PEERLOAN_TOKEN": "t"})
    lock = try_lock(tmp_path)
    assert lock is not None
    with lock:
        leave_note(tmp_path, {"mode": "open"})
        assert isinstance(find_access(place, URL), OpenAccess)
        leave_note(tmp_path, {"mode": "iam", "region": "eu-west-1"})
        headers = find_access(place, f"{URL}/").headers("POST", f"{URL}/predict", b"{}")
        assert "Credential=local/" in headers["Authorization"]
        assert "/eu-west-1/execute-api/" in headers["Authorization"]
        leave_note(tmp_path, {"mode": "jwt", "issuer": f"{URL}/_emulator/oidc", "audience": "peerloan"})
        scheme, token = find_access(place, URL).headers("GET", URL, None)["Authorization"].split()
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (scheme, claims["scope"], claims["aud"], claims["iat"]) == ("Bearer", "predict", "peerloan", NOW)
        # The stack's credentials are for its own address alone.
        assert isinstance(find_access(workplace(tmp_path), "http://127.0.0.1:9"), OpenAccess)


def test_on_aws_a_token_is_sent_if_there_is_one_and_else_the_request_is_signed(tmp_path: Path) -> None:
    address = "https://abc123.execute-api.eu-central-1.amazonaws.com"
    signed = find_access(workplace(tmp_path), address)
    assert isinstance(signed, SignedAccess)
    assert signed.region == "eu-central-1"
    with_token = find_access(workplace(tmp_path, {"PEERLOAN_TOKEN": "abc"}), address)
    assert isinstance(with_token, TokenAccess)
    assert with_token.headers("GET", address, None) == {"Authorization": "Bearer abc"}
    for other in ("https://api.example.com", "https://abc123.execute-api.eu-central-1.amazonaws.com.evil.example"):
        assert isinstance(find_access(workplace(tmp_path), other), OpenAccess)


def test_without_credentials_nothing_is_sent() -> None:
    with pytest.raises(ServiceError, match="log in to AWS"):
        SignedAccess("us-east-1", lambda: None).headers("GET", URL, None)


def test_credentials_that_cant_be_had_are_an_error_that_says_what_to_do() -> None:
    def without_profile() -> Any:
        raise ProfileNotFound(profile="nobody")

    for get_credentials in (without_profile, _ExpiredLogin):
        with pytest.raises(ServiceError, match=r"log in to AWS .*(nobody|expired)"):
            SignedAccess("us-east-1", get_credentials).headers("GET", URL, None)


class _ExpiredLogin:
    """Credentials of a login, which are fetched when something is signed."""

    def get_frozen_credentials(self) -> Any:
        raise SSOTokenLoadError(error_msg="the login has expired")

    access_key = secret_key = token = property(get_frozen_credentials)


def test_a_token_is_used_until_shortly_before_it_expires(tmp_path: Path) -> None:
    times = [NOW]
    tokens = LocalTokens(tmp_path / "key.pem", "http://localhost:1/", "a", lambda: times[0])
    first = tokens.get()
    times[0] += 3500
    assert tokens.get() == first
    times[0] += 100
    assert tokens.get() != first
    assert first not in repr(tokens)


def test_without_a_stack_nobody_takes_a_token(tmp_path: Path) -> None:
    leave_note(tmp_path, {"mode": "jwt"})  # Left by a stack that was killed.
    with pytest.raises(UsageError, match="make run AUTH=jwt"):
        local_tokens(workplace(tmp_path))
