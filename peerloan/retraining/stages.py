"""The stages of a retraining: train, publish, compare, roll out.

Each one is written into the retraining's document when it is done. It may have been done without having been written:

- train: the model is in the state folder, under the retraining's id. Without the folder it is trained again.
- publish: the manifest names the retraining (``data.retraining``), so a second run finds the version.
- roll out: the rollout's id follows from the retraining's, so a second run finds the rollout.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch_scoring.errors import UnusableFileError
from model_registry.errors import InvalidManifestError, VersionNotFoundError
from peerloan.errors import UsageError
from peerloan.gating import GateRefusedError, prepare_gates
from peerloan.handover import publish_handover
from peerloan.retraining.document import Retraining, RetrainingSnapshot, Stage, StageName
from peerloan.retraining.recalibrated import Outcomes, RecalibrationRefusedError, recalibrate
from peerloan.retraining.refit import stated_threshold, train_again
from peerloan.workplace import DATA_VARIABLE, Workplace

if TYPE_CHECKING:
    from peerloan.rollouts.planning import Wishes
    from training.handover import Handover

Facts = dict[str, Any]
# Takes a stage's name, a sentence about it, and whether it was done before.
Tell = Callable[[StageName, str, bool], None]
# Makes the model of a retraining in a folder, as training writes it; returns a sentence about it and its facts.
Make = Callable[[Workplace, Retraining, Path], tuple[str, Facts]]


@dataclass(frozen=True)
class MakeCandidate:
    """Trains anew, or recalibrates; see ``Make``. ``outcomes`` are what it recalibrates on."""

    outcomes: Outcomes

    def __call__(self, workplace: Workplace, retraining: Retraining, folder: Path) -> tuple[str, Facts]:
        """See ``Make``."""
        if retraining.request.kind == "refit":
            return train_again(workplace, retraining, folder)
        return recalibrate(workplace, retraining, folder, self.outcomes)


@dataclass(frozen=True)
class Run:
    """One run of ``peerloan retrain``.

    Attributes
    ----------
    workplace : Workplace
        Where it works.
    wishes : Wishes or None
        The rollout to start; None for none.
    tell : Tell
        Is told of each stage.
    make : Make
        Makes the model of the first stage.
    """

    workplace: Workplace
    wishes: Wishes | None
    tell: Tell
    make: Make

    def go_on(self, snapshot: RetrainingSnapshot) -> Retraining:
        """Do all stages that aren't done; return the retraining.

        Raises
        ------
        GateRefusedError, RecalibrationRefusedError
            If the candidate fails a rule; the document says which.
        RetrainingBusyError
            If another process goes on with it too.
        CommandError, RegistryError, TrainingError, ArtifactError
            If a stage can't be done; the earlier ones stay done.
        """
        stages: dict[StageName, Callable[[Retraining], tuple[str, Facts]]] = {
            "trained": self._train,
            "published": self._publish,
            "compared": self._compare,
            "rollout": self._roll_out,
        }
        for name, do in stages.items():
            if name == "rollout" and self.wishes is None:
                continue
            stage = snapshot.retraining.find_stage(name)
            if stage is None:
                snapshot, stage = self._do(snapshot, name, do)
                self.tell(name, stage.told, False)
            else:
                self.tell(name, stage.told, True)
        return snapshot.retraining

    def _do(
        self, snapshot: RetrainingSnapshot, name: StageName, do: Callable[[Retraining], tuple[str, Facts]]
    ) -> tuple[RetrainingSnapshot, Stage]:
        store = self.workplace.retrainings()
        try:
            told, facts = do(snapshot.retraining)
        except (GateRefusedError, RecalibrationRefusedError) as error:
            store.write(replace(snapshot.retraining, refused=str(error)), snapshot.etag)
            raise
        stage = Stage(name, self.workplace.clock().isoformat(), self.workplace.who, told, facts)
        return store.write(snapshot.retraining.with_stage(stage), snapshot.etag), stage

    def _train(self, retraining: Retraining) -> tuple[str, Facts]:
        folder = candidate_path(self.workplace, retraining)
        told, facts = self.make(self.workplace, retraining, folder)
        return told, {**facts, "pickle_sha256": _sha256(folder)}

    def _publish(self, retraining: Retraining) -> tuple[str, Facts]:
        version = _find_published(self.workplace, retraining)
        if version is not None:
            return f"Version {version}, which an earlier run had published.", {"version": version}
        handover = self._handover(retraining)
        gates = None
        if retraining.request.kind == "refit":
            require = f"{retraining.request.require}={retraining.alias}"
            gates = prepare_gates(self.workplace, handover, require, _paths(retraining), None)
        if gates is not None:
            handover = handover.tested_on(gates.loans)
        manifest = publish_handover(self.workplace, handover, gates)[0].manifest
        if manifest.version == retraining.main:
            return f"It is version {manifest.version}, which is in charge: nothing new.", {"version": manifest.version}
        return f"Version {manifest.version}: {manifest.description}", {"version": manifest.version}

    def _handover(self, retraining: Retraining) -> Handover:
        """Return the model of the first stage; it is made again if its folder is gone or has another one."""
        # Imported here: it brings pandas, which takes longer than most commands.
        from training.handover import read_handover

        workplace, trained = self.workplace, retraining.find_stage("trained")
        folder = candidate_path(workplace, retraining)
        if trained is None or _sha256(folder) != trained.facts.get("pickle_sha256"):
            self.make(workplace, retraining, folder)
        handover = read_handover(folder, workplace.who, rule=stated_threshold(retraining.request.recipe))
        assert handover.record is not None
        record = replace(handover.record, data={**handover.record.data, "retraining": retraining.id})
        reasons = workplace.reader().get_manifest(retraining.main).reasons
        return replace(handover, record=record, wording=reasons.wording if reasons else None)

    def _compare(self, retraining: Retraining) -> tuple[str, Facts]:
        if retraining.version == retraining.main:
            return "There is no other version to compare with.", {}
        # Imported here: they bring Matplotlib, which takes longer than most commands.
        from peerloan.comparing import tables
        from peerloan.comparing.page import render_comparison
        from peerloan.comparing.version_scores import compare_versions
        from peerloan.files import make_folder, write_whole

        assert retraining.version is not None
        try:
            findings = compare_versions(_with_data(self.workplace, retraining), retraining.main, retraining.version)
        except (UsageError, UnusableFileError) as error:
            return f"There are no loans to compare on: {error}", {}
        folder = candidate_path(self.workplace, retraining)
        page = folder / f"comparison-{retraining.main}-{retraining.version}.html"
        make_folder(folder)
        write_whole(page, render_comparison(findings).encode())
        figures = tables.headline(findings)
        told = "; ".join(f"{name} {figure}" for name, figure in figures.items())
        return f"{tables.loans_line(findings)}: {told}. Page: {page}", {"figures": figures}

    def _roll_out(self, retraining: Retraining) -> tuple[str, Facts]:
        if retraining.version == retraining.main:
            return "There is no other version to roll out.", {}
        from model_rollout.controller import new_rollout_id
        from peerloan.rollouts.planning import plan_rollout

        assert self.wishes is not None
        assert retraining.version is not None
        unique = hashlib.sha256(retraining.id.encode()).hexdigest()
        began = datetime.fromisoformat(retraining.began_at)
        identity = new_rollout_id(retraining.alias, retraining.version, began, unique)
        past = self.workplace.rollouts().history(retraining.alias)
        begun = next((rollout for rollout in past if rollout.id == identity), None)
        if begun is None:
            reason = self.wishes.reason or f"retraining {retraining.id}"
            wishes = replace(self.wishes, expect=expected_changes(retraining), reason=reason)
            planned = plan_rollout(
                _with_data(self.workplace, retraining), retraining.alias, retraining.version, wishes
            ).rollout
            begun = self.workplace.rollout_controller().start(replace(planned, id=identity))
        told = f"Rollout {begun.id} of version {begun.candidate} in place of version {begun.main} is {begun.state}."
        return told, {"rollout": begun.id}


def candidate_path(workplace: Workplace, retraining: Retraining) -> Path:
    """Return the folder of a retraining's model and pages."""
    return workplace.state_dir / "retrainings" / retraining.id


def expected_changes(retraining: Retraining) -> tuple[str, ...]:
    """Return how far the candidate is meant to differ, as ``peerloan rollout start --expect`` takes it.

    A model that was trained anew is compared on loans when the rollout is planned. Of a recalibrated one the recent
    scores say it, and there may be no loans.
    """
    trained = retraining.find_stage("trained")
    return tuple(trained.facts.get("expect", ())) if trained else ()


def _find_published(workplace: Workplace, retraining: Retraining) -> int | None:
    """Return the version that an earlier run published and couldn't write down any more."""
    reader = workplace.reader()
    for version in reversed(reader.list_versions()):
        if version <= retraining.main:
            return None
        with suppress(InvalidManifestError, VersionNotFoundError):
            if reader.get_manifest(version).data.get("retraining") == retraining.id:
                return version
    return None


def _sha256(folder: Path) -> str | None:
    from training.candidate_folder import PICKLE_NAME

    try:
        return hashlib.sha256((folder / PICKLE_NAME).read_bytes()).hexdigest()
    except OSError:
        return None


def _paths(retraining: Retraining) -> list[Path]:
    return [Path(path) for path in retraining.request.data]


def _with_data(workplace: Workplace, retraining: Retraining) -> Workplace:
    """Return the workplace whose held-out loans are those of the retraining's files."""
    if not retraining.request.data:
        return workplace
    environ: Mapping[str, str] = {**workplace.environ, DATA_VARIABLE: os.pathsep.join(retraining.request.data)}
    return replace(workplace, environ=environ)
