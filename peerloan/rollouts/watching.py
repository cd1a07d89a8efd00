"""Follows a rollout to its end: a live view in a terminal, otherwise a line for whatever happens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from model_registry.errors import StoreUnavailableError
from model_rollout.document import Rollout
from peerloan.output import note, say
from peerloan.rollouts.view import event_line, render, to_json

# The bucket may be restarting; after this many failures in a row it isn't.
_MOST_FAILURES = 30


def watch(
    look: Callable[[], Rollout],
    clock: Callable[[], datetime],
    *,
    every_s: float,
    wait_s: float,
    as_json: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Rollout:
    """Look again and again until the rollout has ended or is held; return it.

    Parameters
    ----------
    look : callable
        Returns the rollout; it may take a step before.
    clock : callable
        Returns now, with a time zone.
    every_s : float
        Seconds between looks.
    wait_s : float
        Seconds that a hold for lack of evidence may last before it is taken for the end.
    as_json : bool
        Whether each look is printed as a line of JSON.
    """
    held_since: datetime | None = None
    failures = 0
    with _Screen(clock, as_json=as_json) as screen:
        while True:
            try:
                rollout = look()
                failures = 0
            except StoreUnavailableError as error:
                failures += 1
                if failures >= _MOST_FAILURES:
                    raise
                screen.complain(error)
                sleep(every_s)
                continue
            screen.show(rollout)
            if rollout.state == "held":
                held_since = held_since or clock()
                if rollout.held_for == "person" or clock() - held_since >= timedelta(seconds=wait_s):
                    return rollout
            elif rollout.is_over:
                return rollout
            else:
                held_since = None
            sleep(every_s)


class _Screen:
    """Shows a rollout in the way that fits the output."""

    def __init__(self, clock: Callable[[], datetime], *, as_json: bool) -> None:
        self._clock = clock
        self._as_json = as_json
        self._events = 0
        console = Console(highlight=False)
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal and not as_json else None

    def __enter__(self) -> _Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, rollout: Rollout) -> None:
        """Show where the rollout stands."""
        if self._as_json:
            say(json.dumps(to_json(rollout, self._clock()), ensure_ascii=False))
        elif self._live:
            self._live.update(render(rollout, self._clock()), refresh=True)
        else:
            for event in rollout.events[self._events :]:
                say(event_line(event))
            self._events = len(rollout.events)

    def complain(self, error: Exception) -> None:
        """Show that looking has failed; it is tried again."""
        if self._live:
            self._live.update(Text(str(error), style="red"), refresh=True)
        else:
            note(str(error))
