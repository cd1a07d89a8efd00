"""The function's settings, read once from the environment variables that are passed in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from model_artifact.opening.signature import Trust
from model_registry import names
from model_registry.function_settings import FunctionSettings, SettingsError, usable_name
from model_watch.loan_hash import KEY_REQUIREMENT, LoanHasher

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_TRUE_WORDS = ("1", "true", "t", "yes", "y", "on")


@dataclass(frozen=True, kw_only=True)
class Settings(FunctionSettings):
    """Everything that can be configured; ``from_environ`` names the variables."""

    alias: str
    alias_ttl_s: float
    trust: Trust
    has_metrics: bool
    log_level: str
    is_traced: bool
    memory_mib: int
    loan_hasher: LoanHasher | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings.

        Parameters
        ----------
        environ : mapping of str to str
            Those of ``FunctionSettings.read``, and as optional ones ``MODEL_ALIAS`` (live), ``ALIAS_TTL_SECONDS`` (5),
            ``TRUSTED_PUBLISHERS`` (public keys, comma separated), ``REQUIRE_SIGNATURE`` (false), ``LOAN_HASH_KEY``
            (without it the log names no loans), ``POWERTOOLS_METRICS_DISABLED`` and ``POWERTOOLS_LOG_LEVEL``. Traces
            are sent if Lambda names an X-Ray daemon and ``POWERTOOLS_TRACE_DISABLED`` isn't true.
            ``AWS_LAMBDA_FUNCTION_MEMORY_SIZE`` (MiB) is Lambda's own; 0 where nobody sets it.

        Raises
        ------
        SettingsError
            If a variable is missing or unusable.
        """
        return cls.read(
            environ,
            service="late-payer-api",
            alias=usable_name(environ, "MODEL_ALIAS", names.DEFAULT_ALIAS, names.check_alias_name),
            alias_ttl_s=_seconds(environ, "ALIAS_TTL_SECONDS", "5"),
            trust=_trust(environ),
            has_metrics=not _is_true(environ, "POWERTOOLS_METRICS_DISABLED"),
            log_level=_log_level(environ, "POWERTOOLS_LOG_LEVEL"),
            is_traced=_is_traced(environ),
            memory_mib=_memory_mib(environ),
            loan_hasher=_loan_hasher(environ),
        )


def _seconds(environ: Mapping[str, str], variable: str, default: str) -> float:
    try:
        seconds = float(environ.get(variable, "").strip() or default)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 3600:
        raise SettingsError(variable, "must be a number of seconds from 0 to 3600")
    return seconds


def _trust(environ: Mapping[str, str]) -> Trust:
    try:
        keys = environ.get("TRUSTED_PUBLISHERS", "")
        return Trust.parse(keys, require_signature=_is_true(environ, "REQUIRE_SIGNATURE"))
    except ValueError as error:
        raise SettingsError("TRUSTED_PUBLISHERS", f"must list public keys: {error}") from error


def _loan_hasher(environ: Mapping[str, str]) -> LoanHasher | None:
    key = environ.get("LOAN_HASH_KEY", "").strip()
    try:
        return LoanHasher(key) if key else None
    except ValueError:
        # Without the cause, so that the key can't get into a log.
        raise SettingsError("LOAN_HASH_KEY", f"must be empty, or {KEY_REQUIREMENT}") from None


def _log_level(environ: Mapping[str, str], variable: str) -> str:
    level = (environ.get(variable, "").strip() or "INFO").upper()
    if level not in _LOG_LEVELS:
        raise SettingsError(variable, f"must be one of {', '.join(_LOG_LEVELS)}")
    return level


def _is_traced(environ: Mapping[str, str]) -> bool:
    # Lambda sets the daemon's address; SAM CLI and the local emulator have no daemon. Without one nothing could be
    # sent, and importing the X-Ray SDK takes a fifth of a second.
    is_disabled = _is_true(environ, "POWERTOOLS_TRACE_DISABLED") or _is_true(environ, "AWS_SAM_LOCAL")
    return bool(environ.get("AWS_XRAY_DAEMON_ADDRESS")) and not is_disabled


def _memory_mib(environ: Mapping[str, str]) -> int:
    text = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    return int(text) if text.isdecimal() else 0


def _is_true(environ: Mapping[str, str], variable: str) -> bool:
    return environ.get(variable, "").strip().lower() in _TRUE_WORDS
