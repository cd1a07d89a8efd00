"""Runs the job that an event names. The schedules of ``template.yaml`` send the events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# An event of EventBridge's own names no job.
ROLLOUTS = "rollouts"
PING_CODE = "ping-code"
MONITOR = "monitor"

Job = Callable[[Any, Any], dict[str, Any]]


class UnknownJobError(ValueError):
    """The event names a job that doesn't exist."""


class Jobs:
    """The function's jobs by name, each made when it is asked for the first time."""

    def __init__(self, makers: Mapping[str, Callable[[], Job]]) -> None:
        self._makers = makers
        self._made: dict[str, Job] = {}

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Run the job under the event's ``job``; without one, drive the rollouts.

        Raises
        ------
        UnknownJobError
            If there is no such job.
        """
        name = event.get("job", ROLLOUTS)
        if name not in self._makers:
            raise UnknownJobError(f"The event asks for the job {name!r}; there are {', '.join(self._makers)}.")
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name](event, context)
