"""Operations on reserved and provisioned concurrency: the settings. The data plane acts on them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from emulator.lambda_service.control_plane.account import FunctionRecord, ProvisionedRecord, VersionRecord, without
from emulator.lambda_service.control_plane.catalogue import Catalogue
from emulator.lambda_service.control_plane.configuration import applies_snap_start
from emulator.lambda_service.control_plane.pages import Body, page
from emulator.lambda_service.errors import InvalidParameterError, LambdaApiError, ResourceConflictError
from emulator.lambda_service.function_version import LATEST


@dataclass(frozen=True, slots=True)
class ConcurrencyOperations:
    """`PutFunctionConcurrency`, `PutProvisionedConcurrencyConfig` and their siblings."""

    catalogue: Catalogue

    def put_reserved(self, *, function_name: str, reserved_concurrent_executions: int) -> Body:
        """Reserve concurrency; 0 stops the function."""
        with self.catalogue.lock:
            function = self._unqualified(function_name)
            self.check_reservation(function, reserved_concurrent_executions)
            self.catalogue.save(dataclasses.replace(function, reserved=reserved_concurrent_executions))
        return {"ReservedConcurrentExecutions": reserved_concurrent_executions}

    def get_reserved(self, *, function_name: str) -> Body:
        """Return the reservation; an empty body if the function has no reservation."""
        function = self._unqualified(function_name)
        return {} if function.reserved is None else {"ReservedConcurrentExecutions": function.reserved}

    def delete_reserved(self, *, function_name: str) -> None:
        """Give the reservation up."""
        with self.catalogue.lock:
            function = self._unqualified(function_name)
            self.catalogue.save(dataclasses.replace(function, reserved=None))

    def put_provisioned(self, *, function_name: str, qualifier: str, provisioned_concurrent_executions: int) -> Body:
        """Keep environments of a version or an alias initialised."""
        with self.catalogue.lock:
            function, qualifier = self.catalogue.get_qualified(function_name, qualifier)
            self.check_provisioning(function, qualifier, provisioned_concurrent_executions)
            record = ProvisionedRecord(provisioned_concurrent_executions, self.catalogue.timestamp())
            provisioned = {**function.provisioned, qualifier: record}
            self.catalogue.save(dataclasses.replace(function, provisioned=provisioned))
            return self._describe_provisioned(function, qualifier, record)

    def get_provisioned(self, *, function_name: str, qualifier: str) -> Body:
        """Return how many environments are requested and ready, and the state of the provisioning."""
        function, qualifier = self.catalogue.get_qualified(function_name, qualifier)
        record = function.provisioned.get(qualifier)
        if record is None:
            raise LambdaApiError(
                "ProvisionedConcurrencyConfigNotFoundException",
                404,
                "No Provisioned Concurrency Config found for this function",
            )
        return self._describe_provisioned(function, qualifier, record)

    def delete_provisioned(self, *, function_name: str, qualifier: str) -> None:
        """Stop keeping environments of a version or an alias initialised."""
        with self.catalogue.lock:
            function, qualifier = self.catalogue.get_qualified(function_name, qualifier)
            self.catalogue.save(dataclasses.replace(function, provisioned=without(function.provisioned, qualifier)))

    def list_provisioned(self, *, function_name: str, marker: str | None = None, max_items: int | None = None) -> Body:
        """List a function's provisioned concurrency."""
        function, _ = self.catalogue.get_function(function_name)
        configs = [
            {
                "FunctionArn": self.catalogue.arn_scope.arn(function.name, qualifier),
                **self._describe_provisioned(function, qualifier, record),
            }
            for qualifier, record in function.provisioned.items()
        ]
        return page("ProvisionedConcurrencyConfigs", configs, marker, max_items)

    def check_reservation(self, function: FunctionRecord, reserved: int) -> None:
        """Raise unless a function may reserve this much."""
        left = self.catalogue.unreserved_concurrency() + function.set_aside - reserved
        if left < self.catalogue.unreserved_minimum:
            raise InvalidParameterError(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{self.catalogue.unreserved_minimum}]."
            )
        if function.total_provisioned > reserved:
            raise InvalidParameterError(
                f"ReservedConcurrentExecutions {reserved} should not be lower than function's total provisioned "
                f"concurrency [{function.total_provisioned}]."
            )

    def check_provisioning(self, function: FunctionRecord, qualifier: str, count: int) -> None:
        """Raise unless `count` environments may be kept initialised under this qualifier."""
        for version in targets(function, qualifier):
            record = function.find_version(version)
            if record is not None:
                check_can_be_provisioned(record)
        self._check_provisioned_once(function, qualifier)
        others = sum(record.requested for name, record in function.provisioned.items() if name != qualifier)
        if function.reserved is not None and others + count > function.reserved:
            raise InvalidParameterError(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
                "function"
            )
        minimum = self.catalogue.unreserved_minimum
        left = self.catalogue.unreserved_concurrency() + function.set_aside - others - count
        if function.reserved is None and left < minimum:
            raise InvalidParameterError(
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
                f"its minimum value of [{minimum}]."
            )

    def _check_provisioned_once(self, function: FunctionRecord, qualifier: str) -> None:
        """Raise if a version would be provisioned by its number and by an alias."""
        if qualifier in function.aliases:
            if any(version in function.provisioned for version in function.aliases[qualifier].versions):
                raise ResourceConflictError(
                    "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
                )
        elif any(
            qualifier in alias.versions for name, alias in function.aliases.items() if name in function.provisioned
        ):
            raise ResourceConflictError("Version is pointed by a Provisioned Concurrency alias")

    def _unqualified(self, function_name: str) -> FunctionRecord:
        """Return a function that is named without a version or an alias."""
        function, qualifier = self.catalogue.get_function(function_name)
        if qualifier is not None:
            raise InvalidParameterError(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this "
                "operation. Please specify either a function name or an unqualified function ARN."
            )
        return function

    def _describe_provisioned(self, function: FunctionRecord, qualifier: str, record: ProvisionedRecord) -> Body:
        runnable = [self.catalogue.runnable(function.name, version) for version in targets(function, qualifier)]
        available = [self.catalogue.availability(version) for version in runnable if version is not None]
        ready = min(sum(version.ready for version in available), record.requested)
        failure = next((version.failure for version in available if version.failure), None)
        body: Body = {
            "RequestedProvisionedConcurrentExecutions": record.requested,
            "AvailableProvisionedConcurrentExecutions": ready,
            "AllocatedProvisionedConcurrentExecutions": ready,
            "Status": "READY" if ready == record.requested else "FAILED" if failure else "IN_PROGRESS",
            "LastModified": record.last_modified,
        }
        if failure:
            body["StatusReason"] = failure
        return body


def targets(function: FunctionRecord, qualifier: str) -> tuple[str, ...]:
    """Return the versions that a qualifier leads to."""
    alias = function.aliases.get(qualifier)
    return (qualifier,) if alias is None else alias.versions


def shares(function: FunctionRecord) -> dict[str, int]:
    """Return how many environments each version keeps initialised; an alias's are divided by its weights."""
    shared = dict.fromkeys(function.versions, 0)
    for qualifier, record in function.provisioned.items():
        main, *others = targets(function, qualifier)
        weights = function.aliases[qualifier].weights if others else {}
        counts = {version: round(record.requested * weights[version]) for version in others}
        for version, count in {main: record.requested - sum(counts.values()), **counts}.items():
            shared[version] += count
    return shared


def check_can_be_provisioned(record: VersionRecord) -> None:
    """Raise `InvalidParameterError` for a version whose environments can't be kept initialised."""
    if record.version == LATEST:
        raise InvalidParameterError(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    if applies_snap_start(record):
        raise snap_start_is_provisioned()


def snap_start_is_provisioned() -> InvalidParameterError:
    """Return the refusal of provisioned concurrency for a version with SnapStart."""
    return InvalidParameterError("Provisioned Concurrency is not supported for SnapStart enabled functions.")
