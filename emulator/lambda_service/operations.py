"""Lambda's control plane: one method an operation of its API. Skeleton of the signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.lambda_service.functions import FunctionVersion

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResolvedFunction:
    """The version that a request goes to, and the ARN that its context shows."""

    function: FunctionVersion
    arn_used: str


class FunctionOperations:
    """The functions, versions, aliases and settings, as AWS's operations show and change them."""

    # Functions -------------------------------------------------------------------------------------------
    def list_functions(
        self, *, function_version: str | None = None, marker: str | None = None, max_items: int | None = None
    ) -> Body:
        raise NotImplementedError

    def get_function(self, *, function_name: str, qualifier: str | None = None) -> Body:
        raise NotImplementedError

    def get_function_configuration(self, *, function_name: str, qualifier: str | None = None) -> Body:
        raise NotImplementedError

    def update_function_code(
        self,
        *,
        function_name: str,
        code_folder: Path,
        publish: bool = False,
        revision_id: str | None = None,
        dry_run: bool = False,
        code_sha256: str | None = None,
        code_size: int | None = None,
    ) -> Body:
        """code_sha256 and code_size: of the zip file, where the code came as one (base64 as AWS shows it)."""
        raise NotImplementedError

    def update_function_configuration(
        self, *, function_name: str, changes: Mapping[str, Any], revision_id: str | None = None
    ) -> Body:
        raise NotImplementedError

    def delete_function(self, *, function_name: str, qualifier: str | None = None) -> None:
        raise NotImplementedError

    def get_account_settings(self) -> Body:
        raise NotImplementedError

    # Versions --------------------------------------------------------------------------------------------
    def publish_version(
        self,
        *,
        function_name: str,
        description: str | None = None,
        code_sha256: str | None = None,
        revision_id: str | None = None,
    ) -> Body:
        raise NotImplementedError

    def list_versions_by_function(
        self, *, function_name: str, marker: str | None = None, max_items: int | None = None
    ) -> Body:
        raise NotImplementedError

    # Aliases ---------------------------------------------------------------------------------------------
    def create_alias(
        self,
        *,
        function_name: str,
        name: str,
        function_version: str,
        description: str | None = None,
        routing_config: Mapping[str, Any] | None = None,
    ) -> Body:
        raise NotImplementedError

    def get_alias(self, *, function_name: str, name: str) -> Body:
        raise NotImplementedError

    def update_alias(
        self,
        *,
        function_name: str,
        name: str,
        function_version: str | None = None,
        description: str | None = None,
        routing_config: Mapping[str, Any] | None = None,
        revision_id: str | None = None,
    ) -> Body:
        raise NotImplementedError

    def list_aliases(
        self,
        *,
        function_name: str,
        function_version: str | None = None,
        marker: str | None = None,
        max_items: int | None = None,
    ) -> Body:
        raise NotImplementedError

    def delete_alias(self, *, function_name: str, name: str) -> None:
        raise NotImplementedError

    # Concurrency -----------------------------------------------------------------------------------------
    def put_function_concurrency(self, *, function_name: str, reserved_concurrent_executions: int) -> Body:
        raise NotImplementedError

    def get_function_concurrency(self, *, function_name: str) -> Body:
        raise NotImplementedError

    def delete_function_concurrency(self, *, function_name: str) -> None:
        raise NotImplementedError

    def put_provisioned_concurrency_config(
        self, *, function_name: str, qualifier: str, provisioned_concurrent_executions: int
    ) -> Body:
        raise NotImplementedError

    def get_provisioned_concurrency_config(self, *, function_name: str, qualifier: str) -> Body:
        raise NotImplementedError

    def delete_provisioned_concurrency_config(self, *, function_name: str, qualifier: str) -> None:
        raise NotImplementedError

    def list_provisioned_concurrency_configs(
        self, *, function_name: str, marker: str | None = None, max_items: int | None = None
    ) -> Body:
        raise NotImplementedError

    # Event invoke configurations -------------------------------------------------------------------------
    def put_function_event_invoke_config(
        self,
        *,
        function_name: str,
        qualifier: str | None = None,
        maximum_retry_attempts: int | None = None,
        maximum_event_age_in_seconds: int | None = None,
        destination_config: Mapping[str, Any] | None = None,
    ) -> Body:
        """LastModified is seconds since 1970, as the model has it; so do the siblings."""
        raise NotImplementedError

    def update_function_event_invoke_config(
        self,
        *,
        function_name: str,
        qualifier: str | None = None,
        maximum_retry_attempts: int | None = None,
        maximum_event_age_in_seconds: int | None = None,
        destination_config: Mapping[str, Any] | None = None,
    ) -> Body:
        raise NotImplementedError

    def get_function_event_invoke_config(self, *, function_name: str, qualifier: str | None = None) -> Body:
        raise NotImplementedError

    def delete_function_event_invoke_config(self, *, function_name: str, qualifier: str | None = None) -> None:
        raise NotImplementedError

    def list_function_event_invoke_configs(
        self, *, function_name: str, marker: str | None = None, max_items: int | None = None
    ) -> Body:
        raise NotImplementedError

    # Data plane ------------------------------------------------------------------------------------------
    def resolve(self, function_name: str, qualifier: str | None, draw: float) -> ResolvedFunction:
        """Return what a request goes to; `draw` is from [0, 1) and decides between an alias's versions."""
        raise NotImplementedError
