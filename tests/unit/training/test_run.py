"""A training gives the same bytes twice, and everything that a manifest holds."""

from __future__ import annotations

import copy
import hashlib
import io
import json

import joblib
import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model_artifact.features import frame_from_records
from model_artifact.opening.load import open_pickle
from model_artifact.opening.pickling import pickled
from model_artifact.pipeline import check_pipeline, late_probabilities
from model_artifact.schema import FIELD_NAMES
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.parity import compare, compile_verified
from model_artifact.serving_form.scorers.record_scorer import make_scorer
from model_kit import small_quarter
from training.__main__ import main
from training.data import Quarters
from training.evidence.summary import summarise
from training.evidence.sweeps import LENDING_SENSE
from training.holdout import records_of
from training.probe_records import PROBE_RECORDS
from training.recipes.contenders import CONTENDERS
from training.recipes.recipe import silent
from training.run import BASELINE, RECIPES, TrainingResult, train
from training.training_profile import training_profile

Trained = dict[str, TrainingResult]


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_training_twice_gives_the_same_bytes(name: str, quarters: Quarters, trained: Trained) -> None:
    reports: dict[str, tuple[int, int]] = {}
    second = train(
        name,
        quarters,
        n_estimators=6,
        git_commit="abc",
        progress=lambda stage, done, total: reports.update({stage: (done, total)}),
    )
    assert trained[name].candidate == second.candidate
    assert all(done == total for done, total in reports.values())
    assert list(reports) == ["training", *(["baseline"] if name != BASELINE else []), "evaluating"]


def test_a_text_that_is_two_objects_gives_the_same_bytes() -> None:
    model = make_pipeline(ColumnTransformer([("categories", OneHotEncoder(), ["grade"])], remainder="drop"))
    same = copy.deepcopy(model)
    same[0].remainder = "".join(["dr", "op"])  # The encoder has an attribute of this name.
    first, second = pickled(model), pickled(same)
    assert first == second
    assert repr(joblib.load(io.BytesIO(first))) == repr(model)


@pytest.mark.parametrize("name", RECIPES)
def test_another_seed_gives_another_model(name: str, quarters: Quarters, trained: Trained) -> None:
    seeded = RECIPES[name].fit(quarters.train, 6, 1, silent)
    features = quarters.test.features
    assert not np.array_equal(seeded.pipeline.predict_proba(features), trained[name].pipeline.predict_proba(features))


@pytest.mark.parametrize("name", RECIPES)
def test_what_was_trained_is_what_is_loaded(name: str, quarters: Quarters, trained: Trained) -> None:
    result = trained[name]
    loaded = open_pickle(result.candidate.pickle)
    check_pipeline(loaded)
    features = quarters.test.features
    assert np.array_equal(loaded.predict_proba(features), result.pipeline.predict_proba(features))
    assert np.isfinite(late_probabilities(loaded, frame_from_records(PROBE_RECORDS))).all()


@pytest.mark.parametrize("name", RECIPES)
def test_the_serving_form_is_proven_on_every_held_out_loan(name: str, quarters: Quarters, trained: Trained) -> None:
    candidate = trained[name].candidate
    parity = candidate.holdout_parity
    assert parity is not None
    assert (parity.rows, parity.data_sha256) == (1500, quarters.test.fingerprint.sha256)
    assert parity.is_proven
    assert parity.largest_difference <= 1e-12
    form = compile_verified(open_pickle(candidate.pickle), candidate.probe_records).body
    assert form is not None
    assert hashlib.sha256(form).hexdigest() == parity.form_sha256


def test_without_a_comparison_the_baseline_is_not_trained(quarters: Quarters, trained: Trained) -> None:
    stages: set[str] = set()
    result = train(
        "improved",
        quarters,
        n_estimators=6,
        git_commit="abc",
        is_compared=False,
        progress=lambda stage, done, total: stages.add(stage),
    )
    assert stages == {"training", "evaluating"}
    assert "comparison" not in result.candidate.metrics
    assert result.candidate.pickle == trained["improved"].candidate.pickle


def test_a_form_that_differs_on_one_held_out_loan_is_not_proven(quarters: Quarters, trained: Trained) -> None:
    pipeline = copy.deepcopy(trained["improved"].pipeline)
    on_test = late_probabilities(pipeline, quarters.test.features)
    worst = int(on_test.argmax())

    class Shifted:
        """The pipeline, with another probability for one loan."""

        feature_names_in_ = pipeline.feature_names_in_
        classes_ = pipeline.classes_

        def predict_proba(self, frame):
            probabilities = pipeline.predict_proba(frame)
            if len(frame) > worst:
                probabilities[worst] += [-1e-9, 1e-9]
            return probabilities

    form = compile_pipeline(pipeline)
    parity = compare(Shifted(), make_scorer(form), records_of(quarters.test.features))
    assert parity.rows == 1500
    assert parity.largest_difference == pytest.approx(1e-9)
    assert not parity.is_proven


@pytest.mark.parametrize("name", RECIPES)
def test_the_candidate_knows_its_columns_data_and_figures(name: str, quarters: Quarters, trained: Trained) -> None:
    candidate = trained[name].candidate
    schema = {field.name: field for field in candidate.input_schema}
    assert tuple(schema) == FIELD_NAMES
    rates = quarters.train.features["int_rate"]
    assert (schema["int_rate"].train_min, schema["int_rate"].train_max) == (rates.min(), rates.max())
    assert schema["emp_length"].categories[0] == "< 1 year"
    assert schema["emp_length"].categories[-1] == "10+ years"
    assert schema["purpose"].categories == tuple(sorted(quarters.train.features["purpose"].unique()))
    assert candidate.profile.columns == training_profile(quarters.train.features).columns
    assert candidate.metrics["test"]["data"]["sha256"] == quarters.test.fingerprint.sha256
    assert candidate.data["train"]["rows"] == 3000
    assert candidate.data["recipe"] == {
        "name": name,
        "contender": None,
        "estimators": 6,
        "seed": 42,
        "threshold": {"flag_share": 0.1},
    }
    score = candidate.profile.score
    assert score is not None
    assert sum(score.counts) + score.missing == 3000
    assert candidate.git_commit == "abc"
    json.dumps([candidate.metrics, candidate.data, list(candidate.probe_records)], allow_nan=False)


def test_the_command_writes_a_folder_and_says_what_is_in_it(quarters: Quarters, tmp_path) -> None:
    for name, quarter in (("train.csv", quarters.train), ("test.csv", quarters.test)):
        quarter.frame.to_csv(tmp_path / name, index=False)
    arguments = ["basic", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--estimators", "2"]
    stdout, stderr = io.StringIO(), io.StringIO()
    assert main(arguments, {}, stdout, stderr) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model.pkl", "training.json"]
    assert "ROC-AUC" in stdout.getvalue()
    assert f"Data: {tmp_path}" in stderr.getvalue()


def test_the_command_refuses_bad_data_with_exit_code_1(tmp_path) -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    assert main(["basic", "--data", str(tmp_path / "none.zip")], {}, stdout, stderr) == 1
    assert "none.zip" in stderr.getvalue()
    assert stdout.getvalue() == ""


def test_a_folder_that_can_not_be_written_ends_with_exit_code_1(quarters: Quarters, tmp_path) -> None:
    for name, quarter in (("train.csv", quarters.train), ("test.csv", quarters.test)):
        quarter.frame.to_csv(tmp_path / name, index=False)
    stderr = io.StringIO()
    out = tmp_path / "train.csv" / "out"
    arguments = ["improved", "--data", str(tmp_path), "--estimators", "2", "--out", str(out)]
    assert main(arguments, {}, io.StringIO(), stderr) == 1
    assert stderr.getvalue().startswith(f"error: {tmp_path / 'train.csv'} can't be written: Not a directory.")


def test_the_threshold_follows_from_the_options(quarters: Quarters, tmp_path) -> None:
    for name, quarter in (("train.csv", quarters.train), ("test.csv", quarters.test)):
        quarter.frame.to_csv(tmp_path / name, index=False)
    arguments = ["basic", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--estimators", "2", "--json"]
    for options, rule in (
        (["--flag-share", "0.2"], {"flag_share": 0.2}),
        (["--cost-missed-late", "900", "--cost-call", "9"], {"cost_missed_late": 900.0, "cost_call": 9.0}),
    ):
        stdout = io.StringIO()
        assert main([*arguments, *options], {}, stdout, io.StringIO()) == 0
        summary = json.loads(stdout.getvalue())
        assert summary["metrics"]["threshold"] == rule
        assert summary["data"]["train"]["rows"] == 3000
    assert summary["threshold"]["value"] == 0.01


def test_the_improved_model_comes_with_its_evidence(trained: Trained) -> None:
    metrics = trained["improved"].candidate.metrics
    assert [contender["name"] for contender in metrics["selection"]["contenders"]] == [
        contender.name for contender in CONTENDERS
    ]
    assert metrics["comparison"]["against"].startswith("basic model")
    assert metrics["comparison"]["loans"] == 1500
    assert set(metrics["monotonicity"]) == set(LENDING_SENSE)
    assert sum(metrics["score_bins"]["loans"]) == 3000
    assert metrics["calibration"]["newest_loans"] == 3000


def test_the_price_of_the_monotone_variant_is_what_it_loses_on_the_same_loans() -> None:
    quarters = Quarters(train=small_quarter(6000), test=small_quarter(1500), source="a test", is_sample=True)
    chosen, monotone = (
        train("improved", quarters, n_estimators=20, is_compared=False, contender=contender).candidate
        for contender in (None, "monotone")
    )
    offered = chosen.metrics["alternative"]
    lost = chosen.metrics["test"]["roc_auc"]["value"] - monotone.metrics["test"]["roc_auc"]["value"]
    assert offered["roc_auc"]["value"] == pytest.approx(lost, abs=1e-12)
    assert offered["roc_auc"]["low"] < lost < offered["roc_auc"]["high"]
    assert (offered["loans"], "dti" in offered["against_sense_in"]) == (1500, True)
    assert "alternative" not in monotone.metrics
    summary = "\n".join(summarise(chosen))
    assert "against sense  in dti" in summary
    assert f"{lost:.3f} [" in summary
    assert "of ROC-AUC: peerloan train improved --contender monotone" in summary
    assert "against sense" not in "\n".join(summarise(monotone))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["best"],
        ["basic", "--estimators", "0"],
        ["basic", "--estimators", "x"],
        ["basic", "--seed", "-1"],
        ["basic", "--seed", str(2**32)],
        ["basic", "--flag-share", "1.5"],
        ["basic", "--cost-call", "1"],
        ["basic", "--contender", "free_trees"],
        ["improved", "--contender", "best"],
        ["basic", "--cost-call", "2", "--cost-missed-late", "1"],
        ["basic", "--cost-call", "1", "--cost-missed-late", "2", "--flag-share", "0.1"],
    ],
)
def test_wrong_arguments_end_with_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments, {}, io.StringIO(), io.StringIO())
    assert caught.value.code == 2
