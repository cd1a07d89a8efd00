"""A handed-over model is measured by the functions of training; what can't be measured is marked as claimed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model_artifact.libraries import running_environment
from model_artifact.reasons import WORDED_CODES_VERSION
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_registry.candidate import Candidate, Inspection
from model_registry.manifest import Reasons, Wording
from training import candidate_folder
from training.data import Quarters
from training.errors import DataNotFoundError, DataRefusedError
from training.handover import BARE_THRESHOLD, Handover, candidate_of, read_handover, shortcomings
from training.probe_records import PROBE_RECORDS
from training.run import TrainingResult
from training.thresholds import Costs, FlagShare, Stated


@pytest.fixture(scope="module")
def result(trained: dict[str, TrainingResult]) -> TrainingResult:
    return trained["improved"]


@pytest.fixture(scope="module")
def inspection(result: TrainingResult) -> Inspection:
    return Inspection(
        running_environment(),
        (0, 1),
        (0.5,) * len(PROBE_RECORDS),
        serving_form=compile_pipeline(result.pipeline).to_bytes(),
        categories={"grade": ("B", "A")},
    )


@pytest.fixture(scope="module")
def bare(result: TrainingResult) -> Handover:
    return Handover(Path("theirs.pkl"), result.candidate.pickle, "alice")


@pytest.fixture(scope="module")
def measured(bare: Handover, result: TrainingResult, inspection: Inspection, quarters: Quarters) -> Candidate:
    rule = Stated(result.candidate.threshold.value)
    whole = replace(bare, train=quarters.train, test=quarters.test, rule=rule)
    return candidate_of(whole, result.pipeline, inspection)


@pytest.mark.parametrize("name", ["input_schema", "reasons", "holdout_parity"])
def test_a_bare_pickle_with_its_loans_gets_what_training_would_have_given_it(
    measured: Candidate, result: TrainingResult, name: str
) -> None:
    assert getattr(measured, name) == getattr(result.candidate, name)


def test_its_profile_has_the_columns_of_training_and_the_scores_of_the_test_loans(
    bare: Handover, measured: Candidate, result: TrainingResult, inspection: Inspection, quarters: Quarters
) -> None:
    profile = measured.profile
    assert profile is not None
    assert profile.score is not None
    assert result.candidate.profile is not None
    assert profile.columns == result.candidate.profile.columns
    assert sum(profile.score.counts) == len(quarters.test.frame)
    # The model saw these loans: how it scores them says nothing of others.
    in_sample = candidate_of(replace(bare, train=quarters.train), result.pipeline, inspection).profile
    assert in_sample == replace(profile, score=None)


def test_its_figures_of_unseen_loans_are_those_of_training(measured: Candidate, result: TrainingResult) -> None:
    for name in ("test", "monotonicity"):
        assert measured.metrics[name] == result.candidate.metrics[name]
    assert measured.data["test"] == result.candidate.data["test"]
    assert shortcomings(measured) == []


def test_what_it_was_trained_on_is_somebodys_claim(measured: Candidate, result: TrainingResult) -> None:
    assert measured.data["train"] == {**result.candidate.data["train"], "claimed_by": "alice"}
    assert measured.data["is_sample"] is False
    assert measured.description == "A model handed over as theirs.pkl; alice says that it was trained on small.csv."


def test_the_threshold_flags_a_share_of_the_unseen_loans_else_of_those_seen_in_training(
    bare: Handover, result: TrainingResult, inspection: Inspection, quarters: Quarters
) -> None:
    tested = candidate_of(replace(bare, test=quarters.test, rule=FlagShare(0.2)), result.pipeline, inspection)
    assert tested.metrics["test"]["flagged_share"]["value"] == pytest.approx(0.2, abs=0.02)
    assert "20% of the loans of small.csv with the highest probability" in tested.threshold.how
    assert "no ranges of its training loans" in " ".join(shortcomings(tested))
    seen = candidate_of(replace(bare, train=quarters.train), result.pipeline, inspection)
    assert "which the model saw in training" in seen.threshold.how
    assert set(seen.metrics) == {"in_sample", "threshold", "score_bins", "monotonicity"}
    assert seen.holdout_parity is None
    assert len(shortcomings(seen)) == 1


def test_without_loans_a_bare_pickle_lacks_everything(bare: Handover, inspection: Inspection) -> None:
    candidate = candidate_of(bare, None, inspection)
    assert (candidate.threshold, dict(candidate.metrics), dict(candidate.data)) == (BARE_THRESHOLD, {}, {})
    assert {column.name: column.categories for column in candidate.input_schema}["grade"] == ("A", "B")
    assert len(shortcomings(candidate)) == 5


def test_the_models_own_threshold_counts_unless_options_say_otherwise(
    bare: Handover, inspection: Inspection, quarters: Quarters, result: TrainingResult
) -> None:
    tuned = replace(inspection, threshold=0.07)
    for handover in (bare, replace(bare, test=quarters.test)):
        assert candidate_of(handover, result.pipeline, tuned).threshold.value == 0.07
    costs = candidate_of(replace(bare, rule=Costs(900, 12)), None, tuned)
    assert costs.threshold.value == 12 / 900
    assert costs.metrics["threshold"] == {"cost_missed_late": 900, "cost_call": 12}


@pytest.fixture
def forged(result: TrainingResult) -> Candidate:
    """A record with a better ROC-AUC than the model's, and a verdict of its own."""
    metrics = result.candidate.metrics
    better = {**metrics["test"], "roc_auc": {"value": 0.99, "low": 0.98, "high": 1.0}}
    return replace(
        result.candidate,
        metrics={**metrics, "test": better, "gates": {"verdicts": []}, "claimed": {}},
        probe_records=(),
    )


def test_a_record_is_measured_again_where_loans_are_given(
    forged: Candidate, result: TrainingResult, inspection: Inspection, quarters: Quarters, tmp_path: Path
) -> None:
    candidate_folder.write(tmp_path, forged)
    handover = replace(read_handover(tmp_path, "alice"), train=quarters.train, test=quarters.test)
    candidate = candidate_of(handover, result.pipeline, inspection)
    assert candidate.metrics["test"] == result.candidate.metrics["test"]
    assert candidate.threshold == result.candidate.threshold
    assert candidate.metrics["claimed"]["by"] == "training.json"
    assert set(candidate.metrics["claimed"]["what"]) == {"selection", "calibration", "cross_validation", "comparison"}
    assert "gates" not in candidate.metrics
    assert candidate.probe_records == PROBE_RECORDS


def test_a_record_that_isnt_measured_is_marked_as_claimed(
    forged: Candidate, inspection: Inspection, tmp_path: Path
) -> None:
    candidate_folder.write(tmp_path, forged)
    candidate = candidate_of(read_handover(tmp_path, "alice"), None, inspection)
    assert {"test", "reasons", "input_schema", "holdout_parity", "profile"} <= set(candidate.metrics["claimed"]["what"])
    assert candidate.data["train"]["claimed_by"] == "training.json"
    assert "gates" not in candidate.metrics


def test_reasons_are_worded_by_the_file_else_as_the_record_has_them(
    result: TrainingResult, inspection: Inspection, quarters: Quarters, tmp_path: Path
) -> None:
    assert result.candidate.reasons is not None
    recorded, own = Wording({"DTI_HIGH": "High debts."}, ()), Wording({}, ("LENDER_PRICING",))
    candidate_folder.write(
        tmp_path, replace(result.candidate, reasons=replace(result.candidate.reasons, wording=recorded))
    )
    (tmp_path / "reasons.toml").write_text("[LENDER_PRICING]\nexclude = true\n")
    for path, wording in ((None, recorded), (tmp_path / "reasons.toml", own)):
        handover = read_handover(tmp_path, "alice", reasons=path)
        for loans in (handover, replace(handover, train=quarters.train)):
            reasons = candidate_of(loans, result.pipeline, inspection).reasons
            assert reasons == Reasons(WORDED_CODES_VERSION, result.candidate.reasons.reference, wording)


def test_loans_to_judge_on_are_tested_on_unless_it_was_trained_on_them(bare: Handover, quarters: Quarters) -> None:
    assert bare.tested_on(quarters.test).test is quarters.test
    with_record = replace(bare, record=Candidate(b"", (), BARE_THRESHOLD, {}, {}, (), None, ""))
    assert with_record.record is not None
    trained_on = {"train": {"sha256": quarters.test.fingerprint.sha256}}
    same = replace(with_record, record=replace(with_record.record, data=trained_on))
    assert same.tested_on(quarters.test).test is None


def test_loans_that_are_named_twice_or_arent_there_are_refused(
    result: TrainingResult, quarters: Quarters, tmp_path: Path
) -> None:
    (tmp_path / "theirs.pkl").write_bytes(result.candidate.pickle)
    quarters.train.frame.to_csv(tmp_path / "train.csv", index=False)
    quarters.train.frame.head(2000).to_csv(tmp_path / "part.csv", index=False)
    for name, words in (("train.csv", "It is the same file as train.csv"), ("part.csv", "2,000 of its 2,000 loans")):
        with pytest.raises(DataRefusedError, match=words):
            read_handover(
                tmp_path / "theirs.pkl", "alice", trained_on=tmp_path / "train.csv", tested_on=tmp_path / name
            )
    for name, words in (("none.csv", "none.csv doesn't exist"), (".", "is a folder. Name one CSV file")):
        with pytest.raises(DataNotFoundError, match=words):
            read_handover(tmp_path / "theirs.pkl", "alice", trained_on=tmp_path / name)
