"""The emulator's own issuer: its key file, and the tokens that it signs."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from emulator.http_api.oidc_issuer import KEY_FILE, KeyFileError, issue_token, key_set, rotate_key


def issue(key_file: Path, scope: str = "predict") -> str:
    return issue_token(key_file, issuer="http://i", audience="loans", scope=scope, expires_s=90.5, now=1_000.7)


@pytest.mark.fidelity("own-issuer")
def test_a_token_verifies_by_the_published_keys(tmp_path: Path) -> None:
    key_file = tmp_path / "state" / KEY_FILE
    token = jwt.decode(issue(key_file), KeySet.import_key_set(key_set(key_file)), algorithms=["RS256"])
    assert token.header["kid"] == key_set(key_file)["keys"][0]["kid"]
    assert token.claims == {
        "iss": "http://i", "aud": "loans", "sub": "emulator", "scope": "predict", "iat": 1_000, "exp": 1_091,
    }  # fmt: skip
    without_scope = jwt.decode(issue(key_file, ""), KeySet.import_key_set(key_set(key_file)), algorithms=["RS256"])
    assert "scope" not in without_scope.claims


@pytest.mark.fidelity("own-issuer")
def test_the_key_is_made_once_and_its_owner_alone_can_read_it(tmp_path: Path) -> None:
    key_file = tmp_path / KEY_FILE
    with ThreadPoolExecutor(4) as pool:
        documents = list(pool.map(lambda _: key_set(key_file), range(4)))
    assert all(document == documents[0] for document in documents)
    assert len(documents[0]["keys"]) == 1
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [key_file], "nothing is left behind"


@pytest.mark.fidelity("own-issuer")
def test_rotation_keeps_one_key_before(tmp_path: Path) -> None:
    key_file = tmp_path / KEY_FILE
    first = key_set(key_file)["keys"][0]
    rotate_key(key_file)
    second, kept = key_set(key_file)["keys"]
    assert kept == first != second
    rotate_key(key_file)
    assert key_set(key_file)["keys"][1:] == [second]
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"text", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    key_file = tmp_path / KEY_FILE
    key_file.write_bytes(content)
    with pytest.raises(KeyFileError, match=f"{key_file} holds no RSA private keys: remove it"):
        issue(key_file)
