"""A retraining goes on wherever it was cut off: one version is published, and one rollout started."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from memory_store import InMemoryStore
from model_artifact.errors import UntrustedVersionError
from model_kit import dumped
from model_monitor.joined.outcome_tally import tally_outcomes
from model_monitor.report_store import ReportStore
from model_monitor.settings import default_settings
from model_monitor.verdict import Verdict
from model_registry.manifest import Manifest
from model_registry.stores.base import ObjectStore
from model_watch.outcome_figures import log_odds, logistic
from monitor_kit import make_report
from peerloan.commands.retrain import retrain
from peerloan.errors import CommandError, UsageError
from peerloan.gating import GateRefusedError
from peerloan.handover import publish_folder
from peerloan.retraining.asking import Options, find_or_begin, kind_by_verdict, read_verdicts
from peerloan.retraining.document import Retraining, RetrainingBusyError
from peerloan.retraining.outcome_line import JudgedLine, Line, TooFewLateError, fit_and_judge
from peerloan.retraining.recalibrated import Outcomes, RecalibrationRefusedError
from peerloan.retraining.stages import MakeCandidate, Run
from peerloan.rollouts.planning import Wishes
from peerloan.workplace import Workplace
from registry_kit import CutOffError, CutOffStore
from training import candidate_folder
from training.data import Quarters, load
from training.loans import sample_data
from training.recipes.calibration import intercept_shift, shift_intercept
from training.recipes.contenders import monotone_trees
from training.run import train

WISHES = Wishes("AllAtOnce", None, None, "5m", "5m", None, (), None, None, "newer loans")


@dataclass(frozen=True)
class Bench(Workplace):
    """A workplace whose buckets are in memory."""

    store: ObjectStore = field(default_factory=InMemoryStore)

    def _store(self, bucket: str | None = None) -> ObjectStore:
        return InMemoryStore() if bucket else self.store


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("quarters")
    first, second = sample_data.generate()
    parts = {"q1": first.iloc[8_000:14_000], "q2": first.head(8_000), "q3": second.head(4_000)}
    for name, loans in parts.items():
        loans.to_csv(folder / f"{name}.csv", index=False)
    return tuple(folder / f"{name}.csv" for name in parts)


@pytest.fixture(scope="module")
def quarters(data: tuple[Path, ...]) -> Quarters:
    return load(list(data[1:]), {})


@pytest.fixture(scope="module")
def in_charge(data: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forest of five trees, trained on the first quarter."""
    folder = tmp_path_factory.mktemp("in-charge")
    candidate_folder.write(folder, train("basic", load(list(data[:2]), {}), n_estimators=5).candidate)
    return folder


@pytest.fixture(scope="module")
def better(quarters: Quarters, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small boosted trees, as good as can be had in a second."""
    result = train("basic", quarters, n_estimators=5)
    pipeline = monotone_trees(60, 0).fit(quarters.train.features, quarters.train.target)
    probabilities = pipeline.predict_proba(quarters.test.features)[:, 1]
    shift_intercept(pipeline, intercept_shift(probabilities, quarters.test.target))
    folder = tmp_path_factory.mktemp("better")
    candidate_folder.write(folder, replace(result.candidate, pickle=dumped(pipeline), description="better"))
    return folder


class MadeUp(Outcomes):
    """Outcomes of made-up loans, of which more or fewer were late than version 1 says."""

    def __init__(self, shift: float) -> None:
        super().__init__(date(2026, 5, 4), default_settings())
        object.__setattr__(self, "shift", shift)

    def line_of(self, workplace: Workplace, manifest: Manifest) -> JudgedLine:
        random = np.random.default_rng(5)
        days = {}
        for number in range(60):
            x = random.normal(-3, 0.8, 300)
            is_late = random.random(300) < logistic(x + self.shift)  # type: ignore[attr-defined]
            day = date(2026, 1, 1) + timedelta(days=number)
            days[day] = tally_outcomes(logistic(x), x > -2, np.asarray(is_late, dtype=np.int8))
        return fit_and_judge(days, date.min)


@pytest.fixture
def bench(in_charge: Path, tmp_path: Path) -> Bench:
    bench = Bench(
        environ={},
        clock=lambda: datetime(2026, 5, 4, tzinfo=UTC),
        new_id=iter(f"{number:032}" for number in range(10_000)).__next__,
        who="tester",
        state_dir=tmp_path,
        log_bucket="logs",
    )
    bench.keyring().create("local")
    publish_folder(bench, in_charge)
    bench.writer().assign("live", 1)
    return bench


class Making:
    """Makes the model of a retraining by copying it, and counts how often."""

    def __init__(self, source: Path) -> None:
        self.times = 0
        self._source = source

    def __call__(self, _workplace: Workplace, _retraining: object, folder: Path) -> tuple[str, dict[str, Any]]:
        self.times += 1
        shutil.copytree(self._source, folder, dirs_exist_ok=True)
        return "Copied.", {}


def go_on(bench: Bench, data: tuple[Path, ...], make: Making, wishes: Wishes | None = WISHES) -> list[tuple[str, bool]]:
    """Run the command's work; return the stages with whether they were done before."""
    told: list[tuple[str, bool]] = []
    options = Options("live", data[1:], False, None, "no-worse-than", None)
    snapshot = find_or_begin(bench, options, has_rollout=wishes is not None)
    Run(bench, wishes, lambda name, _, was_done: told.append((name, was_done)), make).go_on(snapshot)
    return told


def die() -> None:
    raise CutOffError


def test_cut_off_after_each_write_it_goes_on_and_nothing_is_done_twice(
    bench: Bench, data: tuple[Path, ...], better: Path
) -> None:
    make = Making(better)
    for _run in range(30):
        try:
            # Each run dies after its first write, which is as good as before its next one.
            go_on(replace(bench, store=CutOffStore(bench.store, 1, die=die, effective=True)), data, make)
        except CutOffError:
            continue
        break
    assert all(was_done for _, was_done in go_on(bench, data, make))
    assert bench.reader().list_versions() == [1, 2]
    rollouts = bench.rollouts().history("live")
    assert [(rollout.main, rollout.candidate) for rollout in rollouts] == [(1, 2)]
    assert len(bench.retrainings().list_ids()) == 1


def test_what_is_done_is_told_and_not_done_again(bench: Bench, data: tuple[Path, ...], better: Path) -> None:
    make = Making(better)
    stages = ["trained", "published", "compared"]
    assert go_on(bench, data, make, wishes=None) == [(name, False) for name in stages]
    # A rollout is asked for later.
    assert go_on(bench, data, make) == [*((name, True) for name in stages), ("rollout", False)]
    assert all(was_done for _, was_done in go_on(bench, data, make))
    # It goes on being done when its version is in charge.
    bench.rollout_controller().rollouts.get("live")
    bench.writer().assign("live", 2)
    assert all(was_done for _, was_done in go_on(bench, data, make))
    assert make.times == 1
    assert bench.reader().list_versions() == [1, 2]
    manifest = bench.reader().get_manifest(2)
    assert [manifest.data["retraining"]] == bench.retrainings().list_ids()


def test_a_model_that_was_lost_between_the_stages_is_made_again(
    bench: Bench, data: tuple[Path, ...], better: Path
) -> None:
    make = Making(better)
    with pytest.raises(CutOffError):
        # The document when it begins, and when the model is made.
        go_on(replace(bench, store=CutOffStore(bench.store, 2, die=die, effective=True)), data, make, None)
    shutil.rmtree(bench.state_dir / "retrainings")
    assert go_on(bench, data, make, None)[0] == ("trained", True)
    assert make.times == 2
    assert bench.reader().list_versions() == [1, 2]


def test_a_failed_gate_publishes_nothing_and_is_judged_again(
    bench: Bench, data: tuple[Path, ...], better: Path, in_charge: Path
) -> None:
    publish_folder(bench, better)
    bench.writer().assign("live", 2)
    make = Making(in_charge)
    for _ in range(2):
        with pytest.raises(GateRefusedError, match=r"no-worse-than: ROC-AUC gained"):
            go_on(bench, data, make)
    (identity,) = bench.retrainings().list_ids()
    snapshot = bench.retrainings().find(identity)
    assert snapshot is not None
    assert "no-worse-than" in str(snapshot.retraining.refused)
    assert make.times == 1
    assert bench.reader().list_versions() == [1, 2]


def test_of_two_processes_one_is_told_that_the_other_goes_on(
    bench: Bench, data: tuple[Path, ...], better: Path
) -> None:
    options = Options("live", data[1:], False, None, "no-worse-than", None)
    snapshot = find_or_begin(bench, options, has_rollout=False)
    run = Run(bench, None, lambda *_: None, Making(better))
    run.go_on(snapshot)
    with pytest.raises(RetrainingBusyError, match=r"Wait until it ends"):
        run.go_on(snapshot)
    assert bench.reader().list_versions() == [1, 2]


def test_another_version_in_charge_and_another_request_are_refused(bench: Bench, data: tuple[Path, ...]) -> None:
    options = Options("live", data[1:], False, None, "no-worse-than", "mine")
    find_or_begin(bench, options, has_rollout=False)
    with pytest.raises(UsageError, match=r"asked for something else: the basic model trained on .*q2.csv"):
        find_or_begin(bench, replace(options, data=data[:2]), has_rollout=False)
    assert find_or_begin(bench, replace(options, data=()), has_rollout=False).retraining.id == "mine"
    with pytest.raises(UsageError, match=r"no retraining 'yours' to go on with"):
        find_or_begin(bench, replace(options, data=(), id="yours"), has_rollout=False)
    with pytest.raises(UsageError, match=r"Say what to make"):
        find_or_begin(bench, replace(options, data=(), id=None), has_rollout=False)
    with pytest.raises(UsageError, match=r"--recipe basic or improved"):
        find_or_begin(bench, replace(options, recipe="best"), has_rollout=False)
    with pytest.raises(UsageError, match=r"write no-worse-than or better-than"):
        find_or_begin(bench, replace(options, require="same"), has_rollout=False)


def run_command(bench: Bench, *words: str) -> Any:
    app = typer.Typer()
    app.command()(retrain)
    return CliRunner().invoke(app, words, obj=bench)


def test_the_command_trains_by_the_recipe_of_the_version_in_charge(bench: Bench, data: tuple[Path, ...]) -> None:
    done = run_command(bench, *(word for path in data[1:] for word in ("--data", str(path))))
    # Five trees on other loans rank as badly; whether they pass depends on the loans alone.
    assert done.exit_code == 0 or isinstance(done.exception, CommandError), done.output
    assert "trained:   Trained on 8,000 loans: " in done.output
    assert "5 trees, seed 42" in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--every", "3s"), "Add --steps"),
        (("--steps", "20,50", "--rollout", "AllAtOnce"), "not both"),
        (("--steps", "many"), "many"),
    ],
)
def test_a_rollout_that_can_not_be_is_refused_before_anything_begins(
    bench: Bench, words: tuple[str, ...], message: str
) -> None:
    done = run_command(bench, "--recalibrate", *words)
    assert message in str(done.exception)
    assert bench.retrainings().list_ids() == []


def recalibrate(bench: Bench, shift: float = -0.5, wishes: Wishes | None = None) -> Retraining:
    options = Options("live", (), True, None, "no-worse-than", None)
    snapshot = find_or_begin(bench, options, has_rollout=wishes is not None)
    return Run(bench, wishes, lambda *_: None, MakeCandidate(MadeUp(shift))).go_on(snapshot)


def test_a_recalibrated_version_has_the_line_and_is_rolled_out_within_what_it_announces(bench: Bench) -> None:
    retraining = recalibrate(bench, wishes=WISHES)
    former, version = bench.reader().get_manifest(1), bench.reader().get_manifest(2)
    line = retraining.stages[0].facts["line"]
    assert line["slope"] == 1
    assert line["intercept"] == pytest.approx(-0.5, abs=0.15)
    probes = [[probe.late_probability for probe in manifest.probes] for manifest in (former, version)]
    np.testing.assert_allclose(probes[1], Line(**line).of(probes[0]), rtol=0.01, atol=1e-6)
    # A forest is served from arrays before and after.
    assert former.serving_form is not None
    assert version.serving_form is not None
    assert bench.keyring().trust().covers(version)
    assert log_odds(version.threshold.value) == pytest.approx(log_odds(former.threshold.value) + line["intercept"])
    assert version.data["recipe"] == former.data["recipe"]
    assert version.metrics["test"]["roc_auc"] == former.metrics["test"]["roc_auc"]
    assert version.metrics["test"]["flagged_share"] == former.metrics["test"]["flagged_share"]
    assert version.metrics["test"]["brier"]["value"] is None
    assert version.metrics["recalibration"]["loans"] == 18_000
    assert version.metrics["score_bins"]["loans"] == former.metrics["score_bins"]["loans"]
    assert version.profile is not None
    assert version.profile.score is not None
    (rollout,) = bench.rollouts().history("live")
    bounds = rollout.guards["bounds"]["mean_score"]
    assert bounds["low"] < -0.02
    assert bounds["high"] < 0


def test_a_line_is_fitted_once_and_a_version_recalibrated_once(bench: Bench) -> None:
    cut = replace(bench, store=CutOffStore(bench.store, 2, die=die, effective=True))
    with pytest.raises(CutOffError):
        recalibrate(cut)
    shutil.rmtree(bench.state_dir / "retrainings")
    # The outcomes have changed meanwhile; what was written down counts.
    first = recalibrate(bench, shift=0.7)
    assert first.stages[0].facts["line"]["intercept"] < 0
    assert recalibrate(bench, shift=0.7) == first
    # The recalibrated version is another one, which may be recalibrated again.
    bench.writer().assign("live", 2)
    second = recalibrate(bench, shift=0.7)
    assert (second.main, second.version) == (2, 3)
    assert second.stages[0].facts["line"]["intercept"] > 0


def test_a_line_that_gains_nothing_is_refused(bench: Bench) -> None:
    class Turning(MadeUp):
        def line_of(self, workplace: Workplace, manifest: Manifest) -> JudgedLine:
            judged = super().line_of(workplace, manifest)
            return replace(judged, verdicts=(replace(judged.verdicts[0], passed=False), *judged.verdicts[1:]))

    snapshot = find_or_begin(bench, Options("live", (), True, None, "no-worse-than", None), has_rollout=False)
    with pytest.raises(RecalibrationRefusedError, match=r"newer half of the outcomes.*\n  log-loss: log loss fell"):
        Run(bench, None, lambda *_: None, MakeCandidate(Turning(0.0))).go_on(snapshot)
    refused = bench.retrainings().find(snapshot.retraining.id)
    assert refused is not None
    assert "log-loss" in str(refused.retraining.refused)
    # Other outcomes are judged anew.
    assert recalibrate(bench).refused is None


def test_a_version_that_nobody_trusted_signed_is_not_recalibrated(bench: Bench) -> None:
    bench.keyring().revoke("local")
    with pytest.raises(UntrustedVersionError):
        recalibrate(bench)
    assert bench.reader().list_versions() == [1]


def report(bench: Bench, version: int, as_of: str, verdict: Verdict) -> None:
    """Keep a report of the monitor."""
    ReportStore(bench.store, bench.model).keep(make_report(version=version, as_of=as_of, verdict=verdict))


@pytest.mark.parametrize(
    ("version", "kind", "verdicts", "told"),
    [
        (None, "ok", "recalibrate,refit", "There is no report on alias 'live' yet. Make one: peerloan monitor live."),
        (1, "ok", "recalibrate,refit", "The report of 2026-05-03 on version 1 says ok: As promised. Nothing to do."),
        (1, "refit", "recalibrate", "says refit: As promised. Nothing to do."),
        (
            2,
            "refit",
            "recalibrate,refit",
            "says refit; version 1 is in charge now, and no report is of it.",
        ),
    ],
)
def test_a_verdict_that_asks_for_nothing_ends_with_0(
    bench: Bench, data: tuple[Path, ...], version: int | None, kind: Any, verdicts: str, told: str
) -> None:
    if version is not None:
        report(bench, version, "2026-05-02", Verdict("refit", "Earlier."))
        report(bench, version, "2026-05-03", Verdict(kind, "As promised."))
    done = run_command(bench, "--data", str(data[1]), "--data", str(data[2]), "--if-verdict", verdicts)
    assert (done.exit_code, done.output.strip()[-len(told) :]) == (0, told)
    assert bench.retrainings().list_ids() == []


@pytest.mark.parametrize("kind", ["recalibrate", "refit"])
def test_the_verdict_decides_what_is_made(bench: Bench, data: tuple[Path, ...], kind: Any) -> None:
    report(bench, 1, "2026-05-03", Verdict(kind, "It is off."))
    asked, told = kind_by_verdict(bench, "live", read_verdicts("refit, recalibrate"))
    assert (asked, told) == (kind, f"The report of 2026-05-03 on version 1 says {kind}: It is off.")
    # There are no outcomes in this bucket, so a recalibration ends here.
    if kind == "recalibrate":
        done = run_command(bench, "--data", str(data[1]), "--data", str(data[2]), "--if-verdict", "recalibrate,refit")
        assert isinstance(done.exception, TooFewLateError)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--if-verdict", "ok"), r"'ok' isn't a verdict that a new version mends"),
        (("--if-verdict", "refit"), r"name the loans with --data"),
        (("--recalibrate", "--data", "q.csv"), r"no --data"),
        (("--recalibrate", "--recipe", "basic"), r"trains nothing"),
        (("--recalibrate", "--as-of", "2999-01-01"), r"--as-of 2999-01-01 lies in the future; today is 20"),
        (("--recalibrate", "--since", "2999-01-01"), r"--since 2999-01-01 lies in the future"),
        (("--recalibrate", "--settings", "none.toml"), r"--settings none.toml can't be used"),
    ],
)
def test_words_that_can_not_be_right_are_refused(bench: Bench, words: tuple[str, ...], message: str) -> None:
    done = run_command(bench, *words)
    assert isinstance(done.exception, UsageError)
    assert re.search(message, str(done.exception))
    assert bench.retrainings().list_ids() == []
