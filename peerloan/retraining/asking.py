"""Finds out what a retraining is asked for, and whether it has begun already."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_registry.manifest import Manifest
from peerloan.errors import CommandError, UsageError
from peerloan.retraining.document import Kind, Request, Retraining, RetrainingSnapshot
from peerloan.workplace import Workplace

MENDING: tuple[Kind, ...] = ("recalibrate", "refit")
RULES = ("no-worse-than", "better-than")


@dataclass(frozen=True)
class Options:
    """The options of ``peerloan retrain`` that say what is to be made, as they were typed."""

    alias: str
    data: Sequence[Path]
    is_recalibrated: bool
    recipe: str | None
    require: str
    id: str | None

    @property
    def says_nothing(self) -> bool:
        """Whether only ``id`` says what is to be made: a retraining that has begun."""
        return not (self.data or self.is_recalibrated)


def read_verdicts(text: str) -> tuple[Kind, ...]:
    """Return the verdicts that ``--if-verdict`` names, separated by commas; ``UsageError`` for any other word."""
    words = [word.strip() for word in text.split(",")]
    wrong = [word for word in words if word not in MENDING]
    if wrong:
        raise UsageError(
            f"--if-verdict {text}: {wrong[0]!r} isn't a verdict that a new version mends. Write recalibrate, refit, or "
            "both: recalibrate,refit."
        )
    return tuple(kind for kind in MENDING if kind in words)


def kind_by_verdict(workplace: Workplace, alias: str, verdicts: Sequence[Kind]) -> tuple[Kind | None, str]:
    """Return what the monitor's last report asks for, None if nothing that is among ``verdicts``; and a sentence."""
    from model_monitor.report_store import ReportStore

    reports = ReportStore(workplace.model_store(), workplace.model)
    dates = reports.list_dates(alias)
    if not dates:
        return None, f"There is no report on alias {alias!r} yet. Make one: peerloan monitor {alias}."
    report = reports.get(alias, dates[-1])
    said = f"The report of {report.as_of} on version {report.version} says {report.verdict.kind}"
    in_charge = workplace.reader().get_alias(alias).alias.version
    if report.version != in_charge:
        return None, f"{said}; version {in_charge} is in charge now, and no report is of it."
    kind = next((kind for kind in verdicts if kind == report.verdict.kind), None)
    if kind is None:
        return None, f"{said}: {report.verdict.reason} Nothing to do."
    return kind, f"{said}: {report.verdict.reason}"


def find_or_begin(workplace: Workplace, options: Options, *, has_rollout: bool) -> RetrainingSnapshot:
    """Return the retraining that the options ask for: one that has begun, else a new one.

    Raises
    ------
    UsageError
        If the options can't be right, or the id is that of a retraining that was asked for something else.
    CommandError
        If another version has been put in charge since it began.
    """
    store = workplace.retrainings()
    alias = workplace.reader().get_alias(options.alias).alias
    manifest = workplace.reader().get_manifest(alias.version)
    begun = store.find(options.id) if options.id else None
    if options.says_nothing:
        if begun is None:
            raise UsageError(_what_to_say(options))
        return _checked(begun, options.alias, alias.version)
    request = _request(options, manifest)
    if begun is None and options.id is None:
        begun = _find_origin(workplace, manifest, request, has_rollout=has_rollout)
    identity = options.id or f"{options.alias[:100]}-v{alias.version}-{request.kind}-{request.digest[:8]}"
    begun = begun or store.find(identity)
    if begun is None:
        now = workplace.clock().isoformat()
        return store.begin(
            Retraining(
                id=identity,
                model=workplace.model,
                alias=options.alias,
                main=alias.version,
                request=request,
                owner=workplace.who,
                began_at=now,
                stages=(),
                refused=None,
                update_id="",
            )
        )
    if begun.retraining.request.digest != request.digest:
        raise UsageError(
            f"Retraining {identity!r} was asked for something else: {_describe(begun.retraining.request)}. "
            f"Go on with it: peerloan retrain {options.alias} --id {identity}. Or choose another --id."
        )
    return _checked(begun, options.alias, alias.version)


def is_complete(retraining: Retraining, *, has_rollout: bool) -> bool:
    """Return whether every stage that is asked for is done."""
    return retraining.find_stage("rollout" if has_rollout else "compared") is not None


def _find_origin(
    workplace: Workplace, in_charge: Manifest, request: Request, *, has_rollout: bool
) -> RetrainingSnapshot | None:
    """Return the retraining that made the version in charge, if the same is asked for once more.

    Its rollout may have ended before the last stage was written. A version that was recalibrated may be recalibrated
    again, on outcomes of its own; the same loans by the same recipe give the same model.
    """
    origin = in_charge.data.get("retraining")
    begun = workplace.retrainings().find(origin) if isinstance(origin, str) else None
    if begun is None or begun.retraining.request.digest != request.digest:
        return None
    is_over = is_complete(begun.retraining, has_rollout=has_rollout)
    return None if is_over and request.kind == "recalibrate" else begun


def _checked(begun: RetrainingSnapshot, alias: str, in_charge: int) -> RetrainingSnapshot:
    retraining = begun.retraining
    if retraining.alias != alias:
        raise UsageError(f"Retraining {retraining.id!r} is of alias {retraining.alias!r}, not of {alias!r}.")
    if in_charge not in (retraining.main, retraining.version) and retraining.find_stage("rollout") is None:
        raise CommandError(
            f"Retraining {retraining.id!r} is of version {retraining.main}, and version {in_charge} is in charge of "
            f"{alias!r} now. Begin another one: leave --id out, or name a new one."
        )
    return begun


def _request(options: Options, in_charge: Manifest) -> Request:
    if options.require not in RULES:
        raise UsageError(f"--require {options.require!r} isn't a rule: write {' or '.join(RULES)}.")
    if options.is_recalibrated:
        if options.recipe is not None:
            raise UsageError("--recipe says what to train anew, and --recalibrate trains nothing. Give one of them.")
        return Request("recalibrate", None, (), (), options.require)
    # Imported here: it brings pandas, which takes longer than most commands.
    from training.loans.loan_files import read_files

    recipe = _recipe(options, in_charge)
    digests = tuple(hashlib.sha256(file.content).hexdigest() for file in read_files(list(options.data)))
    paths = tuple(str(path.resolve()) for path in options.data)
    return Request("refit", recipe, paths, digests, options.require)


def _recipe(options: Options, in_charge: Manifest) -> Mapping[str, Any]:
    """Return the recipe of the version in charge, or the one that is named, with the same rule for the threshold."""
    from training.run import RECIPES

    recipe = in_charge.data.get("recipe")
    name = options.recipe or (recipe.get("name") if isinstance(recipe, Mapping) else None)
    if name not in RECIPES:
        known = " or ".join(sorted(RECIPES))
        lacks = "its manifest names no recipe" if name is None else f"there is no recipe {name!r}"
        raise UsageError(f"Version {in_charge.version} can't be trained again: {lacks}. Say which: --recipe {known}.")
    if options.recipe is None:
        return dict(recipe)  # type: ignore[arg-type]
    rule = in_charge.metrics.get("threshold")
    return {"name": name, "contender": None, "estimators": None, "seed": None, "threshold": rule}


def _what_to_say(options: Options) -> str:
    if options.id:
        return (
            f"There is no retraining {options.id!r} to go on with. Say what it makes: --data FILE, oldest first, or "
            "--recalibrate."
        )
    return "Say what to make: --data FILE for loans to train on, oldest first, or --recalibrate."


def _describe(request: Request) -> str:
    if request.kind == "recalibrate":
        return "to recalibrate"
    return f"the {(request.recipe or {}).get('name')} model trained on {', '.join(request.data)}"
