"""The settings that every function of the template has, read from the environment variables that are passed in.

An empty variable counts as absent: SAM passes absent parameters as empty ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from model_registry import names
from model_registry.errors import InvalidNameError


class SettingsError(ValueError):
    """An environment variable is missing or unusable; the message names it and says what it must be."""

    def __init__(self, variable: str, fault: str) -> None:
        super().__init__(f"The environment variable {variable} {fault}.")
        self.variable = variable


@dataclass(frozen=True, kw_only=True)
class FunctionSettings:
    """The bucket of the models, the model's name, and what is in each log line and metric."""

    bucket: str
    model: str
    s3_endpoint_url: str | None
    service: str
    metrics_namespace: str
    stage: str
    stack: str

    @property
    def metric_dimensions(self) -> dict[str, str]:
        """The dimensions of the function's metrics; without the stack, two stacks of one stage would be added up."""
        return {"service": self.service, "stage": self.stage, "stack": self.stack}

    @classmethod
    def read(cls, environ: Mapping[str, str], *, service: str, **others: object) -> Self:
        """Read the settings; ``others`` are those that a subclass adds.

        Parameters
        ----------
        environ : mapping of str to str
            ``MODEL_BUCKET`` is required. ``MODEL_NAME`` (late-payer), ``AWS_ENDPOINT_URL_S3``,
            ``POWERTOOLS_SERVICE_NAME`` (``service``), ``POWERTOOLS_METRICS_NAMESPACE`` (PeerLoan), ``STAGE`` and
            ``STACK_NAME`` (local) are optional.

        Raises
        ------
        SettingsError
            If a variable is missing or unusable.
        """
        return cls(
            bucket=required(environ, "MODEL_BUCKET", "the bucket that holds the models"),
            model=usable_name(environ, "MODEL_NAME", names.DEFAULT_MODEL, names.check_model_name),
            s3_endpoint_url=_url(environ, "AWS_ENDPOINT_URL_S3"),
            service=environ.get("POWERTOOLS_SERVICE_NAME") or service,
            metrics_namespace=environ.get("POWERTOOLS_METRICS_NAMESPACE") or "PeerLoan",
            stage=environ.get("STAGE") or "local",
            stack=environ.get("STACK_NAME") or "local",
            **others,
        )


def required(environ: Mapping[str, str], variable: str, what: str) -> str:
    """Return a variable that must be there."""
    value = environ.get(variable, "").strip()
    if not value:
        raise SettingsError(variable, f"is missing: set it to {what}")
    return value


def usable_name(environ: Mapping[str, str], variable: str, default: str, check: Callable[[str], str]) -> str:
    """Return a variable that is a name by the rules of ``check``."""
    try:
        return check(environ.get(variable, "").strip() or default)
    except InvalidNameError as error:
        raise SettingsError(variable, f"isn't a usable name: {error}".rstrip(".")) from error


def _url(environ: Mapping[str, str], variable: str) -> str | None:
    url = environ.get(variable, "").strip()
    if url and not url.startswith(("http://", "https://")):
        raise SettingsError(variable, "must be empty, or begin with http:// or https://")
    return url or None
