"""The function's settings, read once from the environment variables that are passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_registry import names
from model_registry.function_settings import FunctionSettings, required, usable_name


@dataclass(frozen=True, kw_only=True)
class Settings(FunctionSettings):
    """Everything that can be configured; ``from_environ`` names the variables."""

    log_bucket: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings: ``LOG_BUCKET``, which is required, and those of ``FunctionSettings.read``.

        Raises ``SettingsError`` if a variable is missing or unusable.
        """
        return cls.read(environ, service="late-payer-rollouts", log_bucket=_log_bucket(environ))


@dataclass(frozen=True, kw_only=True)
class LookSettings(Settings):
    """What the monitor is told besides: the alias whose version in charge it looks at."""

    alias: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> LookSettings:
        """Read the settings: ``MODEL_ALIAS`` (live), ``LOG_BUCKET`` and those of ``FunctionSettings.read``.

        Raises ``SettingsError`` if a variable is missing or unusable.
        """
        alias = usable_name(environ, "MODEL_ALIAS", names.DEFAULT_ALIAS, names.check_alias_name)
        return cls.read(environ, service="late-payer-rollouts", log_bucket=_log_bucket(environ), alias=alias)


@dataclass(frozen=True, kw_only=True)
class PingSettings(FunctionSettings):
    """What the nightly job is told: the ARN of the version of the API's code that the last deployment published."""

    deployed_version: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> PingSettings:
        """Read the settings: ``DEPLOYED_VERSION``, which is required, and those of ``FunctionSettings.read``.

        Raises ``SettingsError`` if a variable is missing or unusable.
        """
        deployed_version = required(environ, "DEPLOYED_VERSION", "the ARN of the version that was deployed last")
        return cls.read(environ, service="late-payer-rollouts", deployed_version=deployed_version)


@dataclass(frozen=True, kw_only=True)
class CheckSettings(FunctionSettings):
    """What CheckFunction is told; the versions are named as Lambda's Invoke takes them."""

    alias: str
    new_version: str
    serving_version: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> CheckSettings:
        """Read the settings: ``MODEL_ALIAS`` (live), and ``NEW_VERSION`` and ``SERVING_VERSION``, which are required.

        Raises ``SettingsError`` if a variable is missing or unusable.
        """
        return cls.read(
            environ,
            service="late-payer-check",
            alias=usable_name(environ, "MODEL_ALIAS", names.DEFAULT_ALIAS, names.check_alias_name),
            new_version=required(environ, "NEW_VERSION", "the ARN of the version to check"),
            serving_version=required(environ, "SERVING_VERSION", "the ARN of the alias that the API calls"),
        )


def _log_bucket(environ: Mapping[str, str]) -> str:
    return required(environ, "LOG_BUCKET", "the bucket that the prediction log is delivered to")
