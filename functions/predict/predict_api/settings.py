"""The function's settings, read once from an environment that is passed in. No other module reads one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model_registry import names

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_TRUE_WORDS = ("1", "true", "t", "yes", "y", "on")


class SettingsError(ValueError):
    """An environment variable is missing or unusable; the message names it and says what it must be."""

    def __init__(self, variable: str, what: str) -> None:
        super().__init__(f"The environment variable {variable} {what}.")
        self.variable = variable


@dataclass(frozen=True)
class Settings:
    """What can be configured; ``from_environ`` says from which variable each comes."""

    bucket: str
    model: str
    alias: str
    alias_ttl_s: float
    s3_endpoint_url: str | None
    allowed_names: tuple[str, ...]
    service: str
    metrics_namespace: str
    log_level: str
    stage: str
    is_traced: bool

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings; an empty variable counts as absent, since SAM passes absent parameters so.

        Parameters
        ----------
        environ : mapping of str to str
            ``MODEL_BUCKET`` is required. ``MODEL_NAME`` (late-payer), ``MODEL_ALIAS`` (live), ``ALIAS_TTL_SECONDS``
            (5), ``AWS_ENDPOINT_URL_S3``, ``PICKLE_ALLOWED_NAMES`` (comma separated, besides the default ones),
            ``POWERTOOLS_SERVICE_NAME``, ``POWERTOOLS_METRICS_NAMESPACE``, ``POWERTOOLS_LOG_LEVEL`` and ``STAGE`` are
            optional. Traces are sent where Lambda names an X-Ray daemon, unless ``POWERTOOLS_TRACE_DISABLED``.

        Raises
        ------
        SettingsError
            If a variable is missing or unusable.
        """
        bucket = environ.get("MODEL_BUCKET", "").strip()
        if not bucket:
            raise SettingsError("MODEL_BUCKET", "is missing: set it to the bucket that holds the models")
        return cls(
            bucket=bucket,
            model=_name(environ, "MODEL_NAME", "late-payer", names.check_model_name),
            alias=_name(environ, "MODEL_ALIAS", "live", names.check_alias_name),
            alias_ttl_s=_seconds(environ, "ALIAS_TTL_SECONDS", "5"),
            s3_endpoint_url=_url(environ, "AWS_ENDPOINT_URL_S3"),
            allowed_names=_name_list(environ, "PICKLE_ALLOWED_NAMES"),
            service=environ.get("POWERTOOLS_SERVICE_NAME") or "late-payer-api",
            metrics_namespace=environ.get("POWERTOOLS_METRICS_NAMESPACE") or "PeerLoan",
            log_level=_log_level(environ, "POWERTOOLS_LOG_LEVEL"),
            stage=environ.get("STAGE") or "local",
            is_traced=_is_traced(environ),
        )


def _name(environ: Mapping[str, str], variable: str, default: str, check: Callable[[str], str]) -> str:
    try:
        return check(environ.get(variable, "").strip() or default)
    except Exception as error:
        raise SettingsError(variable, f"is no usable name: {error}".rstrip(".")) from error


def _seconds(environ: Mapping[str, str], variable: str, default: str) -> float:
    try:
        seconds = float(environ.get(variable, "").strip() or default)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 3600:
        raise SettingsError(variable, "must be a number of seconds from 0 to 3600")
    return seconds


def _url(environ: Mapping[str, str], variable: str) -> str | None:
    url = environ.get(variable, "").strip()
    if url and not url.startswith(("http://", "https://")):
        raise SettingsError(variable, "must be empty, or begin with http:// or https://")
    return url or None


def _name_list(environ: Mapping[str, str], variable: str) -> tuple[str, ...]:
    entries = tuple(entry.strip() for entry in environ.get(variable, "").split(",") if entry.strip())
    if not all("." in entry for entry in entries):
        raise SettingsError(variable, "must list full names such as my_package.my_module.MyClass")
    return entries


def _log_level(environ: Mapping[str, str], variable: str) -> str:
    level = (environ.get(variable, "").strip() or "INFO").upper()
    if level not in _LOG_LEVELS:
        raise SettingsError(variable, f"must be one of {', '.join(_LOG_LEVELS)}")
    return level


def _is_traced(environ: Mapping[str, str]) -> bool:
    # Lambda sets the daemon's address; neither SAM CLI nor the local emulator has a daemon. Asking for the address
    # keeps the X-Ray SDK (a fifth of a second to import) out of every process that could not send a trace anyway.
    is_disabled = environ.get("POWERTOOLS_TRACE_DISABLED", "").strip().lower() in _TRUE_WORDS
    is_sam_local = environ.get("AWS_SAM_LOCAL", "").strip().lower() in _TRUE_WORDS
    return bool(environ.get("AWS_XRAY_DAEMON_ADDRESS")) and not is_disabled and not is_sam_local
