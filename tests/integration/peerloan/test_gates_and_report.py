"""Publishing with gates, and the report, as commands on a bucket of their own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import run_peerloan
from model_kit import dumped
from processes import emulator_process
from training import candidate_folder
from training.data import Quarters, load
from training.loans import sample_data
from training.recipes.calibration import intercept_shift, shift_intercept
from training.recipes.contenders import monotone_trees
from training.run import train

# Botocore's connections are left to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

BUCKET = "gated-models"
REPORTED_BUCKET = "reported-models"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gates")


@pytest.fixture(scope="module")
def quarters(folder: Path) -> Quarters:
    first, second = sample_data.generate()
    (folder / "data").mkdir()
    first.head(8_000).to_csv(folder / "data" / "peerLoanTraining.csv", index=False)
    second.head(4_000).to_csv(folder / "data" / "peerLoanTest.csv", index=False)
    return load(folder / "data", {})


@pytest.fixture(scope="module")
def worse(quarters: Quarters, folder: Path) -> Path:
    """A forest of five trees: it ranks badly, is not calibrated and not monotone."""
    candidate_folder.write(folder / "worse", train("basic", quarters, n_estimators=5).candidate)
    return folder / "worse"


@pytest.fixture(scope="module")
def better(quarters: Quarters, worse: Path, folder: Path) -> Path:
    """Small boosted trees, whose intercept is set on the test quarter: as good as can be had in a second."""
    pipeline = monotone_trees(120, 0).fit(quarters.train.features, quarters.train.target)
    probabilities = pipeline.predict_proba(quarters.test.features)[:, 1]
    shift_intercept(pipeline, intercept_shift(probabilities, quarters.test.target))
    record = candidate_folder.read_candidate(worse)[1]
    assert record is not None
    candidate_folder.write(folder / "better", replace(record, pickle=dumped(pipeline), description="better"))
    return folder / "better"


class Bucket:
    """The command line on one bucket."""

    def __init__(self, url: str, folder: Path, name: str = BUCKET) -> None:
        self._url = url
        self._folder = folder
        self._name = name

    def beside(self, name: str) -> Bucket:
        """Return another bucket of the same server."""
        return Bucket(self._url, self._folder, name)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PEERLOAN_DATA", str(self._folder / "data"))
            patch.setenv("COLUMNS", "200")
            patch.chdir(self._folder)
            return run_peerloan("--endpoint-url", self._url, "--bucket", self._name, *words)

    def answer(self, *words: str) -> dict:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def bucket(folder: Path) -> Iterator[Bucket]:
    words = ("--data-dir", str(folder / "bucket"), "--bucket", BUCKET, "--bucket", REPORTED_BUCKET)
    with emulator_process(folder, "bucket", *words) as (_, url):
        yield Bucket(url, folder)


@pytest.fixture(scope="module")
def published(bucket: Bucket, worse: Path, better: Path) -> Bucket:
    """A bucket with both models; ``live`` points at the better one."""
    bucket = bucket.beside(REPORTED_BUCKET)
    for source in (worse, better):
        bucket.answer("publish", str(source))
    bucket.answer("alias", "set", "live", "--version", "2")
    return bucket


def test_gates_let_the_better_model_pass_and_refuse_the_worse_one(bucket: Bucket, worse: Path, better: Path) -> None:
    nothing_live = bucket.run("publish", str(worse), "--require", "better-than=live")
    assert nothing_live.returncode == 1
    assert "live" in nothing_live.stderr
    assert bucket.answer("publish", str(worse))["version"] == 1
    bucket.answer("alias", "set", "live", "--version", "1")

    # Its pickle is the one in charge: running it again converges.
    again = bucket.run("publish", str(worse), "--require", "better-than=live")
    assert again.returncode == 0
    assert "nothing to judge" in again.stderr

    published = bucket.answer("publish", str(better), "--require", "better-than=live")
    gates = published["metrics"]["gates"]
    assert (published["version"], gates["against_version"], gates["forced"]) == (2, 1, None)
    assert all(verdict["passed"] for verdict in gates["verdicts"])
    bucket.answer("alias", "set", "live", "--version", "2")

    refused = bucket.run("publish", str(worse), "--require", "better-than=live")
    assert refused.returncode == 1
    for words in (
        "better-than: ROC-AUC gained -0.",
        "calibration-slope: ",
        "monotonicity: as int_rate rises",
        "--force",
    ):
        assert words in refused.stderr
    assert bucket.run("versions", "--json").stdout.count('"version"') == 2

    forced = bucket.answer("publish", str(worse), "--require", "no-worse-than=live", "--force", "--reason", "a drill")
    assert forced["version"] == 3
    assert forced["metrics"]["gates"]["forced"]["reason"] == "a drill"
    assert not all(verdict["passed"] for verdict in forced["metrics"]["gates"]["verdicts"])


@pytest.mark.parametrize(
    "words",
    [("--require", "best"), ("--force",), ("--require", "better-than=live", "--force"), ("--reason", "x", "--force")],
)
def test_options_that_make_no_sense_end_with_exit_code_2(bucket: Bucket, worse: Path, words: tuple[str, ...]) -> None:
    assert bucket.run("publish", str(worse), *words).returncode == 2


def test_the_report_writes_a_page_and_a_card_beside_the_live_version(published: Bucket, folder: Path) -> None:
    answer = published.answer(
        "report", "1", "--out", str(folder / "out"), "--cost-missed-late", "40", "--cost-call", "1"
    )
    assert (answer["version"], 0.5 < answer["metrics"]["roc_auc"]["value"] < 0.9) == (1, True)
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["model-card-1.md", "report-1.html"]
    card = Path(answer["model_card"]).read_text()
    assert Path(answer["report"]).read_text().startswith("<!doctype html>")
    for words in ("# Model card: late-payer version 1", "version 2, which live points at", "Cost at 40:1"):
        assert words in card


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [(("9",), 1, "version 9"), (("--data", "no.zip"), 1, "no.zip"), (("--cost-call", "1"), 2, "--cost-missed-late")],
)
def test_a_report_that_can_not_be_made_says_why(published: Bucket, words, code: int, message: str) -> None:
    done = published.run("report", *words)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr


def test_an_audit_holds_model_cards_and_is_the_same_twice(published: Bucket, folder: Path) -> None:
    words = ("audit", "live", "--from", "2020-01-01", "--to", "2099-12-31", "--out")
    first, second = (published.answer(*words, str(folder / name)) for name in ("audit-1", "audit-2"))
    assert first["index_sha256"] == second["index_sha256"]
    assert first["missing"] == {}
    card = (folder / "audit-1" / "versions" / "2" / "model-card.md").read_text()
    assert card.startswith("# Model card: late-payer version 2")
    assert published.answer(*words, str(folder / "audit-1"))["index_sha256"] == first["index_sha256"]

    refused = published.run("audit", "live", "--from", "2020-01-01", "--to", "2020-12-31", "--out", "audit-1")
    assert (refused.returncode, "something else" in refused.stderr) == (2, True)
    upside_down = published.run("audit", "live", "--from", "2026-01-02", "--to", "2026-01-01")
    assert (upside_down.returncode, "after its end" in upside_down.stderr) == (2, True)
    no_date = published.run("audit", "live", "--from", "spring", "--to", "2026-01-01")
    assert (no_date.returncode, "--from spring isn't a date" in no_date.stderr) == (2, True)


def test_two_versions_are_compared_on_a_file_and_on_the_held_out_loans(published: Bucket, folder: Path) -> None:
    held_out = published.answer("compare", "1", "2")
    on_file = published.answer("compare", "1", "2", "--records", str(folder / "data" / "peerLoanTest.csv"))
    sources = held_out.pop("source"), on_file.pop("source")
    assert held_out == on_file
    assert (folder / on_file["page"]).read_text().startswith("<!doctype html>")
    assert sources[1] == "peerLoanTest.csv"
    assert (on_file["main"]["version"], on_file["candidate"]["version"]) == (1, 2)
    flips = on_file["swap_set"]["to_late"] + on_file["swap_set"]["to_on_time"]
    assert flips == round(on_file["window"]["flip_share"] * on_file["loans"]) > 0
    explained = on_file["swap_set"]["reasons"]
    for way in ("to_late", "to_on_time"):
        assert explained[way]["loans"] == min(on_file["swap_set"][way], 100)
        assert bool(explained[way]["changes"]) == bool(explained[way]["loans"])
    assert on_file["outcomes"]["difference"]["roc_auc"]["value"] > 0

    shown = published.run("compare", "1", "2")
    assert shown.returncode == 0, shown.stderr
    assert "Version 2 beside version 1" in shown.stdout
    assert "Decisions that flip" in shown.stdout
    assert published.run("compare", "1", "1").returncode == 2
    assert published.run("compare", "1", "9").returncode == 1
