"""JWT authorizers: which tokens are valid, how long the answer is remembered, and where an issuer's keys come from."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
from typing import Any

import pytest
from joserfc import jwk

from emulator.http_api.issuer_keys import KEEP_S, PAUSE_S, IssuerKeys
from emulator.http_api.jwt_authorizer import TokenChecker, TokenError, check_claims, issuer_address
from emulator.http_api.responses import HttpResponse
from emulator.template.http_api_spec import JwtAuthorizer
from tokens import AUDIENCE, ISSUER, FakeIssuer, rsa_key, sign

NOW = 1_800_000_000.0
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "aud": AUDIENCE, "sub": "me", "scope": "predict read", "iat": NOW, "nbf": NOW, "exp": NOW + 60,
}  # fmt: skip
KEY = rsa_key("one")
OTHER = rsa_key("two")


class Rig:
    """A checker of tokens with an issuer and a clock of its own."""

    def __init__(self, issuer: FakeIssuer | None = None) -> None:
        self.now = NOW
        self.issuer = issuer or FakeIssuer(KEY)
        keys = IssuerKeys(ISSUER, lambda: self.now, self.issuer.fetch)
        authorizer = JwtAuthorizer("A", ISSUER, (AUDIENCE, "more"))
        self.checker = TokenChecker(authorizer, keys, ISSUER, lambda: self.now)

    def ask(self, value: str | None, *scopes: str) -> HttpResponse | dict[str, Any]:
        return asyncio.run(self.checker.authorize(value, scopes))

    def status(self, value: str | None, *scopes: str) -> int:
        answer = self.ask(value, *scopes)
        return answer.status if isinstance(answer, HttpResponse) else 200


def segment(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer "])
@pytest.mark.fidelity("jwt-authorizers")
def test_a_valid_token_with_one_of_the_routes_scopes(algorithm: str, scheme: str) -> None:
    answer = Rig().ask(scheme + sign(CLAIMS, KEY, algorithm), "predict", "admin")
    assert answer["scopes"] == ["predict", "admin"]
    assert answer["claims"]["sub"] == "me"


@pytest.mark.fidelity("jwt-claims")
def test_claims_reach_the_event_as_texts() -> None:
    more = {"groups": ["a", "b"], "level": 3, "yes": True, "none": None, "part": {"b": 1, "a": "x"}}
    answer = Rig().ask(sign({**CLAIMS, **more}, KEY))
    assert answer["scopes"] is None
    assert {name: answer["claims"][name] for name in more} == {
        "groups": "[a b]", "level": "3", "yes": "true", "none": "<nil>", "part": "map[a:x b:1]",
    }  # fmt: skip
    assert all(isinstance(value, str) for value in answer["claims"].values())


def hs256(secret: bytes) -> str:
    """Return a token whose secret is a public key; joserfc refuses to make one."""
    signed = f"{segment({'alg': 'HS256', 'kid': 'one'})}.{segment(CLAIMS)}"
    digest = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def forged() -> dict[str, str]:
    """Tokens that nobody with the issuer's private key has signed."""
    good = sign(CLAIMS, KEY)
    head, body, signature = good.split(".")
    embedded = OTHER.as_dict(private=False)
    return {
        "alg none": f"{segment({'alg': 'none', 'kid': 'one'})}.{body}.",
        "alg none with a signature": f"{segment({'alg': 'None', 'kid': 'one'})}.{body}.{signature}",
        "HS256 by the public key": hs256(KEY.as_pem(private=False)),
        "an embedded key": sign(CLAIMS, OTHER, jwk=embedded),
        "an embedded key under the issuer's id": sign(CLAIMS, OTHER, jwk=embedded, kid="one"),
        "an address of keys": sign(CLAIMS, OTHER, jku="https://evil.test/keys", kid="two"),
        "an unknown key": sign(CLAIMS, OTHER),
        "another key's id": sign(CLAIMS, OTHER, kid="one"),
        "no key id": sign(CLAIMS, KEY, kid=None),
        "PS256": sign(CLAIMS, KEY, "PS256"),
        "other claims": f"{head}.{segment({**CLAIMS, 'sub': 'you'})}.{signature}",
        "no signature": f"{head}.{body}.",
        "an unknown critical header": sign(CLAIMS, KEY, crit=["x"], x=1),
        "two parts": f"{head}.{body}",
        "a deep header": f"{base64.urlsafe_b64encode(b'[' * 6000).decode()}.{body}.{signature}",
        "not ASCII": "é.é.é",
        "a signed request": "AWS4-HMAC-SHA256 Credential=a/b/us-east-1/execute-api/aws4_request, Signature=0",
        "nothing": "",
    }


@pytest.mark.parametrize("kind", sorted(forged()))
@pytest.mark.fidelity("jwt-refusals")
def test_a_forged_token_is_unauthorized(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    rig, token = Rig(), forged()[kind]
    caplog.set_level(logging.DEBUG)
    answer = rig.ask(f"Bearer {token}", "predict")
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body) == (401, b'{"message":"Unauthorized"}')
    assert not any("evil" in url for url in rig.issuer.fetched)
    for part in filter(None, token.split(".")):
        assert part not in caplog.text
        assert part not in str(answer.headers)


WRONG = [
    ({"iss": "https://else.test"}, "another issuer"),
    ({"iss": None}, "another issuer"),
    ({"aud": "else"}, "audience"),
    ({"aud": ["else", 7]}, "audience"),
    ({"aud": "else", "client_id": AUDIENCE}, "audience"),
    ({"aud": None}, "audience"),
    ({"exp": NOW}, "expired"),
    ({"exp": None}, "expired"),
    ({"exp": "soon"}, "exp must be a number"),
    ({"exp": True}, "exp must be a number"),
    ({"exp": 10**400}, "exp must be a number"),
    ({"nbf": NOW + 1}, "nbf is in the future"),
    ({"iat": NOW + 1}, "iat is in the future"),
]


@pytest.mark.parametrize(("change", "reason"), WRONG)
@pytest.mark.fidelity("jwt-refusals")
def test_a_token_from_or_for_somebody_else_or_of_another_time(change: dict[str, Any], reason: str) -> None:
    claims = {name: value for name, value in {**CLAIMS, **change}.items() if value is not None}
    answer = Rig().ask(sign(claims, KEY))
    assert isinstance(answer, HttpResponse)
    assert answer.status == 401
    assert reason in dict(answer.headers)["WWW-Authenticate"]


@pytest.mark.parametrize("change", [{"aud": ["else", AUDIENCE]}, {"aud": None, "client_id": "more"}, {"nbf": None}])
@pytest.mark.fidelity("jwt-authorizers")
def test_an_audience_may_be_one_of_several_or_the_client(change: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**CLAIMS, **change}.items() if value is not None}
    assert Rig().status(sign(claims, KEY)) == 200


@pytest.mark.parametrize("payload", [b"no JSON", b"[]", b'"text"', b'{"exp": NaN}'])
def test_claims_that_are_no_object_are_unauthorized(payload: bytes) -> None:
    assert Rig().status(sign(payload, KEY)) == 401


@pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_claims_that_are_nested_too_deeply_are_unauthorized(opening: bytes, closing: bytes) -> None:
    claims = json.dumps(CLAIMS).encode()[:-1] + b', "deep": '
    # How deep Python reads and writes JSON depends on its version.
    for depth, statuses in ((10, {200}), (700, {200, 401}), (900, {200, 401}), (5000, {200, 401}), (100_000, {401})):
        token = sign(claims + opening * depth + b"1" + closing * depth + b"}", KEY)
        assert Rig().status(token) in statuses


@pytest.mark.fidelity("jwt-refusals")
def test_no_token_is_unauthorized() -> None:
    answer = Rig().ask(None, "predict")
    assert isinstance(answer, HttpResponse)
    assert (answer.status, dict(answer.headers)["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("claims", [{"scp": ["predict"]}, {"scp": "a predict"}, {"scope": ["predict"]}])
@pytest.mark.fidelity("jwt-authorizers")
def test_scopes_are_in_scope_or_scp(claims: dict[str, Any]) -> None:
    token = sign({**CLAIMS, "scope": "", **claims}, KEY)
    assert Rig().status(token, "predict") == 200
    assert Rig().status(token, "predict2") == 403


@pytest.mark.fidelity("jwt-cache")
def test_a_token_that_one_route_took_needs_the_scopes_of_the_next() -> None:
    rig = Rig()
    token = sign(CLAIMS, KEY)
    assert [rig.status(token, scope) for scope in ("read", "write", "read")] == [200, 403, 200]
    refused = rig.ask(token, "write")
    assert isinstance(refused, HttpResponse)
    assert refused.body == b'{"message":"Forbidden"}'
    assert Rig().status(token, "predict", "write") == 200


@pytest.mark.fidelity("jwt-cache")
def test_a_remembered_token_expires() -> None:
    rig = Rig()
    token = sign(CLAIMS, KEY)
    assert rig.status(token) == 200
    rig.now += 59.9
    assert rig.status(token) == 200
    rig.now += 0.1
    assert rig.status(token) == 401


def test_the_number_of_remembered_tokens_is_limited() -> None:
    looked_up: list[str] = []

    class CountingKeys(IssuerKeys):
        async def find(self, kid: str, algorithm: str) -> Any:
            looked_up.append(kid)
            return await super().find(kid, algorithm)

    keys = CountingKeys(ISSUER, lambda: NOW, FakeIssuer(KEY).fetch)
    checker = TokenChecker(JwtAuthorizer("A", ISSUER, (AUDIENCE,)), keys, ISSUER, lambda: NOW, max_tokens=2)
    tokens = [sign({**CLAIMS, "jti": str(number)}, KEY) for number in range(3)]

    async def checks(*numbers: int) -> int:
        before = len(looked_up)
        for number in numbers:
            await checker.check(tokens[number])
        return len(looked_up) - before

    assert asyncio.run(checks(0, 1, 0, 1)) == 2
    assert asyncio.run(checks(2, 1, 2)) == 1
    assert asyncio.run(checks(0)) == 1, "the oldest was dropped"


@pytest.mark.fidelity("jwt-keys")
def test_keys_are_fetched_once_and_kept_for_two_hours() -> None:
    rig = Rig()
    claims = {**CLAIMS, "exp": NOW + 3 * KEEP_S}
    assert rig.status(sign(claims, KEY)) == 200
    assert rig.status(sign({**claims, "jti": "2"}, KEY)) == 200
    assert rig.issuer.fetched == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]
    rig.issuer.is_down = True
    rig.now = NOW + KEEP_S - 1
    assert rig.status(sign({**claims, "jti": "3"}, KEY)) == 200, "the cached keys go on"
    rig.now = NOW + KEEP_S
    assert rig.status(sign(claims, KEY)) == 401, "closed: no keys, nor what was found with them"
    rig.issuer.is_down = False
    rig.now += PAUSE_S
    assert rig.status(sign(claims, KEY)) == 200


@pytest.mark.fidelity("jwt-keys")
def test_an_issuer_out_of_reach_closes_the_route(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.issuer.is_down = True
    token = sign(CLAIMS, KEY)
    assert [rig.status(token) for _ in range(5)] == [401] * 5
    assert len(rig.issuer.fetched) == 1, "one attempt in a second"
    assert "issuer https://issuer.test: no keys: nobody listens" in caplog.text
    assert token not in caplog.text


@pytest.mark.fidelity("jwt-keys")
def test_a_new_key_is_found_and_an_old_one_ends() -> None:
    rig = Rig()
    old, new = sign(CLAIMS, KEY), sign(CLAIMS, OTHER)
    assert (rig.status(old), rig.status(new)) == (200, 401)
    rig.issuer.published = FakeIssuer(KEY, OTHER).published
    rig.now += PAUSE_S
    assert (rig.status(new), rig.status(old)) == (200, 200)
    rig.issuer.published = FakeIssuer(OTHER).published
    rig.now += PAUSE_S
    assert rig.status(sign(CLAIMS, rsa_key("three"))) == 401, "and has the keys fetched again"
    assert (rig.status(new), rig.status(old)) == (200, 401)


def test_requests_at_once_wait_for_one_fetch() -> None:
    rig = Rig()

    async def ask() -> list[Any]:
        tokens = [sign({**CLAIMS, "jti": str(number)}, KEY) for number in range(5)]
        return await asyncio.gather(*(rig.checker.authorize(token, ()) for token in tokens))

    assert all(isinstance(answer, dict) for answer in asyncio.run(ask()))
    assert len(rig.issuer.fetched) == 2


ONE = FakeIssuer(KEY).published[0]


@pytest.mark.parametrize(
    "published",
    [
        [{**ONE, "use": "enc"}],
        [{**ONE, "alg": "RS512"}],
        [{**ONE, "alg": "HS256"}],
        [{**ONE, "kty": "oct", "k": "c2VjcmV0"}],
        [{**ONE, "kid": 1}],
        [{**ONE, "n": "?"}],
        [{name: value for name, value in ONE.items() if name != "e"}],
        ["text", None],
        {"keys": ONE},
    ],
)
def test_keys_for_something_else_are_left_out(published: Any) -> None:
    issuer = FakeIssuer()
    issuer.published = published
    assert Rig(issuer).status(sign(CLAIMS, KEY)) == 401


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_short_key_is_left_out() -> None:
    short = jwk.RSAKey.generate_key(1024, {"kid": "short"})
    assert Rig(FakeIssuer(short)).status(sign(CLAIMS, short)) == 401


@pytest.mark.parametrize(
    "discovery",
    ["no", "[]", "{}", '{"jwks_uri": 1}', '{"jwks_uri": "http://issuer.test/keys"}', '{"jwks_uri": "file:///x"}'],
)
def test_a_discovery_document_without_a_safe_address_of_keys(discovery: str, caplog: pytest.LogCaptureFixture) -> None:
    issuer = FakeIssuer(KEY)

    async def fetch(url: str) -> bytes:
        return discovery.encode() if url.endswith("configuration") else await FakeIssuer.fetch(issuer, url)

    issuer.fetch = fetch  # type: ignore[method-assign]
    assert Rig(issuer).status(sign(CLAIMS, KEY)) == 401
    assert "no keys" in caplog.text


@pytest.mark.parametrize(
    ("issuer", "address"),
    [
        ("https://issuer.test/", "https://issuer.test/"),
        ("http://127.0.0.1:0/_emulator/oidc", "http://127.0.0.1:3000/_emulator/oidc"),
        ("http://localhost:0/_emulator/oidc/", "http://localhost:3000/_emulator/oidc"),
        ("http://127.0.0.1:80/_emulator/oidc", "http://127.0.0.1:80/_emulator/oidc"),
    ],
)
def test_the_emulators_own_issuer_has_whatever_port_is_free(issuer: str, address: str) -> None:
    assert issuer_address(issuer, 3000) == address


def test_a_claims_error_repeats_nothing_of_the_token() -> None:
    with pytest.raises(TokenError) as refused:
        check_claims({"iss": "a secret"}, ISSUER, (AUDIENCE,), NOW)
    assert "secret" not in str(refused.value)
