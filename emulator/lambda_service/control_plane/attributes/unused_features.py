"""Answers about features that no function here has, which SDKs, CDK and Terraform read along with a function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from emulator.lambda_service.control_plane.catalogue import Catalogue
from emulator.lambda_service.control_plane.pages import Body
from emulator.lambda_service.errors import LambdaApiError, ResourceNotFoundError


@dataclass(frozen=True, slots=True)
class UnusedFeatures:
    """Code signing, runtime management, recursion, scaling, URLs, event source mappings: as for a function without."""

    catalogue: Catalogue

    def get_code_signing(self, *, function_name: str) -> Body:
        """Return the empty answer about a function without a code signing configuration."""
        self.catalogue.get_function(function_name)
        return {}

    def get_runtime_management(self, *, function_name: str, qualifier: str | None = None) -> Body:
        """Return that the runtime is updated by AWS, which is the default."""
        return {"UpdateRuntimeOn": "Auto", "FunctionArn": self._arn(function_name, qualifier)}

    def get_recursion(self, *, function_name: str) -> Body:
        """Return that a loop would be ended, which is the default."""
        self.catalogue.get_function(function_name)
        return {"RecursiveLoop": "Terminate"}

    def get_scaling(self, *, function_name: str, qualifier: str) -> Body:
        """Return a version without bounds on its environments."""
        return {"FunctionArn": self._arn(function_name, qualifier)}

    def get_url(self, *, function_name: str, qualifier: str | None = None) -> NoReturn:
        """Raise: no function has an address of its own."""
        self._arn(function_name, qualifier)
        raise _absent()

    def list_urls(self, *, function_name: str, **_page: Any) -> Body:
        """Return that there are none."""
        self.catalogue.get_function(function_name)
        return {"FunctionUrlConfigs": []}

    def get_event_source_mapping(self, *, uuid: str) -> NoReturn:  # noqa: ARG002 - AWS's name
        """Raise: there are none."""
        raise _absent()

    def list_event_source_mappings(self, **_filters: Any) -> Body:
        """Return that there are none."""
        return {"EventSourceMappings": []}

    def get_code_signing_config(self, *, code_signing_config_arn: str) -> NoReturn:
        """Raise: there are none."""
        message = f"The code signing configuration cannot be found: {code_signing_config_arn}"
        raise LambdaApiError("ResourceNotFoundException", 404, message)

    def list_code_signing_configs(self, **_page: Any) -> Body:
        """Return that there are none."""
        return {"CodeSigningConfigs": []}

    def list_capacity_providers(self, **_page: Any) -> Body:
        """Return that there are none."""
        return {"CapacityProviders": []}

    def list_durable_executions(self, *, function_name: str, qualifier: str | None = None, **_page: Any) -> Body:
        """Return that there are none."""
        self._arn(function_name, qualifier)
        return {"DurableExecutions": []}

    def _arn(self, function_name: str, qualifier: str | None) -> str:
        function, qualifier = self.catalogue.get_qualified(function_name, qualifier)
        return self.catalogue.arn_scope.arn(function.name, qualifier)


def _absent() -> ResourceNotFoundError:
    return ResourceNotFoundError("The resource you requested does not exist.")
