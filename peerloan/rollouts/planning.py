"""Plans a rollout from a command's options: its stages, what the guards tolerate, how the candidate should differ."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from batch_scoring.errors import UnusableFileError
from model_registry.alias import Alias
from model_registry.manifest import Manifest
from model_rollout.controller import new_rollout_id, require_room
from model_rollout.document import Rollout
from model_rollout.guard_settings import GUARDS, GuardSettings, default_settings
from model_rollout.plan import Plan, read_duration, read_steps, read_strategy
from model_rollout.rollout_store import RolloutUnderWayError
from model_rollout.window import AnnouncedWindow
from peerloan.errors import UsageError
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from peerloan.comparing.paired_scores import PairedScores

DEFAULT_STRATEGY = "Canary10Percent5Minutes"
DEFAULT_EVERY = "5m"
_EXPECTED_RANGE = re.compile(r"(score|flags)=(-?[0-9]*\.?[0-9]+)\.\.(-?[0-9]*\.?[0-9]+)")
_EXPECTED_FLIPS = re.compile(r"flips=([0-9]*\.?[0-9]+)")


@dataclass(frozen=True)
class Wishes:
    """The options of ``peerloan rollout start``, as they were typed."""

    strategy: str | None
    steps: str | None
    every: str | None
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
            every_s = read_duration(DEFAULT_EVERY if self.every is None else self.every)
            return read_steps(self.steps, every_s=every_s, shadow_s=shadow_s, bake_s=bake_s)
        if self.every is not None:
            raise UsageError(
                f"--every {self.every} is the time of each of --steps, and there are none. Add --steps 1,10,50, or "
                "leave --every out: a strategy's name says its minutes."
            )
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
        If the alias or the version doesn't exist, the version is in charge, or a rollout is under way.
    """
    plan, tolerances = wishes.plan(), _read_tolerances(wishes.guards)
    reader = workplace.reader()
    current = reader.get_alias(alias).alias
    _require_free(workplace, current, candidate)
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


def _require_free(workplace: Workplace, alias: Alias, candidate: int) -> None:
    """Refuse before anything is measured or asked; the controller looks once more when it begins."""
    last = workplace.rollouts().find(alias.alias)
    if last is None or last.rollout.is_over:
        require_room(alias, candidate)
    # At another revision somebody may have moved the alias, which ends the rollout: the controller finds out.
    elif last.rollout.alias_revision == alias.revision:
        raise RolloutUnderWayError(last.rollout)


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
    mean = float(scores.main.probabilities.mean()) if scores else None
    try:
        settings = default_settings(window, mean, tolerances)
    except ValueError as error:
        raise UsageError(f"These guards can't be used: {error}") from error
    source = f"{len(scores):,} loans of {scores.source}" if scores else f"no loans to compare on: {why_not}"
    if wishes.expect:
        source = f"{' '.join(wishes.expect)}: {wishes.reason}"
    if window is None:
        return settings, None, f"Version {candidate} is expected to score as version {main} does ({source})."
    sentence = (
        f"Version {candidate} is expected to score {window.low:+.4f} to {window.high:+.4f} beside version {main} on "
        f"average, to flag {window.flag_low:+.2%} to {window.flag_high:+.2%} more of the loans, and to decide "
        f"otherwise for up to {window.flip_high:.2%} of them ({source})."
    )
    return settings, window, sentence


def _compare(workplace: Workplace, main: int, candidate: int, records: Path | None) -> tuple[PairedScores | None, str]:
    # Imported here: it brings NumPy and, for the held-out loans, pandas.
    from peerloan.comparing.version_scores import compare_versions

    try:
        return compare_versions(workplace, main, candidate, records, has_reasons=False).scores, ""
    except (UsageError, UnusableFileError) as error:
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
        ``score=LOW..HIGH`` (difference of the mean late probability), ``flags=LOW..HIGH`` (of the share of loans that
        are flagged) and ``flips=SHARE``.
    reason : str
        Why; needed.

    Raises
    ------
    UsageError
        If a word has another form, names what another one does, or there is no reason.
    """
    if not words:
        return window
    if not reason:
        raise UsageError("--expect changes what the guards tolerate; say why with --reason.")
    names = [word.partition("=")[0] for word in words]
    if len(set(names)) < len(names):
        raise UsageError(f"--expect names {max(names, key=names.count)} twice; give it one value.")
    changed = window or AnnouncedWindow(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for word in words:
        score_or_flags, flips = _EXPECTED_RANGE.fullmatch(word), _EXPECTED_FLIPS.fullmatch(word)
        if score_or_flags and -1 <= float(score_or_flags[2]) <= float(score_or_flags[3]) <= 1:
            low, high = float(score_or_flags[2]), float(score_or_flags[3])
            if score_or_flags[1] == "flags":
                changed = replace(changed, flag_low=low, flag_high=high)
            else:
                changed = replace(changed, mean_difference=(low + high) / 2, low=low, high=high)
        elif flips and float(flips[1]) <= 1:
            share = float(flips[1])
            changed = replace(changed, flip_share=share, flip_low=0.0, flip_high=share)
        else:
            raise UsageError(
                f"--expect {word!r} can't be read: write score=-0.002..0.004 or flags=-0.01..0.02, the lower end "
                "first, both within -1..1; or flips=0.03, a share up to 1."
            )
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
