"""The plan of a rollout: its stages, read from a strategy's name or from steps, and printed in plain sentences.

A rollout goes through a shadow stage (the candidate scores every request and answers none), canary stages of rising
weight, and the bake (all requests; a failure still goes back). Stages of zero seconds are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from model_registry.errors import RegistryError

StageKind = Literal["shadow", "canary", "bake"]

# CodeDeploy's names of its strategies. It writes "Minutes" for any number, and "1Minute" in one name.
_CANARY = re.compile(r"Canary([0-9]+)Percent([0-9]+)Minutes?")
_LINEAR = re.compile(r"Linear([0-9]+)PercentEvery([0-9]+)Minutes?")
_ALL_AT_ONCE = "AllAtOnce"
_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
_UNIT_SECONDS = (86_400, 3_600, 60, 1)
_MAX_STAGE_S = 30 * 86_400
# A rollout is judged from its whole log, and the function and the data change meanwhile.
_MAX_PLAN_S = 90 * 86_400
_MAX_STEPS = 100


class InvalidPlanError(RegistryError):
    """A strategy, step or duration that can't be read, or a plan that would judge nothing."""


@dataclass(frozen=True)
class Stage:
    """One stage: the share of the requests that the candidate answers, 0.0 to 1.0, and for how long at least."""

    kind: StageKind
    weight: float
    seconds: float

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1 or not self.seconds > 0:
            raise InvalidPlanError(f"A stage of weight {self.weight} for {self.seconds} seconds can't be.")
        if self.seconds > _MAX_STAGE_S:
            days = self.seconds / 86_400
            raise InvalidPlanError(
                f"A {self.kind} stage of {days:.4g} days is too long: a stage lasts 30 days at most."
            )


@dataclass(frozen=True)
class Plan:
    """The stages in order, and the words that asked for them."""

    strategy: str
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        if not self.stages:
            raise InvalidPlanError(
                "This plan has no stage in which anything would be judged. Give it a shadow stage or a bake "
                "(--shadow 2m, --bake 2m), or move the alias by hand: peerloan alias set."
            )
        if self.seconds > _MAX_PLAN_S:
            raise InvalidPlanError(
                f"{self.strategy} takes {format_duration(self.seconds)} in all; a rollout lasts 90 days at most. "
                "Choose fewer or shorter steps."
            )

    @property
    def seconds(self) -> float:
        """The shortest time that the rollout takes."""
        return sum(stage.seconds for stage in self.stages)

    def sentences(self, main: int, candidate: int, judged: Mapping[StageKind, Sequence[str]]) -> list[str]:
        """Say what will happen, a sentence or two for each stage.

        Parameters
        ----------
        main, candidate : int
            The version in charge, and the version that is to replace it.
        judged : mapping
            The names of the guards that each kind of stage asks.
        """
        lines = []
        for number, stage in enumerate(self.stages, start=1):
            guards = ", ".join(judged.get(stage.kind, ())) or "nothing"
            what = _stage_sentence(stage, main, candidate)
            lines.append(f"{number}. {stage.kind}, {format_duration(stage.seconds)}: {what} Judged: {guards}.")
        return [
            f"Version {candidate} replaces version {main} in {format_duration(self.seconds)} or more: {self.strategy}.",
            *lines,
            f"Version {candidate} is in charge once the last stage has passed.",
            f"If a guard fails, all requests go back to version {main} at once.",
            "If a stage ends without enough evidence, the rollout holds: it goes on when the evidence has come, or "
            "when somebody promotes it with a reason.",
        ]


def read_strategy(name: str, *, shadow_s: float, bake_s: float) -> Plan:
    """Return the plan of one of CodeDeploy's strategies.

    Parameters
    ----------
    name : str
        ``AllAtOnce``, ``CanaryXPercentYMinutes`` or ``LinearXPercentEveryYMinutes`` for any whole X from 1 to 99 and
        whole Y from 1.
    shadow_s, bake_s : float
        Seconds of the shadow stage before the steps, and of the bake after them.

    Raises
    ------
    InvalidPlanError
        If the name isn't of these forms, or nothing would be judged.
    """
    if name == _ALL_AT_ONCE:
        return _plan(name, (), 0, shadow_s, bake_s)
    canary, linear = _CANARY.fullmatch(name), _LINEAR.fullmatch(name)
    match = canary or linear
    if not match:
        raise InvalidPlanError(
            f"{name!r} isn't a strategy: write AllAtOnce, CanaryXPercentYMinutes or LinearXPercentEveryYMinutes with "
            "whole numbers, such as Canary10Percent5Minutes. Or give the steps: --steps 1,10,50 --every 30s."
        )
    percent, minutes = _bounded(match[1]), _bounded(match[2])
    if not 1 <= percent <= 99:
        raise InvalidPlanError(f"{name!r} shifts {match[1]} % at a time; choose 1 to 99, or the strategy AllAtOnce.")
    if not minutes:
        raise InvalidPlanError(f"{name!r} gives a step no time; choose at least one minute, or --every 30s.")
    percents = [percent] if canary else list(range(percent, 100, percent))
    return _plan(name, percents, minutes * 60, shadow_s, bake_s)


def read_steps(steps: str, *, every_s: float, shadow_s: float, bake_s: float) -> Plan:
    """Return the plan of steps in percent, such as ``1,10,50``, each of ``every_s`` seconds.

    Raises ``InvalidPlanError`` unless the steps are numbers between 0 and 100 that rise, at most 100 of them.
    """
    percents = [_percent(word.strip(), steps) for word in steps.split(",")]
    if any(later <= earlier for earlier, later in pairwise(percents)):
        raise InvalidPlanError(f"The steps {steps!r} don't rise. A weight that falls would move loans back.")
    if len(percents) > _MAX_STEPS:
        raise InvalidPlanError(f"The plan has {len(percents)} steps; give at most {_MAX_STEPS}.")
    if not every_s:
        raise InvalidPlanError("The steps have no time in which anything could be judged; give --every 30s or so.")
    return _plan(f"{steps} % every {format_duration(every_s)}", percents, every_s, shadow_s, bake_s)


def read_duration(text: str) -> float:
    """Return the seconds of a duration such as ``30s``, ``2m``, ``1h`` or ``1h30m``.

    Raises ``InvalidPlanError`` for another form, or for more than 30 days.
    """
    match = _DURATION.fullmatch(text)
    if not text or not match:
        raise InvalidPlanError(f"{text!r} isn't a duration: write 30s, 2m, 1h or 1h30m.")
    seconds = sum(_bounded(count or "0") * unit for count, unit in zip(match.groups(), _UNIT_SECONDS, strict=True))
    if seconds > _MAX_STAGE_S:
        raise InvalidPlanError(f"{text!r} is longer than 30 days, the longest that a stage may last.")
    return float(seconds)


def format_duration(seconds: float) -> str:
    """Return a duration as ``read_duration`` reads it; parts of a second are left out."""
    left = int(seconds)
    words = []
    for unit, name in zip(_UNIT_SECONDS, "dhms", strict=True):
        count, left = divmod(left, unit)
        if count:
            words.append(f"{count}{name}")
    return "".join(words) or "0s"


def _plan(strategy: str, percents: Sequence[float], every_s: float, shadow_s: float, bake_s: float) -> Plan:
    stages = [Stage("canary", percent / 100, every_s) for percent in percents]
    if shadow_s:
        stages.insert(0, Stage("shadow", 0.0, shadow_s))
    if bake_s:
        stages.append(Stage("bake", 1.0, bake_s))
    return Plan(strategy, tuple(stages))


def _stage_sentence(stage: Stage, main: int, candidate: int) -> str:
    if stage.kind == "shadow":
        return f"version {main} answers every request; version {candidate} scores it too, after the answer."
    if stage.kind == "bake":
        return f"version {candidate} answers every request; version {main} stands by."
    share = f"{stage.weight * 100:g} %"
    return f"version {candidate} answers {share} of the loans, always the same ones; version {main} the rest."


def _percent(word: str, steps: str) -> float:
    # Python's own numbers would include "nan", "1e1" and "1_0".
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", word) or not 0 < float(word) < 100:
        raise InvalidPlanError(
            f"{word!r} in --steps {steps!r} isn't a percentage between 0 and 100. Write rising percentages with commas "
            "between, such as 1,10,50; all requests follow after the last step by themselves."
        )
    return float(word)


def _bounded(digits: str) -> int:
    # A number of a thousand digits takes long to convert; anything this long is refused by the caller's range.
    return int(digits.lstrip("0")[:9] or "0")
