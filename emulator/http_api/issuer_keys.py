"""The public keys of a token's issuer: found by OpenID discovery, and kept for two hours as API Gateway does.

Source: API Gateway developer guide, "Control access to HTTP APIs with JWT authorizers" and "Quotas for configuring and
running an HTTP API". Assumed: a token with an unknown key has the keys fetched again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm
from jwt.exceptions import PyJWTError

from emulator.strict_json import read_json

ALGORITHMS = ("RS256", "RS384", "RS512")
KEEP_S = 7200.0
# The least time between two fetches: a flood of tokens with unknown keys must not become one of fetches.
PAUSE_S = 1.0
_FETCH_LIMIT_S = 1.5
_MAX_DOCUMENT_BYTES = 150_000
_MIN_KEY_BITS = 2048
_log = logging.getLogger(__name__)


class IssuerError(ValueError):
    """An issuer's documents can't be used."""


async def fetch_document(url: str) -> bytes:
    """Return the document at an address, within API Gateway's limits of time and size.

    Redirects aren't followed: they could lead from TLS to plain HTTP, where anybody on the way could give other keys.

    Raises
    ------
    aiohttp.ClientError, TimeoutError
        It can't be had.
    IssuerError
        It is elsewhere or too large, or the answer's status isn't 200.
    """
    # A proxy of the machine's settings can't reach addresses of the machine itself, which have no TLS.
    session = aiohttp.ClientSession(trust_env=url.startswith("https:"))
    async with asyncio.timeout(_FETCH_LIMIT_S), session, session.get(url, allow_redirects=False) as response:
        if response.status != HTTPStatus.OK:
            raise IssuerError(f"{url} answers {response.status}")
        content = b""
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > _MAX_DOCUMENT_BYTES:
                raise IssuerError(f"{url} has more than {_MAX_DOCUMENT_BYTES} bytes")
        return content


class IssuerKeys:
    """The RSA keys of one issuer, by their ids.

    Parameters
    ----------
    issuer : str
        Its address; discovery begins below it.
    fetch : callable
        Returns the document at an address, as `fetch_document` does.
    clock : callable
        Returns seconds, which only have to increase.

    Attributes
    ----------
    generation : int
        Changes whenever the issuer has other keys than before.
    expires : float
        When the keys mustn't be used any more without another fetch.
    """

    def __init__(
        self, issuer: str, clock: Callable[[], float], fetch: Callable[[str], Awaitable[bytes]] = fetch_document
    ) -> None:
        self.generation = 0
        self.expires = float("-inf")
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._published: object = None
        self._keys: dict[str, tuple[RSAPublicKey, str | None]] = {}
        self._next_fetch = float("-inf")
        self._fetching: asyncio.Future[None] | None = None

    async def find(self, kid: str, algorithm: str) -> RSAPublicKey | None:
        """Return the key with an id, if it is for this algorithm; None also where the issuer can't be reached."""
        now = self._clock()
        if (now >= self.expires or kid not in self._keys) and (self._fetching or now >= self._next_fetch):
            await self._refresh()
        if self._clock() >= self.expires or kid not in self._keys:
            return None
        key, only_algorithm = self._keys[kid]
        return key if only_algorithm in (None, algorithm) else None

    async def _refresh(self) -> None:
        """Fetch the keys; requests that come meanwhile wait for the same fetch."""
        if self._fetching is None:
            self._fetching = asyncio.ensure_future(self._fetch_keys())
        # Shielded: a client that hangs up must not end the fetch for the others.
        await asyncio.shield(self._fetching)

    async def _fetch_keys(self) -> None:
        try:
            published = await self._published_keys()
            if published != self._published:
                self._published, self._keys = published, dict(filter(None, map(_read_key, published)))
                self.generation += 1
            self.expires = self._clock() + KEEP_S
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            _log.warning("issuer %s: no keys: %s", self._issuer, str(error) or "no answer in time")
        finally:
            self._next_fetch = self._clock() + PAUSE_S
            self._fetching = None

    async def _published_keys(self) -> list[Any]:
        issuer = self._issuer.rstrip("/")
        discovery = read_json(await self._fetch(f"{issuer}/.well-known/openid-configuration"))
        address = discovery.get("jwks_uri") if isinstance(discovery, dict) else None
        schemes = ("https://",) if issuer.startswith("https://") else ("https://", "http://")
        if not isinstance(address, str) or not address.startswith(schemes):
            raise IssuerError(f"its openid-configuration must have a jwks_uri that begins with {' or '.join(schemes)}")
        document = read_json(await self._fetch(address))
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, list):
            raise IssuerError(f"{address} must be an object with a list of keys")
        return keys


def _read_key(jwk: Any) -> tuple[str, tuple[RSAPublicKey, str | None]] | None:
    """Return a published key with its id and its only algorithm, or None for one that isn't for these tokens."""
    if not isinstance(jwk, dict) or jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig":
        return None
    kid, algorithm = jwk.get("kid"), jwk.get("alg")
    if not isinstance(kid, str) or algorithm not in (None, *ALGORITHMS):
        return None
    try:
        # Without its private members, should an issuer publish these.
        key = RSAAlgorithm.from_jwk({name: jwk[name] for name in ("kty", "n", "e")})
    except (KeyError, TypeError, ValueError, PyJWTError):
        return None
    if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_KEY_BITS:
        return None
    return kid, (key, algorithm)
