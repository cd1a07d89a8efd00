"""One round: takes the next step of every rollout under way, and writes a line about each.

A line is a JSON object, and an EMF document too: CloudWatch makes its metrics of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from model_rollout.controller import Controller
from model_rollout.document import Rollout
from model_rollout.log_evidence import LogEvidence
from operate.settings import Settings

# The names of the metrics; alarms look for the second one.
WEIGHT = "RolloutWeight"
NEEDS_ATTENTION = "RolloutNeedsAttention"
FAILED_GUARDS = "RolloutFailedGuards"


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
        self._controller = controller
        self._evidence = evidence
        self._clock = clock
        self._write = write

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG002
        """Drive every rollout under way, whatever happens to the others.

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
                if before.is_over:
                    continue
                after = self._controller.advance(alias) or before
                states[alias] = after.state
                self._write(json.dumps(self._line(after), ensure_ascii=False))
            except Exception as error:  # noqa: BLE001 - the other rollouts go on
                failed.append(alias)
                self._write(json.dumps(self._failure(alias, error), ensure_ascii=False))
        if failed:
            raise RolloutRoundError(f"The rollout on {', '.join(failed)} couldn't be driven; the log says why.")
        return {"rollouts": states}

    def _line(self, rollout: Rollout) -> dict[str, Any]:
        guards = {judgement["guard"]: judgement["verdict"] for judgement in rollout.judgements}
        damage = self._evidence.damage(rollout.alias)
        return {
            **self._members("INFO", f"rollout {rollout.state}", rollout.alias),
            "rollout": rollout.id,
            "main": rollout.main,
            "candidate": rollout.candidate,
            "state": rollout.state,
            "rollout_stage": rollout.stage,
            "why": rollout.why,
            "guards": guards,
            "damaged_lines": damage.lines,
            "damaged_objects": list(damage.objects),
            WEIGHT: rollout.candidate_share,
            NEEDS_ATTENTION: int(rollout.state not in ("running", "promoted")),
            FAILED_GUARDS: list(guards.values()).count("fail"),
            "_aws": self._metrics(WEIGHT, NEEDS_ATTENTION, FAILED_GUARDS),
        }

    def _failure(self, alias: str, error: Exception) -> dict[str, Any]:
        members = self._members("ERROR", "rollout not driven", alias)
        error_members = {"error": type(error).__name__, "error_message": str(error), NEEDS_ATTENTION: 1}
        return {**members, **error_members, "_aws": self._metrics(NEEDS_ATTENTION)}

    def _members(self, level: str, message: str, alias: str) -> dict[str, Any]:
        return {
            "level": level,
            "message": message,
            "timestamp": self._clock().isoformat(),
            "kind": "rollout",
            "service": self._settings.service,
            "stage": self._settings.stage,
            "model": self._settings.model,
            "alias": alias,
        }

    def _metrics(self, *metrics: str) -> dict[str, Any]:
        directive = {
            "Namespace": self._settings.metrics_namespace,
            "Dimensions": [["service", "stage"]],
            "Metrics": [{"Name": name} for name in metrics],
        }
        return {"Timestamp": int(self._clock().timestamp() * 1000), "CloudWatchMetrics": [directive]}
