"""One round: takes the next step of every rollout under way, and writes a line about each, also of one that has ended.

A line is a JSON object, and an EMF document too: CloudWatch makes its metrics of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from model_rollout.controller import Controller
from model_rollout.document import Rollout
from model_rollout.log_evidence import LogEvidence
from model_watch.embedded_metrics import EmbeddedMetrics
from operate.settings import Settings

# The names of the metrics; alarms look for the second one.
WEIGHT = "RolloutWeight"
NEEDS_ATTENTION = "RolloutNeedsAttention"
FAILED_GUARDS = "RolloutFailedGuards"
UNITS = {WEIGHT: "None", NEEDS_ATTENTION: "Count", FAILED_GUARDS: "Count"}
# A rollout that ended longer ago was told of: this is longer than rounds may be late, or a terminal's clock wrong.
_RECENTLY = timedelta(minutes=15)


class RolloutRoundError(RuntimeError):
    """Some rollouts couldn't be driven; the lines before say why. Lambda counts it as an error of the function."""


class RolloutRound:
    """Drives the rollouts of one model; ``write`` takes a line of the function's log."""

    def __init__(
        self,
        settings: Settings,
        controller: Controller,
        evidence: LogEvidence,
        *,
        clock: Callable[[], datetime],
        write: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._metrics = EmbeddedMetrics(settings.metrics_namespace, settings.metric_dimensions, UNITS)
        self._controller = controller
        self._evidence = evidence
        self._clock = clock
        self._write = write
        self._told: set[str] = set()

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG002
        """Drive every rollout under way, whatever happens to the others.

        A rollout that somebody else ended has its line too, so that the alarm goes off whoever took a version back:
        once in each execution environment.

        Returns
        -------
        dict
            The state of each, by alias.

        Raises
        ------
        RolloutRoundError
            If some couldn't be driven.
        """
        states, failed = {}, []
        for alias in self._controller.rollouts.list_aliases():
            try:
                before = self._controller.rollouts.get(alias).rollout
                if before.is_over and self._is_told(before):
                    continue
                after = self._controller.advance(alias) or before
                states[alias] = after.state
                if after.is_over:
                    self._told.add(after.id)
                self._write(json.dumps(self._line(after), ensure_ascii=False))
            except Exception as error:  # noqa: BLE001 - the other rollouts go on
                failed.append(alias)
                self._write(json.dumps(self._failure(alias, error), ensure_ascii=False))
        if failed:
            raise RolloutRoundError(f"The rollout on {', '.join(failed)} couldn't be driven; the log says why.")
        return {"rollouts": states}

    def _is_told(self, rollout: Rollout) -> bool:
        return rollout.id in self._told or self._clock() - rollout.last_event_at > _RECENTLY

    def _line(self, rollout: Rollout) -> dict[str, Any]:
        guards = {judgement["guard"]: judgement["verdict"] for judgement in rollout.judgements}
        damage = self._evidence.damage(rollout.alias)
        measured = {
            WEIGHT: rollout.candidate_share,
            NEEDS_ATTENTION: rollout.state in ("held", "rolled_back", "superseded"),
            FAILED_GUARDS: list(guards.values()).count("fail"),
        }
        members = {
            "rollout": rollout.id,
            "main": rollout.main,
            "candidate": rollout.candidate,
            "state": rollout.state,
            "rollout_stage": rollout.stage,
            "why": rollout.why,
            "guards": guards,
            "damaged_lines": damage.lines,
            "damaged_objects": list(damage.objects),
        }
        return self._document("INFO", f"rollout {rollout.state}", rollout.alias, members, measured)

    def _failure(self, alias: str, error: Exception) -> dict[str, Any]:
        members = {"error": type(error).__name__, "error_message": str(error)}
        return self._document("ERROR", "rollout not driven", alias, members, {NEEDS_ATTENTION: 1})

    def _document(
        self, level: str, message: str, alias: str, members: dict[str, Any], measured: dict[str, float]
    ) -> dict[str, Any]:
        now = self._clock()
        entry = {
            "level": level,
            "message": message,
            "timestamp": now.isoformat(),
            "kind": "rollout",
            "model": self._settings.model,
            "alias": alias,
            **members,
        }
        return self._metrics.document(measured, None, entry, now.timestamp())
