"""Turns boto3's errors into a ``DeploymentError`` that says what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from peerloan.errors import DeploymentError
from peerloan.workplace import is_local

_NO_LOCAL_ANSWER = "Run 'peerloan up'; or for AWS name the stack with --stack."
_NO_ANSWER = "Check the network, and the region (AWS_DEFAULT_REGION)."
_ADVICE: tuple[tuple[type[BotoCoreError], str], ...] = (
    (NoCredentialsError, "Log in to AWS (aws configure, or AWS_PROFILE), then try again."),
    (NoRegionError, "Say where the stack is: export AWS_DEFAULT_REGION=REGION."),
)


@contextlib.contextmanager
def as_deployment_errors(subject: str, advice_by_code: Mapping[str, str] | None = None) -> Iterator[None]:
    """Raise ``DeploymentError`` in place of boto3's errors.

    Parameters
    ----------
    subject : str
        What the calls are about; the message begins with it.
    advice_by_code : mapping of str to str, optional
        What to do about AWS's error codes.
    """
    try:
        yield
    except EndpointConnectionError as error:
        address = urlsplit(str(error.kwargs.get("endpoint_url")))
        advice = _NO_LOCAL_ANSWER if is_local(address.geturl()) else _NO_ANSWER
        raise DeploymentError(f"Nothing answers at {address.scheme}://{address.netloc}. {advice}") from error
    except ClientError as error:
        details = error.response["Error"]
        advice = (advice_by_code or {}).get(details["Code"], "")
        message = f"{subject}: {details['Code']}: {details.get('Message', '')}"
        raise DeploymentError(f"{message} {advice}".rstrip()) from error
    except BotoCoreError as error:
        advice = next((advice for kind, advice in _ADVICE if isinstance(error, kind)), "")
        raise DeploymentError(f"{subject}: {error} {advice}".rstrip()) from error
