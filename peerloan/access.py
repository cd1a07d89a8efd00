"""How a client authenticates at the API: with a signature, a token, or not at all.

A running stack says what it asks for. On AWS a request to an address of API Gateway is signed with the user's
credentials, unless ``PEERLOAN_TOKEN`` holds a token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from peerloan.errors import ServiceError, UsageError
from peerloan.running_stack import read_running
from peerloan.workplace import LOCAL_CREDENTIALS, Workplace

TOKEN_VARIABLE = "PEERLOAN_TOKEN"  # noqa: S105
DEFAULT_SCOPE = "predict"
DEFAULT_AUDIENCE = "peerloan"
DEFAULT_EXPIRES_S = 3600.0
_SERVICE = "execute-api"
_AWS_HOST = re.compile(r"[a-z0-9]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_LOG_IN = "The request can't be signed: log in to AWS (aws configure, or AWS_PROFILE)."
# A token is replaced this long before it expires.
_REPLACE_S = 60.0


class AuthMode(StrEnum):
    """Values of the template's parameter ``AuthMode``."""

    OPEN = "open"
    IAM = "iam"
    JWT = "jwt"


class Access(Protocol):
    """Adds to a request what the API asks for."""

    def headers(self, method: str, url: str, body: bytes | None) -> Mapping[str, str]:
        """Return the headers that authenticate a request."""


class OpenAccess:
    """Sends a request as it is."""

    def headers(self, method: str, url: str, body: bytes | None) -> Mapping[str, str]:  # noqa: ARG002
        """See ``Access``."""
        return {}


@dataclass(frozen=True)
class TokenAccess:
    """Sends a token, which ``get_token`` returns."""

    get_token: Callable[[], str]

    def headers(self, method: str, url: str, body: bytes | None) -> Mapping[str, str]:  # noqa: ARG002
        """See ``Access``."""
        return {"Authorization": f"Bearer {self.get_token()}"}


@dataclass(frozen=True)
class SignedAccess:
    """Signs requests with AWS Signature Version 4. ``get_credentials`` returns botocore's credentials."""

    region: str
    get_credentials: Callable[[], Any]

    def headers(self, method: str, url: str, body: bytes | None) -> Mapping[str, str]:
        """See ``Access``; raises ``ServiceError`` without usable credentials."""
        # Imported here: botocore takes longer to import than a request to an open API takes.
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError, ClientError

        request = AWSRequest(method, url, data=body)
        try:
            credentials = self.get_credentials()
            if credentials is None:
                raise ServiceError(_LOG_IN)
            # Credentials that expire may be fetched only now.
            SigV4Auth(credentials, _SERVICE, self.region).add_auth(request)
        except (BotoCoreError, ClientError) as error:
            raise ServiceError(f"{_LOG_IN} {error}") from error
        return dict(request.headers.items())


@dataclass
class LocalTokens:
    """Tokens of a running stack's own issuer; makes another before one expires."""

    key_file: Path
    issuer: str
    audience: str
    clock: Callable[[], float]
    _token: str = field(default="", repr=False)
    _expires: float = 0.0

    def issue(self, *, scope: str = DEFAULT_SCOPE, audience: str | None = None, expires_s: float) -> str:
        """Return a new token."""
        # Imported here: it brings cryptography, and most commands need no token.
        from emulator.http_api.oidc_issuer import issue_token

        # Whole seconds, rounded down: a token's times may not be in the future.
        now = int(self.clock())
        return issue_token(
            self.key_file,
            issuer=self.issuer,
            audience=audience or self.audience,
            scope=scope,
            expires_s=expires_s,
            now=now,
        )

    def get(self) -> str:
        """Return a token that is valid for a minute or longer."""
        if self.clock() + _REPLACE_S >= self._expires:
            self._expires = self.clock() + DEFAULT_EXPIRES_S
            self._token = self.issue(expires_s=DEFAULT_EXPIRES_S)
        return self._token


def auth_mode(workplace: Workplace, url: str) -> str | None:
    """Return who may call the API at an address: a value of ``AuthMode``, or None if it isn't the local stack's."""
    running = read_running(workplace.state_dir)
    if running.get("api_url") != url.rstrip("/"):
        return None
    return str(running.get("auth", {}).get("mode", AuthMode.OPEN))


def find_access(workplace: Workplace, url: str) -> Access:
    """Return what the API at an address asks for, as far as that is known: the local stack's, or AWS's."""
    running = read_running(workplace.state_dir)
    if running.get("api_url") == url.rstrip("/"):
        return _local_access(workplace, running)
    if token := workplace.environ.get(TOKEN_VARIABLE):
        return TokenAccess(lambda: token)
    if match := _AWS_HOST.fullmatch(urlsplit(url).hostname or ""):
        return SignedAccess(match[1], _user_credentials)
    return OpenAccess()


def local_tokens(workplace: Workplace) -> LocalTokens:
    """Return the issuer of the running stack's tokens.

    Raises
    ------
    UsageError
        If no stack runs, or its API takes no tokens.
    """
    running = read_running(workplace.state_dir)
    if not running.get("api_url"):
        raise UsageError(f"No API of {workplace.state_dir} runs, so nobody takes a token. Start it: make run AUTH=jwt")
    auth = running.get("auth", {})
    if auth.get("mode") != AuthMode.JWT:
        raise UsageError(
            f"The API at {running['api_url']} runs with AUTH={auth.get('mode', 'open')} and takes no tokens. Start it "
            "with: make run AUTH=jwt"
        )
    from emulator.http_api.oidc_issuer import KEY_FILE

    key_file = workplace.state_dir / "lambda" / KEY_FILE
    return LocalTokens(key_file, auth["issuer"], auth["audience"], lambda: workplace.clock().timestamp())


def _local_access(workplace: Workplace, running: Mapping[str, Any]) -> Access:
    mode = running.get("auth", {}).get("mode")
    if mode == AuthMode.IAM:
        return SignedAccess(running["auth"]["region"], _local_credentials)
    return TokenAccess(local_tokens(workplace).get) if mode == AuthMode.JWT else OpenAccess()


def _local_credentials() -> Any:
    from botocore.credentials import Credentials

    return Credentials(LOCAL_CREDENTIALS["aws_access_key_id"], LOCAL_CREDENTIALS["aws_secret_access_key"])


def _user_credentials() -> Any:
    from botocore.session import get_session

    return get_session().get_credentials()
