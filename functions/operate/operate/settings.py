"""The function's settings, read once from the environment variables that are passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_registry import names
from model_registry.errors import InvalidNameError


class SettingsError(ValueError):
    """An environment variable is missing or unusable; the message names it and says what it must be."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured; ``from_environ`` names the variables."""

    bucket: str
    log_bucket: str
    model: str
    s3_endpoint_url: str | None
    stage: str
    service: str
    metrics_namespace: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings. An empty variable counts as absent: SAM passes absent parameters as empty ones.

        Parameters
        ----------
        environ : mapping of str to str
            ``MODEL_BUCKET`` and ``LOG_BUCKET`` are required. ``MODEL_NAME`` (late-payer), ``AWS_ENDPOINT_URL_S3``,
            ``STAGE``, ``POWERTOOLS_SERVICE_NAME`` and ``POWERTOOLS_METRICS_NAMESPACE`` are optional.

        Raises
        ------
        SettingsError
            If a variable is missing or unusable.
        """
        model = environ.get("MODEL_NAME", "").strip() or names.DEFAULT_MODEL
        try:
            names.check_model_name(model)
        except InvalidNameError as error:
            raise SettingsError(f"The environment variable MODEL_NAME isn't a usable name: {error}") from error
        return cls(
            bucket=_required(environ, "MODEL_BUCKET", "the bucket that holds the models"),
            log_bucket=_required(environ, "LOG_BUCKET", "the bucket that the prediction log is delivered to"),
            model=model,
            s3_endpoint_url=environ.get("AWS_ENDPOINT_URL_S3", "").strip() or None,
            stage=environ.get("STAGE") or "local",
            service=environ.get("POWERTOOLS_SERVICE_NAME") or "late-payer-rollouts",
            metrics_namespace=environ.get("POWERTOOLS_METRICS_NAMESPACE") or "PeerLoan",
        )


def _required(environ: Mapping[str, str], variable: str, what: str) -> str:
    value = environ.get(variable, "").strip()
    if not value:
        raise SettingsError(f"The environment variable {variable} is missing: set it to {what}.")
    return value
