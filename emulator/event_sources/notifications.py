"""Calls functions on changes of a bucket's objects, asynchronously, as S3 does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from emulator.event_sources.function_caller import FunctionCaller
from emulator.event_sources.notification_events import notification_event
from emulator.lambda_service.errors import LambdaApiError, ResourceConflictError, TooManyRequestsError
from emulator.object_events import ObjectEvent
from emulator.template.event_sources.notification_spec import NotificationSpec

_FULL_QUEUE_PAUSE_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notifications:
    """The notifications of one template's buckets."""

    specs: Sequence[NotificationSpec]
    caller: FunctionCaller
    account_id: str
    region: str
    new_id: Callable[[], str]  # Returns an invocation's id
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def buckets(self) -> list[str]:
        """The names of the buckets whose changes call functions."""
        return sorted({spec.bucket for spec in self.specs})

    def call(self, spec: NotificationSpec, event: ObjectEvent | bytes) -> str:
        """Queue a change, or an event as it is, for a notification's function; return the invocation's id.

        Raises
        ------
        LambdaApiError
            The queue is full, or the function doesn't exist.
        """
        request_id = self.new_id()
        if isinstance(event, bytes):
            payload, trace_id = event, ""
        else:
            payload = notification_event(spec, event, request_id, account_id=self.account_id, region=self.region)
            trace_id = event.trace_id
        self.caller.call(spec.function, spec.qualifier, payload, request_id=request_id, trace_id=trace_id)
        return request_id

    async def deliver(self, event: ObjectEvent) -> None:
        """Queue a change for each function that a notification of it calls; wait while the queue is full."""
        for spec in self.specs:
            if spec.wants(event.bucket, event.event_name, event.key):
                await self._deliver(spec, event)

    async def _deliver(self, spec: NotificationSpec, event: ObjectEvent) -> None:
        while True:
            try:
                self.call(spec, event)
            except (ResourceConflictError, TooManyRequestsError):
                # The queue is full, or the function is still being made.
                await self.sleep(_FULL_QUEUE_PAUSE_S)
            except LambdaApiError as error:
                _log.warning(
                    "%s: %s of %s calls nobody: %s", spec.logical_id, event.event_name, event.key, error.message
                )
                return
            else:
                return
