"""Plans a rollout from a command's options: its stages, what the guards tolerate, how the candidate should differ."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model_registry.manifest import Manifest
from model_rollout.controller import new_rollout_id
from model_rollout.document import Rollout
from model_rollout.guard_settings import GUARDS, GuardSettings, default_settings
from model_rollout.plan import Plan, read_duration, read_steps, read_strategy
from model_rollout.window import AnnouncedWindow
from peerloan.errors import UsageError
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from peerloan.comparing.paired_scores import PairedScores

DEFAULT_STRATEGY = "Canary10Percent5Minutes"
_EXPECTED_SCORE = re.compile(r"score=(-?[0-9]*\.?[0-9]+)\.\.(-?[0-9]*\.?[0-9]+)")
_EXPECTED_FLIPS = re.compile(r"flips=([0-9]*\.?[0-9]+)")


@dataclass(frozen=True)
class Wishes:
    """The options of ``peerloan rollout start``, as they were typed."""

    strategy: str | None
    steps: str | None
    every: str
    shadow: str
    bake: str
    guards: Path | None
    expect: Sequence[str]
    shadow_budget_ms: float | None
    records: Path | None
    reason: str

    def plan(self) -> Plan:
        """Return the stages; raise ``InvalidPlanError`` for what can't be right."""
        shadow_s, bake_s = read_duration(self.shadow), read_duration(self.bake)
        if self.steps is not None and self.strategy is not None:
            raise UsageError("Give --strategy or --steps, not both.")
        if self.steps is not None:
            return read_steps(self.steps, every_s=read_duration(self.every), shadow_s=shadow_s, bake_s=bake_s)
        return read_strategy(self.strategy or DEFAULT_STRATEGY, shadow_s=shadow_s, bake_s=bake_s)


@dataclass(frozen=True)
class PlannedRollout:
    """A rollout that may begin, and its plan in sentences."""

    rollout: Rollout
    sentences: tuple[str, ...]


def plan_rollout(workplace: Workplace, alias: str, candidate: int, wishes: Wishes) -> PlannedRollout:
    """Plan a rollout of a version in place of the one that an alias points at. Nothing is written.

    Raises
    ------
    UsageError, InvalidPlanError
        If an option can't be right.
    RegistryError
        If the alias or the version doesn't exist.
    """
    plan, tolerances = wishes.plan(), _read_tolerances(wishes.guards)
    reader = workplace.reader()
    current = reader.get_alias(alias).alias
    manifest = reader.get_manifest(candidate)
    has_shadow = _has_shadow(manifest, plan, wishes)
    settings, window, expectation = _expect(workplace, current.version, candidate, wishes, tolerances)
    now = workplace.clock()
    rollout = Rollout(
        id=new_rollout_id(alias, candidate, now, workplace.new_id()),
        model=workplace.model,
        alias=alias,
        main=current.version,
        candidate=candidate,
        owner=workplace.who,
        reason=wishes.reason,
        plan=plan,
        shadow_share=float(has_shadow),
        shadow_budget_ms=wishes.shadow_budget_ms if has_shadow else None,
        guards=settings.to_document(),
        expect=window.to_document() if window else None,
        began_at=now.isoformat(),
        state="running",
        why="started",
        held_for=None,
        stage=0,
        stage_began_at=now.isoformat(),
        alias_revision=current.revision,
        judgements=(),
        judged_at=None,
        seen_until=None,
        waived=(),
        weights={},
        events=(),
        update_id="",
    ).with_event("started", at=now, by=workplace.who, reason=wishes.reason)
    sentences = (*plan.sentences(current.version, candidate, GUARDS), expectation, _say_tolerances(settings))
    return PlannedRollout(rollout, sentences)


def _has_shadow(manifest: Manifest, plan: Plan, wishes: Wishes) -> bool:
    """Return whether the candidate is scored beside the version in charge."""
    if manifest.serving_form is not None or wishes.shadow_budget_ms is not None:
        return True
    if any(stage.kind == "shadow" for stage in plan.stages):
        raise UsageError(
            f"Version {manifest.version} is served from its pickle, so scoring it in the shadow takes time after each "
            "answer. Say how many milliseconds it may take (--shadow-budget 200), or leave the shadow stage out "
            "(--shadow 0s)."
        )
    return False


def _expect(
    workplace: Workplace, main: int, candidate: int, wishes: Wishes, tolerances: Mapping[str, float]
) -> tuple[GuardSettings, AnnouncedWindow | None, str]:
    """Return the guards' settings, the announced window, and a sentence about it."""
    scores, why_not = _compare(workplace, main, candidate, wishes.records)
    window = change_window(scores.window() if scores else None, wishes.expect, wishes.reason)
    mean, flagged = None, 0.0
    if scores:
        mean = float(scores.main.probabilities.mean())
        flagged = float(scores.candidate.is_late.mean() - scores.main.is_late.mean())
    try:
        settings = default_settings(window, mean, flagged, tolerances)
    except ValueError as error:
        raise UsageError(f"These guards can't be used: {error}") from error
    source = f"{len(scores):,} loans of {scores.source}" if scores else f"no loans to compare on: {why_not}"
    if wishes.expect:
        source = f"{' '.join(wishes.expect)}: {wishes.reason}"
    if window is None:
        return settings, None, f"Version {candidate} is expected to score as version {main} does ({source})."
    sentence = (
        f"Version {candidate} is expected to score {window.low:+.4f} to {window.high:+.4f} beside version {main} on "
        f"average, and to decide otherwise for up to {window.flip_high:.2%} of the loans ({source})."
    )
    return settings, window, sentence


def _compare(workplace: Workplace, main: int, candidate: int, records: Path | None) -> tuple[PairedScores | None, str]:
    # Imported here: it brings NumPy and, for the held-out loans, pandas.
    from peerloan.comparing.version_scores import compare_versions

    try:
        return compare_versions(workplace, main, candidate, records, has_reasons=False).scores, ""
    except UsageError as error:
        if records is not None or main == candidate:
            raise
        return None, str(error)


def change_window(window: AnnouncedWindow | None, words: Sequence[str], reason: str) -> AnnouncedWindow | None:
    """Return the window with what ``--expect`` says in place of what was measured.

    Parameters
    ----------
    window : AnnouncedWindow, optional
        What was measured; None: no difference.
    words : sequence of str
        ``score=LOW..HIGH`` (difference of the mean late probability) and ``flips=SHARE``.
    reason : str
        Why; needed.

    Raises
    ------
    UsageError
        If a word has another form, or there is no reason.
    """
    if not words:
        return window
    if not reason:
        raise UsageError("--expect changes what the guards tolerate; say why with --reason.")
    changed = window or AnnouncedWindow(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for word in words:
        score, flips = _EXPECTED_SCORE.fullmatch(word), _EXPECTED_FLIPS.fullmatch(word)
        if score and -1 <= float(score[1]) <= float(score[2]) <= 1:
            low, high = float(score[1]), float(score[2])
            changed = replace(changed, mean_difference=(low + high) / 2, low=low, high=high)
        elif flips and float(flips[1]) <= 1:
            share = float(flips[1])
            changed = replace(changed, flip_share=share, flip_low=0.0, flip_high=share)
        else:
            raise UsageError(f"--expect {word!r} can't be read: write score=-0.002..0.004 or flips=0.03.")
    return changed


def _read_tolerances(path: Path | None) -> Mapping[str, float]:
    """Return the tolerances of a file of lines such as ``flips = 0.03``."""
    if path is None:
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"The guards in {path} can't be read: {error}. Write lines such as: flips = 0.03") from error
    for guard, tolerance in document.items():
        if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)):
            raise UsageError(f"{path}: {guard} is {tolerance!r}, not a tolerance. Write lines such as: flips = 0.03")
    return document


def _say_tolerances(settings: GuardSettings) -> str:
    words = (
        f"{guard} {'up to' if bounds.low is None else f'{bounds.low:+.4g} to'} {bounds.high:+.4g}"
        for guard, bounds in settings.bounds.items()
    )
    return f"Tolerated differences, candidate less version in charge: {', '.join(words)}."
