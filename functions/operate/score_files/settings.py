"""The function's settings, read once from the environment variables that are passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_artifact.opening.signature import Trust
from model_registry import names
from model_registry.function_settings import FunctionSettings, SettingsError, usable_name


@dataclass(frozen=True, kw_only=True)
class Settings(FunctionSettings):
    """Everything that can be configured; ``from_environ`` names the variables."""

    alias: str
    trust: Trust

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings.

        ``MODEL_ALIAS`` (live), ``TRUSTED_PUBLISHERS``, ``REQUIRE_SIGNATURE`` (false) and those of
        ``FunctionSettings.read``. Raises ``SettingsError`` if a variable is missing or unusable.
        """
        is_required = environ.get("REQUIRE_SIGNATURE", "") == "true"
        try:
            trust = Trust.parse(environ.get("TRUSTED_PUBLISHERS", ""), require_signature=is_required)
        except ValueError as error:
            raise SettingsError("TRUSTED_PUBLISHERS", f"isn't usable: {error}".rstrip(".")) from error
        alias = usable_name(environ, "MODEL_ALIAS", names.DEFAULT_ALIAS, names.check_alias_name)
        return cls.read(environ, service="late-payer-files", alias=alias, trust=trust)
