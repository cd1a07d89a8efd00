"""Lambda's control plane: the operations of its API in groups, and a table of them by AWS's name.

Each operation is a method that takes AWS's parameters, in snake case, by keyword (those of a configuration together, as
`changes`, in AWS's names); the control API has checked them by AWS's service model. It returns the answer's body as AWS
shapes it and raises `LambdaApiError` for a refusal. It knows nothing of HTTP or of processes. A function may be named
by name, partial ARN or ARN. Methods may be called from any thread; those that change something return once the change
is on disk.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from emulator.lambda_service.control_plane.aliases import AliasOperations
from emulator.lambda_service.control_plane.attributes.concurrency import ConcurrencyOperations
from emulator.lambda_service.control_plane.attributes.event_invoke import EventInvokeOperations
from emulator.lambda_service.control_plane.attributes.layer_versions import LayerOperations
from emulator.lambda_service.control_plane.attributes.permissions import PermissionOperations
from emulator.lambda_service.control_plane.attributes.tags import TagOperations
from emulator.lambda_service.control_plane.attributes.unused_features import UnusedFeatures
from emulator.lambda_service.control_plane.catalogue import ACCOUNT_CONCURRENCY, Catalogue
from emulator.lambda_service.control_plane.functions import FunctionOperations
from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.pages import Body
from emulator.lambda_service.control_plane.progress import ChangesInProgress
from emulator.lambda_service.control_plane.state import StateFolder
from emulator.lambda_service.control_plane.template_functions import TemplateFunctions
from emulator.lambda_service.control_plane.versions import VersionOperations


class Operations:
    """The functions of an account, as AWS's operations show and change them."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.versions = VersionOperations(catalogue)
        self.functions = FunctionOperations(catalogue, self.versions)
        self.aliases = AliasOperations(catalogue)
        self.concurrency = ConcurrencyOperations(catalogue)
        self.event_invoke = EventInvokeOperations(catalogue)
        self.tags = TagOperations(catalogue)
        self.permissions = PermissionOperations(catalogue)
        self.layers = LayerOperations(catalogue)
        self.unused = UnusedFeatures(catalogue)
        self.template = TemplateFunctions(catalogue, self.aliases, self.concurrency)

    def table(self) -> Mapping[str, Callable[..., Body | None]]:
        """Return the method of each operation, by AWS's name."""
        return {
            "AddPermission": self.permissions.add,
            "CreateAlias": self.aliases.create,
            "CreateFunction": self.functions.create,
            "DeleteAlias": self.aliases.delete,
            "DeleteFunction": self.functions.delete,
            "DeleteFunctionConcurrency": self.concurrency.delete_reserved,
            "DeleteFunctionEventInvokeConfig": self.event_invoke.delete,
            "DeleteProvisionedConcurrencyConfig": self.concurrency.delete_provisioned,
            "GetAccountSettings": self.functions.get_account_settings,
            "GetAlias": self.aliases.get,
            "GetCodeSigningConfig": self.unused.get_code_signing_config,
            "GetEventSourceMapping": self.unused.get_event_source_mapping,
            "GetFunction": self.functions.get,
            "GetFunctionCodeSigningConfig": self.unused.get_code_signing,
            "GetFunctionConcurrency": self.concurrency.get_reserved,
            "GetFunctionConfiguration": self.functions.get_configuration,
            "GetFunctionEventInvokeConfig": self.event_invoke.get,
            "GetFunctionRecursionConfig": self.unused.get_recursion,
            "GetFunctionScalingConfig": self.unused.get_scaling,
            "GetFunctionUrlConfig": self.unused.get_url,
            "GetLayerVersion": self.layers.get_version,
            "GetLayerVersionByArn": self.layers.get_version_by_arn,
            "GetLayerVersionPolicy": self.layers.get_policy,
            "GetPolicy": self.permissions.get_policy,
            "GetProvisionedConcurrencyConfig": self.concurrency.get_provisioned,
            "GetRuntimeManagementConfig": self.unused.get_runtime_management,
            "ListAliases": self.aliases.list,
            "ListCapacityProviders": self.unused.list_capacity_providers,
            "ListCodeSigningConfigs": self.unused.list_code_signing_configs,
            "ListDurableExecutionsByFunction": self.unused.list_durable_executions,
            "ListEventSourceMappings": self.unused.list_event_source_mappings,
            "ListFunctionEventInvokeConfigs": self.event_invoke.list,
            "ListFunctionUrlConfigs": self.unused.list_urls,
            "ListFunctions": self.functions.list,
            "ListLayerVersions": self.layers.list_versions,
            "ListLayers": self.layers.list,
            "ListProvisionedConcurrencyConfigs": self.concurrency.list_provisioned,
            "ListTags": self.tags.list,
            "ListVersionsByFunction": self.versions.list,
            "PublishVersion": self.versions.publish,
            "PutFunctionConcurrency": self.concurrency.put_reserved,
            "PutFunctionEventInvokeConfig": self.event_invoke.put,
            "PutProvisionedConcurrencyConfig": self.concurrency.put_provisioned,
            "RemovePermission": self.permissions.remove,
            "TagResource": self.tags.add,
            "UntagResource": self.tags.remove,
            "UpdateAlias": self.aliases.update,
            "UpdateFunctionCode": self.functions.update_code,
            "UpdateFunctionConfiguration": self.functions.update_configuration,
            "UpdateFunctionEventInvokeConfig": self.event_invoke.update,
        }

    def close(self) -> None:
        """Release the lock on the state's folder."""
        self.catalogue.close()


def open_operations(
    state_dir: Path | None,
    arn_scope: ArnScope,
    now: Callable[[], dt.datetime],
    *,
    concurrency: int = ACCOUNT_CONCURRENCY,
    private: Iterable[Path] = (),
    changes: ChangesInProgress | None = None,
) -> Operations:
    """Read an account from its folder, or begin one.

    Parameters
    ----------
    state_dir : Path or None
        The folder; None keeps everything in a temporary one.
    arn_scope : ArnScope
        Region and account number.
    now : callable
        The time, with its zone.
    concurrency : int
        The account's limit on requests in flight.
    private : iterable of Path
        Folders and files that are never part of a function's code.
    changes : ChangesInProgress, optional
        How long a change by the API is in progress; without it, no time.

    Raises
    ------
    StateError
        The folder is in use, damaged, of a later format, or belongs to another program.
    """
    state = StateFolder(state_dir, private)
    return Operations(Catalogue(state, state.open(), arn_scope, now, concurrency, changes))
