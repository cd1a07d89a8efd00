"""The nightly job: calls each version of the API's code that may be rolled back to, so that it stays ready.

Lambda deletes the snapshot of a version that nobody called for 14 days, and sometimes renews one. The version is then
inactive: its first call fails and begins another snapshot, which takes minutes. A rollback to it would be an outage.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from model_rollout.code_versions import CodeVersions
from model_watch.embedded_metrics import EmbeddedMetrics
from operate.api_calls import NotReadyError, api_event
from operate.settings import PingSettings

# The name of the metric, which an alarm looks for.
FAILURES = "CodePingFailures"
# Nothing is read for it: a version that restores its snapshot and starts has answered.
_EVENT = api_event("GET", "/livez")
_WAIT_S = 10.0
# A call takes no longer than PredictFunction's timeout of 29 s, and the line must be written after the last one.
_RESERVED_MS = 60_000


class CodePing:
    """Calls the versions of one function.

    Parameters
    ----------
    settings : PingSettings
        The metric's names, and the version that is CloudFormation's.
    list_versions : callable
        Returns the function's versions.
    call : callable
        Sends an event to the version with this number and returns the answer; raises `NotReadyError` if the version is
        inactive.
    clock : callable
        Returns now, with a time zone.
    write : callable
        Takes a line of the function's log.
    sleep : callable
        Waits for some seconds.
    """

    def __init__(
        self,
        settings: PingSettings,
        list_versions: Callable[[], CodeVersions],
        call: Callable[[str, Mapping[str, Any]], Mapping[str, Any]],
        *,
        clock: Callable[[], datetime],
        write: Callable[[str], None],
        sleep: Callable[[float], None],
    ) -> None:
        self._metrics = EmbeddedMetrics(settings.metrics_namespace, settings.metric_dimensions, {FAILURES: "Count"})
        self._list_versions = list_versions
        self._call = call
        self._clock = clock
        self._write = write
        self._sleep = sleep

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG002
        """Call each version until it answers or the time is used up, whatever happens to the others.

        Returns
        -------
        dict
            What the job's line in the log has: ``answered`` (version to the reason that it is kept), ``inactive``
            (those that had to be waited for) and ``failed`` (version to the error).

        Raises
        ------
        Exception
            If the versions can't be listed.
        """
        try:
            kept = self._list_versions().kept
        except Exception as error:
            self._tell({"error": type(error).__name__, "error_message": str(error)}, failures=1)
            raise
        inactive: set[str] = set()
        failed: dict[str, str] = {}
        waiting: Collection[str] = tuple(kept)
        while waiting := self._call_each(waiting, failed):
            inactive.update(waiting)
            if context.get_remaining_time_in_millis() < _RESERVED_MS:
                failed |= dict.fromkeys(waiting, "Its snapshot isn't ready yet; the next night asks again.")
                break
            self._sleep(_WAIT_S)
        found = {
            "answered": {version: reason for version, reason in kept.items() if version not in failed},
            "inactive": [version for version in kept if version in inactive],
            "failed": failed,
        }
        self._tell(found, failures=len(failed))
        return found

    def _call_each(self, versions: Collection[str], failed: dict[str, str]) -> list[str]:
        """Call some versions, note those that fail, and return those that aren't ready."""
        not_ready = []
        for version in versions:
            try:
                answer = self._call(version, _EVENT)
                if answer["statusCode"] != 200:
                    failed[version] = f"GET /livez is answered with {answer['statusCode']} {answer.get('body')}"
            except NotReadyError:
                not_ready.append(version)
            except Exception as error:  # noqa: BLE001 - the other versions are called all the same
                failed[version] = f"{type(error).__name__}: {error}"
        return not_ready

    def _tell(self, members: dict[str, Any], *, failures: int) -> None:
        now = self._clock()
        entry = {
            "level": "ERROR" if failures else "INFO",
            "message": "versions of the code failed" if failures else "versions of the code answered",
            "timestamp": now.isoformat(),
            "kind": "code_ping",
            **members,
        }
        document = self._metrics.document({FAILURES: failures}, None, entry, now.timestamp())
        self._write(json.dumps(document, ensure_ascii=False))
