"""An issuer of tokens for tests. It signs with joserfc, so that the emulator's own library isn't checked by itself."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from joserfc import jwk, jws

ISSUER = "https://issuer.test"
AUDIENCE = "loans"


@cache
def rsa_key(kid: str, bits: int = 2048) -> jwk.RSAKey:
    """Return a key; the same for the same id."""
    return jwk.RSAKey.generate_key(bits, {"kid": kid})


class _AnyHeader(jws.JWSRegistry):
    """Signs tokens whose headers make no sense, too."""

    def check_header(self, header: Any) -> None:
        """Let every header pass."""


def sign(claims: Any, key: Any, algorithm: str = "RS256", **header: Any) -> str:
    """Return a token with any claims and header."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    members = {"alg": algorithm, "kid": key.kid, **header}
    members = {name: value for name, value in members.items() if value is not None}
    registry = _AnyHeader(algorithms=[algorithm])
    return jws.serialize_compact(members, payload, key, registry=registry)


class FakeIssuer:
    """An issuer's documents, by address; counts how often they are fetched."""

    def __init__(self, *keys: jwk.RSAKey, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self.published: list[Any] = [dict(key.as_dict(private=False), use="sig") for key in keys]
        self.fetched: list[str] = []
        self.is_down = False

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if self.is_down:
            raise ConnectionError("nobody listens")
        if url == f"{self.issuer}/.well-known/openid-configuration":
            return json.dumps({"jwks_uri": f"{self.issuer}/keys"}).encode()
        return json.dumps({"keys": self.published}).encode()
