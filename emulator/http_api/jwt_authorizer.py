"""JWT authorizers: checks the tokens of one authorizer, and remembers the valid ones. Opens no sockets itself.

Source: API Gateway developer guide, "Control access to HTTP APIs with JWT authorizers". A token or a part of its
signature is never logged and never in an answer.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.exceptions import PyJWTError

from emulator.http_api.issuer_keys import ALGORITHMS, IssuerKeys
from emulator.http_api.responses import FORBIDDEN, UNAUTHORIZED, HttpResponse
from emulator.http_server import OIDC_PATH
from emulator.strict_json import read_json
from emulator.template.http_api_spec import JwtAuthorizer

_MAX_TOKENS = 10_000
_MAX_TIME_S = 1e12
_SCHEME = "bearer "
# It knows no other algorithms: neither "none" nor those whose key is a shared secret.
_jws = jwt.PyJWS(algorithms=ALGORITHMS)


class TokenError(ValueError):
    """A token isn't valid; the message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class CheckedToken:
    """A valid token: its claims as events have them, its scopes, and until when it may be used unchecked."""

    claims: Mapping[str, str]
    scopes: frozenset[str]
    expires: float
    # That of the issuer's keys when it was checked.
    generation: int


class TokenChecker:
    """Checks the tokens of one authorizer.

    A valid token is remembered by its hash until it or the issuer's keys expire. Which route it is for isn't part of
    that: `authorize` compares the scopes at each request. The clock gives seconds since 1970.
    """

    def __init__(
        self,
        authorizer: JwtAuthorizer,
        keys: IssuerKeys,
        issuer: str,
        clock: Callable[[], float],
        max_tokens: int = _MAX_TOKENS,
    ) -> None:
        self._max_tokens = max_tokens
        self._authorizer = authorizer
        self._issuer = issuer
        self._keys = keys
        self._clock = clock
        self._tokens: dict[bytes, CheckedToken] = {}

    async def authorize(self, value: str | None, scopes: tuple[str, ...]) -> HttpResponse | dict[str, Any]:
        """Return what events say of a valid token with one of a route's scopes, or else the response to send.

        ``value`` is that of the identity source. A route without scopes takes every valid token.
        """
        if value is None:
            return _refusal(UNAUTHORIZED, "Bearer")
        try:
            token = await self.check(_without_scheme(value))
        except TokenError as error:
            challenge = f'Bearer scope="{" ".join(scopes)}" error="invalid_token" error_description="{error}"'
            return _refusal(UNAUTHORIZED, challenge)
        if scopes and token.scopes.isdisjoint(scopes):
            return _refusal(FORBIDDEN, f'Bearer scope="{" ".join(scopes)}" error="insufficient_scope"')
        return {"claims": dict(token.claims), "scopes": list(scopes) or None}

    async def check(self, token: str) -> CheckedToken:
        """Return a token's claims and scopes; `TokenError` if it isn't valid now."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        checked = self._tokens.get(digest)
        if checked is None or checked.generation != self._keys.generation or self._clock() >= checked.expires:
            self._tokens.pop(digest, None)
            claims = await self._verified_claims(token)
            check_claims(claims, self._issuer, self._authorizer.audiences, self._clock())
            expires = min(float(claims["exp"]), self._keys.expires)
            checked = CheckedToken(_as_texts(claims), _scopes(claims), expires, self._keys.generation)
            if len(self._tokens) >= self._max_tokens:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[digest] = checked
        return checked

    async def _verified_claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that one of the issuer's own keys has signed."""
        try:
            # Of the header only these two count: a key in it, or an address of one, is whatever its sender likes.
            header = _jws.get_unverified_header(token)
            kid, algorithm = header.get("kid"), header.get("alg")
            if algorithm not in ALGORITHMS or not isinstance(kid, str):
                raise TokenError(f"the token must be signed by {', '.join(ALGORITHMS)}, and name its key as kid")
            key = await self._keys.find(kid, algorithm)
            if key is None:
                raise TokenError("the issuer has no such key, or can't be reached")
            claims = read_json(_jws.decode(token, key, algorithms=[algorithm]))
        except (PyJWTError, UnicodeError, RecursionError) as error:
            raise TokenError("the token isn't a JWT, or its signature is wrong") from error
        except TokenError:
            raise
        except ValueError as error:
            raise TokenError("the token's claims must be JSON") from error
        if not isinstance(claims, dict):
            raise TokenError("the token's claims must be an object")
        return claims


def issuer_address(issuer: str, port: int) -> str:
    """Return an issuer's address; ``http://127.0.0.1:0/_emulator/oidc`` is the emulator's own, on whatever port."""
    own, without_port = f":0{OIDC_PATH}", issuer.rstrip("/")
    return f"{without_port.removesuffix(own)}:{port}{OIDC_PATH}" if without_port.endswith(own) else issuer


def check_claims(claims: Mapping[str, Any], issuer: str, audiences: Iterable[str], now: float) -> None:
    """Check who a token is from and for, and its times; `TokenError` says what is wrong. ``now`` is since 1970."""
    if claims.get("iss") != issuer:
        raise TokenError("the token has another issuer")
    # An id token names its audience, and an access token may name its client only.
    audience = claims.get("aud", claims.get("client_id"))
    if not set(audiences) & _texts_in(audience if isinstance(audience, list) else [audience]):
        raise TokenError("the token does not have a valid audience")
    expires = _time(claims, "exp")
    if expires is None or now >= expires:
        raise TokenError("the token has expired")
    for name in ("nbf", "iat"):
        time = _time(claims, name)
        if time is not None and time > now:
            raise TokenError(f"the token's {name} is in the future")


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MAX_TIME_S:
        raise TokenError(f"the token's {name} must be a number of seconds")
    return value


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return a token's scopes: ``scope`` or ``scp``, as a list or as text with spaces."""
    values = (claims.get(name) for name in ("scope", "scp"))
    scopes = [value if isinstance(value, list) else str(value or "").split() for value in values]
    return frozenset().union(*map(_texts_in, scopes))


def _texts_in(values: Iterable[Any]) -> frozenset[str]:
    return frozenset(value for value in values if isinstance(value, str))


def _as_texts(claims: Mapping[str, Any]) -> dict[str, str]:
    try:
        return {name: _as_text(value) for name, value in claims.items()}
    except RecursionError as error:
        raise TokenError("the token's claims are nested too deeply") from error


def _as_text(value: Any) -> str:
    """Return a claim as events have it: lists as ``[a b]``; objects as ``map[a:b]`` (assumed, Go's way of writing)."""
    if isinstance(value, list):
        return f"[{' '.join(map(_as_text, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{name}:{_as_text(value[name])}' for name in sorted(value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)


def _without_scheme(value: str) -> str:
    value = value.strip()
    return value[len(_SCHEME) :].lstrip() if value[: len(_SCHEME)].lower() == _SCHEME else value


def _refusal(response: HttpResponse, challenge: str) -> HttpResponse:
    return dataclasses.replace(response, headers=(*response.headers, ("WWW-Authenticate", challenge)))
