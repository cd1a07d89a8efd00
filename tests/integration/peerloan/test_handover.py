"""A bare pickle is measured, judged and published by one command, in one process of its own."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from model_artifact.loading import begin_version
from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES
from model_kit import dumped, small_forest, small_quarter
from model_registry.manifest import Manifest
from peerloan.command_table import load_command
from peerloan.workplace import Workplace
from predict_api.app import build
from predict_api.models.clock import read_clocks
from predict_api.settings import Settings
from processes import emulator_process
from training.holdout import records_of
from training.loans import sample_data
from training.recipes.contenders import monotone_trees

# The commands run in this process, and leave botocore's connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

BUCKET = "handed-over"
EVENTS = Path(__file__).parents[3] / "events"
_started: list[object] = []


def _note_processes(event: str, arguments: tuple[object, ...]) -> None:
    """Note a model's process, which may be a fork of one that serves several tests, and any other that starts."""
    is_models = event == "subprocess.Popen" and "model_artifact.opening" in str(arguments[1])
    if event == "model_artifact.opening.start" or (event == "subprocess.Popen" and not is_models):
        _started.append(event)


sys.addaudithook(_note_processes)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handover")
    train, test = sample_data.generate()
    train.head(5_000).to_csv(folder / "train.csv", index=False)
    test.head(3_000).to_csv(folder / "test.csv", index=False)
    (folder / "forest.pkl").write_bytes(dumped(small_forest()))
    quarter = small_quarter(5_000)
    (folder / "boosted.pkl").write_bytes(dumped(monotone_trees(60, 0).fit(quarter.features, quarter.target)))
    (folder / "page.pkl").write_bytes(b"<html>")
    (folder / "reasons.toml").write_text("[LENDER_PRICING]\nexclude = true\n[DTI_HIGH]\ntext = 'High debts.'\n")
    (folder / "wrong.toml").write_text("[DTI_HIHG]\nexclude = true\n")
    return folder


class Done:
    """What a command printed, and how it failed."""

    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.exception: Exception | None = None

    @property
    def stdout(self) -> str:
        return self.out.getvalue()

    @property
    def stderr(self) -> str:
        return self.err.getvalue()


class Commands:
    """Commands in this process, on a bucket of their own."""

    def __init__(self, workplace: Workplace, files: Path) -> None:
        self._workplace = workplace
        self._files = files

    def run(self, name: str, *words: str) -> Done:
        _started.clear()
        paths = [str(self._files / word) if word.endswith((".pkl", ".csv", ".toml")) else word for word in words]
        done = Done()
        with redirect_stdout(done.out), redirect_stderr(done.err):
            try:
                load_command(name).main(paths, obj=self._workplace, standalone_mode=False)
            except Exception as error:  # noqa: BLE001 - the tests look at it
                done.exception = error
        return done

    def answer(self, name: str, *words: str) -> dict:
        done = self.run(name, *words, "--json")
        assert done.exception is None, (done.stderr, done.exception)
        return json.loads(done.stdout)

    def manifest(self, version: int) -> Manifest:
        return self._workplace.reader().get_manifest(version)

    def ask(self, version: int, records: list[dict], *, explain: bool = False) -> list[dict]:
        """Shift to a version, and POST records to a function that starts with it."""
        assert self.run("alias", "set", "live", "--version", str(version)).exception is None
        handler, _ = build(
            Settings.from_environ({"MODEL_BUCKET": BUCKET, "POWERTOOLS_SERVICE_NAME": f"handover-{version}"}),
            self._workplace.writer().store,
            partial(begin_version, trust=self._workplace.keyring().trust()),
            clock=read_clocks,
            jitter=lambda: 0.0,
            new_id=lambda: "1",
        )
        body = json.dumps({"instances": records, "parameters": {"explain": explain}})
        event = {**json.loads((EVENTS / "late-payer.json").read_text()), "body": body, "isBase64Encoded": False}
        answer = handler(event, Context())
        assert answer["statusCode"] == 200, answer["body"]
        assert answer["headers"]["X-Model-Version"] == str(version)
        return json.loads(answer["body"])["predictions"]


class Context:
    """What Lambda passes beside the event, as far as it is used."""

    aws_request_id = "a-test"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


@pytest.fixture(scope="module")
def commands(files: Path) -> Iterator[Commands]:
    words = ("bucket", "--data-dir", str(files / "bucket"), "--bucket", BUCKET)
    with emulator_process(files, *words) as (_, url), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        start = Workplace(environ={}, clock=lambda: datetime.now(UTC), new_id=lambda: "1", who="alice")
        yield Commands(start.at(bucket=BUCKET, endpoint_url=url, model="late-payer", state_dir=files), files)


def test_a_bare_pickle_says_what_it_lacks_and_how_to_mend_it(commands: Commands, files: Path) -> None:
    done = commands.run("publish", "forest.pkl")
    assert done.exception is None, done.stderr
    assert len(_started) == 1
    assert "Roll it out: peerloan rollout start live --to 1\n" in done.stdout
    for words in (
        "no threshold of its own: a loan is called late from 0.5 on",
        "no reasons",
        "no warnings",
        "can't pass a gate",
    ):
        assert words in done.stderr
    mending = next(line for line in done.stderr.splitlines() if line.startswith("Mend it: peerloan publish "))
    assert mending.endswith("forest.pkl --trained-on TRAIN.csv --tested-on TEST.csv --flag-share 0.1")
    categories = {column.name: column.categories for column in commands.manifest(1).input_schema}
    assert categories["grade"] is not None
    assert categories["grade"][0] == "A"
    typed = commands.run(
        "publish",
        "forest.pkl",
        "--threshold",
        ".2",
        "--reasons",
        "reasons.toml",
        "--trained-on",
        "train.csv",
        "--unsigned",
    )
    mending = next(line for line in typed.stderr.splitlines() if line.startswith("Mend it: "))
    assert "train.csv --tested-on TEST.csv --threshold 0.2 --reasons " in mending
    assert mending.endswith("reasons.toml --unsigned")


def test_with_its_loans_it_is_measured_in_the_same_process(commands: Commands) -> None:
    answer = commands.answer(
        "publish", "boosted.pkl", "--trained-on", "train.csv", "--tested-on", "test.csv", "--flag-share", ".05"
    )
    assert len(_started) == 1
    manifest = commands.manifest(answer["version"])
    assert answer["missing"] == []
    assert answer["metrics"]["test"]["flagged_share"]["value"] == pytest.approx(0.05, abs=0.005)
    assert manifest.data["train"]["claimed_by"] == "alice"
    assert manifest.reasons is not None
    assert manifest.holdout_parity is not None
    assert manifest.holdout_parity.is_proven
    assert all(column.train_min is not None for column in manifest.input_schema if column.type == "number")
    assert manifest.profile is not None


def test_a_boosters_own_file_is_published_as_arrays_and_can_be_compared_with(commands: Commands, files: Path) -> None:
    from xgboost import XGBClassifier

    quarter = small_quarter(20_000)
    labels = dict.fromkeys(CATEGORY_NAMES, "category")
    names = {name: name.title() for name in FIELD_NAMES}
    model = XGBClassifier(n_estimators=20, max_depth=2, n_jobs=1, enable_categorical=True)
    model.fit(quarter.features.astype(labels).rename(columns=names), quarter.target)
    source = files / "booster.json"
    model.save_model(source)
    refused = commands.run("publish", str(source))
    assert "calls its columns Loan_Amnt, Int_Rate" in str(refused.exception)
    columns = ("--columns", ",".join(FIELD_NAMES))
    tested = commands.answer("evaluate", str(source), *columns, "--data", "test.csv")
    answer = commands.answer(
        "publish", str(source), *columns, "--trained-on", "train.csv", "--tested-on", "test.csv", "--flag-share", ".05"
    )
    assert (tested["serves_as"], answer["serves_as"], answer["missing"]) == ("arrays", "arrays", [])
    assert tested["metrics"]["test"]["roc_auc"] == answer["metrics"]["test"]["roc_auc"]
    version = str(answer["version"])
    assert commands.run("alias", "set", "live", "--version", version).exception is None
    loans = ("--trained-on", "train.csv", "--tested-on", "test.csv", "--threshold", ".02")
    require = ("--require", "no-worse-than=live", "--force", "--reason", "only to compare")
    compared = commands.answer("publish", "boosted.pkl", *loans, *require)
    assert "no-worse-than" in [verdict["rule"] for verdict in compared["metrics"]["gates"]["verdicts"]]


def test_it_passes_the_gates_if_it_is_good_and_fails_them_if_nobody_says_what_it_was_trained_on(
    commands: Commands,
) -> None:
    loans = ("--trained-on", "train.csv", "--tested-on", "test.csv", "--threshold", ".02")
    version = commands.answer("publish", "forest.pkl", *loans)["version"]
    assert commands.run("alias", "set", "live", "--version", str(version)).exception is None
    refused = commands.run("publish", "boosted.pkl", "--tested-on", "test.csv", "--require", "better-than=live")
    assert "held-out-loans: nobody says which loans it was trained on" in str(refused.exception)
    answer = commands.answer(
        "publish", "boosted.pkl", *loans, "--require", "better-than=live", "--force", "--reason", "intercept"
    )
    # The candidate's process, and that of the version in charge.
    assert len(_started) == 2
    verdicts = {verdict["rule"]: verdict for verdict in answer["metrics"]["gates"]["verdicts"]}
    assert verdicts["held-out-loans"]["passed"]
    assert verdicts["held-out-loans"]["figures"] == "alice says that it was trained on other loans"
    assert verdicts["better-than"]["passed"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--flag-share", ".1"), "add --trained-on TRAIN.csv or --tested-on TEST.csv"),
        (("--flag-share", "2", "--tested-on", "test.csv"), "not between 0 and 1"),
        (("--threshold", ".1", "--flag-share", ".1"), "not both"),
        (("--cost-call", "12"), "go together"),
        (("--key", "nobodys"), "The key 'nobodys' doesn't exist"),
        (("--data", "test.csv"), "Measure the model on --tested-on"),
        (("--tested-on", "none.csv"), "none.csv doesn't exist"),
        (("--trained-on", "test.csv", "--tested-on", "test.csv"), "same file"),
        (("--require", "best"), "isn't a requirement"),
        (("--reasons", "reasons.toml"), "add --trained-on TRAIN.csv"),
        (("--reasons", "wrong.toml", "--trained-on", "train.csv"), "no such code. The codes are LOAN_AMNT_HIGH"),
    ],
)
def test_wrong_arguments_are_refused_before_any_process_starts(commands: Commands, words, message: str) -> None:
    done = commands.run("publish", "forest.pkl", *words)
    assert message in str(done.exception)
    assert _started == []


def test_a_loan_is_late_from_the_models_own_threshold_on_unless_options_say_otherwise(
    commands: Commands, files: Path
) -> None:
    features, target = small_quarter().features, small_quarter().target
    drawn = features.head(300)
    fitted = FrozenEstimator(monotone_trees(30, 0).fit(features, target))
    probabilities = fitted.predict_proba(drawn)[:, 1]
    exact = float(np.sort(probabilities)[-20])
    models = {
        "tuned": TunedThresholdClassifierCV(fitted, scoring="balanced_accuracy", cv="prefit", refit=False),
        # Some loans are exactly at the first of these thresholds, and just below the second.
        "at": FixedThresholdClassifier(fitted, threshold=exact),
        "above": FixedThresholdClassifier(fitted, threshold=float(np.nextafter(exact, 1))),
    }
    for model in models.values():
        model.fit(features, target)
    models["above"] = FrozenEstimator(models["above"])
    flagged = {}
    for name, model in models.items():
        (files / f"{name}.pkl").write_bytes(dumped(model))
        published = commands.run("publish", f"{name}.pkl", "--json")
        version, missing = (json.loads(published.stdout)[entry] for entry in ("version", "missing"))
        assert "threshold" not in " ".join(missing)
        assert "--flag-share" not in published.stderr
        predictions = commands.ask(version, records_of(drawn))
        flagged[name] = [prediction["is_late"] for prediction in predictions]
        assert flagged[name] == model.predict(drawn).astype(bool).tolist()
        assert 0 < sum(flagged[name]) < len(drawn)
        assert commands.manifest(version).threshold.how == "The model brings this threshold."
    differs = [at != above for at, above in zip(flagged["at"], flagged["above"], strict=True)]
    assert differs == (probabilities == exact).tolist()
    typed = commands.answer("publish", "at.pkl", "--threshold", ".9")
    assert commands.manifest(typed["version"]).threshold.value == 0.9
    assert not any(prediction["is_late"] for prediction in commands.ask(typed["version"], records_of(drawn)))


def test_a_file_of_reasons_words_them_and_makes_another_version(commands: Commands) -> None:
    loans = ("--trained-on", "train.csv", "--threshold", ".02")
    plain = commands.answer("publish", "boosted.pkl", *loans)
    own = commands.answer("publish", "boosted.pkl", *loans, "--reasons", "reasons.toml")
    assert (own["created"], own["version"]) == (True, plain["version"] + 1)
    assert not commands.answer("publish", "boosted.pkl", *loans, "--reasons", "reasons.toml")["created"]
    records = records_of(small_quarter().features.head(200))
    texts = {}
    for version in (plain["version"], own["version"]):
        predictions = commands.ask(version, records, explain=True)
        texts[version] = {reason["code"]: reason["text"] for answer in predictions for reason in answer["reasons"]}
    assert "LENDER_PRICING" in texts[plain["version"]]
    assert set(texts[own["version"]]) >= set(texts[plain["version"]]) - {"LENDER_PRICING"}
    assert "LENDER_PRICING" not in texts[own["version"]]
    assert texts[own["version"]]["DTI_HIGH"] == "High debts."


def test_what_isnt_a_model_is_refused(commands: Commands) -> None:
    assert "web page" in str(commands.run("publish", "page.pkl").exception)


def test_arrays_can_be_left_out_and_the_version_says_so(commands: Commands) -> None:
    arrays = commands.answer("publish", "boosted.pkl")
    done = commands.run("publish", "boosted.pkl", "--no-arrays", "--unsigned")
    assert done.exception is None, done.stderr
    assert "It is served from its pickle: it was published with --no-arrays." in done.stdout
    manifest = commands.manifest(arrays["version"] + 1)
    assert manifest.serving_form is None
    assert manifest.why_no_serving_form == "it was published with --no-arrays"
    assert arrays["why_no_serving_form"] is None


def test_evaluate_measures_and_publishes_nothing(commands: Commands) -> None:
    before = commands.answer("versions")
    answer = commands.answer("evaluate", "boosted.pkl", "--data", "test.csv", "--flag-share", ".05")
    assert len(_started) == 1
    assert answer["serves_as"] == "arrays"
    assert 0.5 < answer["metrics"]["test"]["roc_auc"]["value"] < 0.9
    text = commands.run("evaluate", "boosted.pkl", "--data", "train.csv", "--data", "test.csv")
    for words in ("ROC-AUC 0.", "threshold", "as arrays: differs by"):
        assert words in text.stdout
    assert commands.answer("versions") == before
