"""Lambda's EventInvokeConfig operations: how often and how long a failed asynchronous event is retried."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.lambda_service.control_plane.account import EventInvokeRecord, FunctionRecord, without
from emulator.lambda_service.control_plane.catalogue import Catalogue
from emulator.lambda_service.control_plane.pages import Body, page
from emulator.lambda_service.errors import InvalidParameterError, ResourceNotFoundError

_DESTINATIONS = {"OnSuccess": {"events", "lambda", "sns", "sqs"}, "OnFailure": {"events", "lambda", "s3", "sns", "sqs"}}


@dataclass(frozen=True, slots=True)
class EventInvokeOperations:
    """`PutFunctionEventInvokeConfig` and its siblings; without a qualifier they mean ``$LATEST``."""

    catalogue: Catalogue

    def put(self, *, function_name: str, changes: Mapping[str, Any], qualifier: str | None = None) -> Body:
        """Set the whole configuration, in AWS's names; a value that isn't given takes AWS's default."""
        with self.catalogue.lock:
            function, qualifier = self.catalogue.get_qualified(function_name, qualifier)
            return self._save(function, qualifier, {}, changes)

    def update(self, *, function_name: str, changes: Mapping[str, Any], qualifier: str | None = None) -> Body:
        """Change the given values, and leave the others."""
        with self.catalogue.lock:
            function, qualifier = self.catalogue.get_qualified(function_name, qualifier)
            return self._save(function, qualifier, self._get(function, qualifier).settings, changes)

    def get(self, *, function_name: str, qualifier: str | None = None) -> Body:
        """Return the configuration of a qualifier."""
        function, qualifier = self.catalogue.get_qualified(function_name, qualifier)
        return self._describe_config(function, qualifier, self._get(function, qualifier))

    def delete(self, *, function_name: str, qualifier: str | None = None) -> None:
        """Go back to AWS's defaults."""
        with self.catalogue.lock:
            function, qualifier = self.catalogue.get_qualified(function_name, qualifier)
            self._get(function, qualifier)
            self.catalogue.save(dataclasses.replace(function, event_invoke=without(function.event_invoke, qualifier)))

    def list(self, *, function_name: str, marker: str | None = None, max_items: int | None = None) -> Body:
        """List the configurations of a function."""
        function, _ = self.catalogue.get_function(function_name)
        configs = [self._describe_config(function, name, record) for name, record in function.event_invoke.items()]
        return page("FunctionEventInvokeConfigs", configs, marker, max_items)

    def _get(self, function: FunctionRecord, qualifier: str) -> EventInvokeRecord:
        record = function.event_invoke.get(qualifier)
        if record is None:
            arn = self.catalogue.arn_scope.arn(function.name, qualifier)
            raise ResourceNotFoundError(f"The function {arn} doesn't have an EventInvokeConfig")
        return record

    def _save(
        self, function: FunctionRecord, qualifier: str, before: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> Body:
        if not changes:
            raise InvalidParameterError("You must specify at least one of error handling or destination setting.")
        self._check_destinations(function.name, changes.get("DestinationConfig") or {})
        record = EventInvokeRecord({**before, **changes}, self.catalogue.now().timestamp())
        event_invoke = {**function.event_invoke, qualifier: record}
        self.catalogue.save(dataclasses.replace(function, event_invoke=event_invoke))
        return self._describe_config(function, qualifier, record)

    def _check_destinations(self, name: str, config: Mapping[str, Any]) -> None:
        """Raise unless events may go to these destinations; only functions are looked up, since nothing else is here.

        Source: recorded answers for functions; "Capturing records of Lambda asynchronous invocations" for the kinds.
        """
        arns = {kind: (config.get(kind) or {}).get("Destination") for kind in _DESTINATIONS}
        for kind, arn in arns.items():
            service = arn.split(":")[2] if arn and arn.startswith("arn:") else arn
            if service and service not in _DESTINATIONS[kind]:
                parts = {kind: f"{kind}(destination={arn})" if arn else "null" for kind, arn in arns.items()}
                raise InvalidParameterError(
                    f"The provided destination config DestinationConfig(onSuccess={parts['OnSuccess']}, "
                    f"onFailure={parts['OnFailure']}) is invalid."
                )
            if arn and service == "lambda":
                self._check_function(name, arn)

    def _check_function(self, name: str, arn: str) -> None:
        try:
            function, qualifier = self.catalogue.get_function(arn)
            self.catalogue.get_version(function, qualifier)
        except ResourceNotFoundError:
            raise InvalidParameterError(f"The destination ARN {arn} is invalid.") from None
        if function.name == name:
            raise InvalidParameterError("You can't specify the function as a destination for itself.")

    def _describe_config(self, function: FunctionRecord, qualifier: str, record: EventInvokeRecord) -> Body:
        return {
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
            **record.settings,
            "FunctionArn": self.catalogue.arn_scope.arn(function.name, qualifier),
            "LastModified": record.last_modified,
        }
