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
from emulator.lambda_service.control_plane.catalogue import ACCOUNT_CONCURRENCY, Catalogue
from emulator.lambda_service.control_plane.concurrency import ConcurrencyOperations
from emulator.lambda_service.control_plane.event_invoke import EventInvokeOperations
from emulator.lambda_service.control_plane.functions import FunctionOperations
from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.pages import Body
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
        self.template = TemplateFunctions(catalogue, self.aliases, self.concurrency)

    def table(self) -> Mapping[str, Callable[..., Body | None]]:
        """Return the method of each operation, by AWS's name."""
        return {
            "CreateAlias": self.aliases.create,
            "DeleteAlias": self.aliases.delete,
            "DeleteFunction": self.functions.delete,
            "DeleteFunctionConcurrency": self.concurrency.delete_reserved,
            "DeleteFunctionEventInvokeConfig": self.event_invoke.delete,
            "DeleteProvisionedConcurrencyConfig": self.concurrency.delete_provisioned,
            "GetAccountSettings": self.functions.get_account_settings,
            "GetAlias": self.aliases.get,
            "GetFunction": self.functions.get,
            "GetFunctionConcurrency": self.concurrency.get_reserved,
            "GetFunctionConfiguration": self.functions.get_configuration,
            "GetFunctionEventInvokeConfig": self.event_invoke.get,
            "GetProvisionedConcurrencyConfig": self.concurrency.get_provisioned,
            "ListAliases": self.aliases.list,
            "ListFunctionEventInvokeConfigs": self.event_invoke.list,
            "ListFunctions": self.functions.list,
            "ListProvisionedConcurrencyConfigs": self.concurrency.list_provisioned,
            "ListVersionsByFunction": self.versions.list,
            "PublishVersion": self.versions.publish,
            "PutFunctionConcurrency": self.concurrency.put_reserved,
            "PutFunctionEventInvokeConfig": self.event_invoke.put,
            "PutProvisionedConcurrencyConfig": self.concurrency.put_provisioned,
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

    Raises
    ------
    StateError
        The folder is in use, damaged, of a later format, or belongs to another program.
    """
    state = StateFolder(state_dir, private)
    return Operations(Catalogue(state, state.open(), arn_scope, now, concurrency))
