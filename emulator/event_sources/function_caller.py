"""Queues events for functions, as the services do that call Lambda: EventBridge, Scheduler and S3."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from emulator.lambda_service.data_plane.event_queue.retries import AsyncInvocations, EventPolicy
from emulator.lambda_service.data_plane.invoke_service import LambdaService


@dataclass(frozen=True, slots=True)
class FunctionCaller:
    """Calls the functions of one emulator asynchronously."""

    service: LambdaService
    names: Mapping[str, str]  # Of the functions that can run, by logical id
    events: AsyncInvocations

    def call(
        self,
        function: str,
        qualifier: str | None,
        payload: bytes,
        *,
        request_id: str | None = None,
        trace_id: str = "",
        max_age_s: float | None = None,
    ) -> asyncio.Task[None]:
        """Queue an event for a function, named by logical id; return the task that ends with the event.

        With ``max_age_s`` a throttled event is tried again for so long only, and a failed one isn't.

        Raises
        ------
        LambdaApiError
            The queue is full, or the function, version or alias doesn't exist.
        """
        event = self.service.event(self.names[function], payload, qualifier, trace_id, request_id=request_id)
        if max_age_s is not None:
            policy = EventPolicy(max_retries=0, max_age_s=max_age_s)
            event = dataclasses.replace(event, policy=lambda: policy, call=None)
        return self.events.accept(event)
