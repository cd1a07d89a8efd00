"""Operations on how asynchronous invocations are retried: the settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from emulator.lambda_service.control_plane.account import EventInvokeRecord, FunctionRecord, without
from emulator.lambda_service.control_plane.catalogue import Catalogue
from emulator.lambda_service.control_plane.pages import Body, page
from emulator.lambda_service.errors import InvalidParameterError, ResourceNotFoundError, ValidationError
from emulator.lambda_service.function_version import LATEST

_RANGES = {"MaximumRetryAttempts": (0, 2), "MaximumEventAgeInSeconds": (60, 21_600)}


class EventInvokeOperations:
    """`PutFunctionEventInvokeConfig` and its siblings; without a qualifier they mean ``$LATEST``.

    Parameters
    ----------
    catalogue : Catalogue
        What they read and change.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def put(
        self,
        *,
        function_name: str,
        qualifier: str | None = None,
        maximum_retry_attempts: int | None = None,
        maximum_event_age_in_seconds: int | None = None,
        destination_config: Mapping[str, Any] | None = None,
    ) -> Body:
        """Set the whole configuration; a value that isn't given takes AWS's default."""
        given = _given(maximum_retry_attempts, maximum_event_age_in_seconds, destination_config)
        with self._catalogue.lock:
            function, qualifier = self._find(function_name, qualifier)
            return self._keep(function, qualifier, given)

    def update(
        self,
        *,
        function_name: str,
        qualifier: str | None = None,
        maximum_retry_attempts: int | None = None,
        maximum_event_age_in_seconds: int | None = None,
        destination_config: Mapping[str, Any] | None = None,
    ) -> Body:
        """Change the given values, and leave the others."""
        given = _given(maximum_retry_attempts, maximum_event_age_in_seconds, destination_config)
        with self._catalogue.lock:
            function, qualifier = self._find(function_name, qualifier)
            record = self._get(function, qualifier)
            return self._keep(function, qualifier, {**record.settings, **given})

    def get(self, *, function_name: str, qualifier: str | None = None) -> Body:
        """Return the configuration of a qualifier."""
        function, qualifier = self._find(function_name, qualifier)
        return self._describe_config(function, qualifier, self._get(function, qualifier))

    def delete(self, *, function_name: str, qualifier: str | None = None) -> None:
        """Go back to AWS's defaults."""
        with self._catalogue.lock:
            function, qualifier = self._find(function_name, qualifier)
            self._get(function, qualifier)
            self._catalogue.keep(dataclasses.replace(function, event_invoke=without(function.event_invoke, qualifier)))

    def list(self, *, function_name: str, marker: str | None = None, max_items: int | None = None) -> Body:
        """List the configurations of a function."""
        function, _ = self._catalogue.find(function_name)
        configs = [self._describe_config(function, name, record) for name, record in function.event_invoke.items()]
        return page("FunctionEventInvokeConfigs", configs, marker, max_items)

    def _find(self, function_name: str, qualifier: str | None) -> tuple[FunctionRecord, str]:
        function, qualifier = self._catalogue.find(function_name, qualifier)
        self._catalogue.version(function, qualifier)
        return function, qualifier or LATEST

    def _get(self, function: FunctionRecord, qualifier: str) -> EventInvokeRecord:
        record = function.event_invoke.get(qualifier)
        if record is None:
            arn = self._catalogue.place.arn(function.name, qualifier)
            raise ResourceNotFoundError(f"The function {arn} doesn't have an EventInvokeConfig")
        return record

    def _keep(self, function: FunctionRecord, qualifier: str, settings: Mapping[str, Any]) -> Body:
        record = EventInvokeRecord(settings, self._catalogue.now().timestamp())
        event_invoke = {**function.event_invoke, qualifier: record}
        self._catalogue.keep(dataclasses.replace(function, event_invoke=event_invoke))
        return self._describe_config(function, qualifier, record)

    def _describe_config(self, function: FunctionRecord, qualifier: str, record: EventInvokeRecord) -> Body:
        return {
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
            **record.settings,
            "FunctionArn": self._catalogue.place.arn(function.name, qualifier),
            "LastModified": record.last_modified,
        }


def _given(
    maximum_retry_attempts: int | None,
    maximum_event_age_in_seconds: int | None,
    destination_config: Mapping[str, Any] | None,
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "MaximumRetryAttempts": maximum_retry_attempts,
        "MaximumEventAgeInSeconds": maximum_event_age_in_seconds,
        "DestinationConfig": destination_config,
    }
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        raise InvalidParameterError("You must specify at least one of error handling or destination setting.")
    for name, (low, high) in _RANGES.items():
        if name in given and not low <= given[name] <= high:
            member = name[0].lower() + name[1:]
            raise ValidationError(given[name], member, f"Member must have value between {low} and {high}")
    return given
