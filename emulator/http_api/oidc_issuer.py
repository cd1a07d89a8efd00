"""The emulator's own issuer of tokens: keeps its RSA keys in a file, signs tokens, and publishes the public keys.

It has no users and asks for no password: whoever can read the key file can sign a token. The documents are served
under `OIDC_PATH`; source: OpenID Connect Discovery 1.0, RFC 7517 (keys) and RFC 7638 (their ids).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

from emulator.durable_files import make_folder, sync_folder, write_durably
from emulator.http_server import OIDC_PATH
from emulator.template.errors import ProjectError

# The name of the key file in the emulator's state folder.
KEY_FILE = "oidc-keys.pem"
ALGORITHM = "RS256"
_KEY_BITS = 2048
_PUBLIC_EXPONENT = 65_537
_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----\s*", re.DOTALL)


class KeyFileError(ProjectError):
    """The key file holds no usable key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} holds no RSA private keys: remove it, and the next token gets a new key")


def own_issuer(api_url: str) -> str:
    """Return the issuer's address at an API's, for instance ``http://127.0.0.1:3000/_emulator/oidc``."""
    return api_url.rstrip("/") + OIDC_PATH


def issue_token(key_file: Path, *, issuer: str, audience: str, scope: str, expires_s: float, now: float) -> str:
    """Return a signed token. The key file is made if it doesn't exist.

    Parameters
    ----------
    issuer : str
        As `own_issuer` returns it.
    scope : str
        Scopes with spaces between them; empty for a token without any.
    expires_s : float
        Seconds until the token expires.
    now : float
        Seconds since 1970.

    Raises
    ------
    KeyFileError
        The file exists and holds no RSA private key.
    """
    key = _private_keys(key_file)[0]
    claims: dict[str, Any] = {"iss": issuer, "aud": audience, "sub": "emulator"}
    claims |= {"iat": int(now), "exp": int(now + expires_s)}
    if scope:
        claims["scope"] = scope
    return jwt.encode(claims, key, ALGORITHM, headers={"kid": _public_jwk(key)["kid"]})


def discovery_document(issuer: str) -> dict[str, Any]:
    """Return what is served under ``/.well-known/openid-configuration``."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks.json",
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "subject_types_supported": ["public"],
        "response_types_supported": ["token"],
    }


def key_set(key_file: Path) -> dict[str, Any]:
    """Return the public keys, newest first, as a JSON Web Key Set. The key file is made if it doesn't exist."""
    return {"keys": [_public_jwk(key) for key in _private_keys(key_file)]}


def rotate_key(key_file: Path) -> None:
    """Let a new key sign from now on. The key before it stays published, so that its tokens go on until they expire."""
    key = _private_keys(key_file)[0]
    write_durably(key_file, [_pem(_new_key()), _pem(key)])


def _private_keys(key_file: Path) -> list[RSAPrivateKey]:
    if not key_file.exists():
        _make_key_file(key_file)
    try:
        # Validating a key takes longer than all the rest, and the file is the emulator's own.
        keys = [
            load_pem_private_key(block, None, unsafe_skip_rsa_key_validation=True)
            for block in _PEM.findall(key_file.read_bytes())
        ]
    except (TypeError, ValueError) as error:
        raise KeyFileError(key_file) from error
    rsa_keys = [key for key in keys if isinstance(key, RSAPrivateKey)]
    if not rsa_keys or len(rsa_keys) != len(keys):
        raise KeyFileError(key_file)
    return rsa_keys


def _make_key_file(key_file: Path) -> None:
    """Make the file in one step: of two processes that do so at once, both use the first one's key."""
    make_folder(key_file.parent)
    # Only its owner may read a file of mkstemp.
    descriptor, temporary = tempfile.mkstemp(dir=key_file.parent, prefix=f".{KEY_FILE}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_pem(_new_key()))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, key_file)
        except FileExistsError:
            return
        sync_folder(key_file.parent)
    finally:
        Path(temporary).unlink()


def _new_key() -> RSAPrivateKey:
    return generate_private_key(_PUBLIC_EXPONENT, _KEY_BITS)


def _pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_jwk(key: RSAPrivateKey) -> dict[str, Any]:
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    # RFC 7638: a key's id is the hash of the members that make it this key, in alphabetical order.
    own_members = {name: public[name] for name in ("e", "kty", "n")}
    digest = hashlib.sha256(json.dumps(own_members, separators=(",", ":")).encode()).digest()
    kid = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
    return {**own_members, "kid": kid, "alg": ALGORITHM, "use": "sig"}
