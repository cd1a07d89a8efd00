"""Routes that need a token of the emulator's own issuer: real processes and sockets."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from emulator.http_api.oidc_issuer import KEY_FILE, issue_token, key_set, own_issuer
from tokens import rsa_key, sign


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state") / KEY_FILE


@pytest.fixture(scope="module")
def api(start_for_module: Callable[..., Any], functions: Path, key_file: Path) -> Any:
    template = str(functions / "authorized" / "template.yaml")
    return start_for_module("start-api", "-p", "0", "-t", template, "--state-dir", str(key_file.parent))


@pytest.fixture
def issue(api: Any, key_file: Path) -> Callable[..., str]:
    def issue_for(scope: str = "predict", **changes: Any) -> str:
        values = {"issuer": own_issuer(api.url), "audience": "loans", "expires_s": 60.0, "now": time.time(), **changes}
        return issue_token(key_file, scope=scope, **values)

    return issue_for


@pytest.mark.fidelity("own-issuer")
def test_the_issuer_publishes_the_keys_of_its_tokens(api: Any, issue: Callable[..., str]) -> None:
    discovery = api.get("/_emulator/oidc/.well-known/openid-configuration").json
    assert discovery["issuer"] == own_issuer(api.url)
    keys = api.get(discovery["jwks_uri"].removeprefix(api.url)).json
    assert all("d" not in key for key in keys["keys"])
    token = jwt.decode(issue(), KeySet.import_key_set(keys), algorithms=["RS256"])
    assert (token.claims["iss"], token.claims["aud"], token.claims["scope"]) == (
        own_issuer(api.url),
        "loans",
        "predict",
    )
    assert api.get("/_emulator/oidc/jwks.json", Host="evil.test").status == 403


@pytest.mark.fidelity("jwt-authorizers")
def test_a_token_opens_its_route_and_its_claims_reach_the_function(api: Any, issue: Callable[..., str]) -> None:
    token = issue("predict")
    answer = api.get("/scoped", Authorization=f"Bearer {token}")
    authorizer = answer.json["event"]["requestContext"]["authorizer"]
    assert authorizer["jwt"]["claims"]["scope"] == "predict"
    assert authorizer["jwt"]["claims"]["exp"].isdecimal()
    assert authorizer["jwt"]["scopes"] == ["predict", "admin"]
    without_scopes = api.get("/token", Authorization=token).json["event"]["requestContext"]["authorizer"]
    assert without_scopes["jwt"]["scopes"] is None
    old = api.get("/old/token", Authorization=token).json["event"]["requestContext"]["authorizer"]
    assert old == {"claims": without_scopes["jwt"]["claims"], "scopes": None}


@pytest.mark.fidelity("jwt-refusals")
def test_a_request_without_a_valid_token_is_refused(api: Any, issue: Callable[..., str]) -> None:
    stranger = sign({"iss": own_issuer(api.url), "aud": "loans", "exp": time.time() + 60}, rsa_key("stranger"))
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": f"Bearer {stranger}"}):
        answer = api.get("/scoped", **headers)
        assert (answer.status, answer.body) == (401, b'{"message":"Unauthorized"}')
        assert answer.header("WWW-Authenticate").startswith("Bearer")
    narrow = api.get("/scoped", Authorization=issue("other"))
    assert (narrow.status, narrow.body) == (403, b'{"message":"Forbidden"}')
    assert api.get("/token", Authorization=issue("other")).status == 200
    assert api.get("/scoped", Authorization=issue(audience="else")).status == 401
    assert api.get("/scoped", Authorization=issue(now=time.time() - 120)).status == 401
    assert api.get("/open").status == 200


@pytest.mark.fidelity("own-issuer")
def test_a_new_key_signs_and_the_one_before_goes_on(api: Any, issue: Callable[..., str], key_file: Path) -> None:
    old = issue()
    assert api.get("/token", Authorization=old).status == 200
    command = [sys.executable, "-m", "emulator", "rotate-token-key", "--state-dir", str(key_file.parent)]
    subprocess.run(command, check=True, timeout=60)
    new = issue()
    assert jws.extract_compact(new.encode()).headers()["kid"] != jws.extract_compact(old.encode()).headers()["kid"]
    time.sleep(1.1)  # The keys are fetched at most once in a second.
    assert [api.get("/token", Authorization=token).status for token in (new, old)] == [200, 200]


def test_no_token_is_in_the_log(api: Any, issue: Callable[..., str]) -> None:
    good, bad = issue(), issue(audience="else")
    for path in ("/scoped", "/signed/a"):
        for token in (good, bad):
            api.get(path, Authorization=f"Bearer {token}")
    for token in (good, bad):
        for part in token.split("."):
            assert part not in api.log


@pytest.mark.fidelity("own-issuer")
def test_a_token_survives_a_restart(start: Callable[..., Any], functions: Path, tmp_path: Path) -> None:
    template = str(functions / "authorized" / "template.yaml")
    key_set(tmp_path / "state" / KEY_FILE)  # A command that issues tokens may come before the emulator's first start.
    first = start("start-api", "-p", "0", "-t", template, "--state-dir", str(tmp_path / "state"))
    token = issue_token(
        tmp_path / "state" / KEY_FILE,
        issuer=own_issuer(first.url),
        audience="loans",
        scope="",
        expires_s=60,
        now=time.time(),
    )
    assert first.get("/token", Authorization=token).status == 200
    first.kill()
    port = first.url.rpartition(":")[2]
    again = start("start-api", "-p", port, "-t", template, "--state-dir", str(tmp_path / "state"))
    assert again.get("/token", Authorization=token).status == 200
