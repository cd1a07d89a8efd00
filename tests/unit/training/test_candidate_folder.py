"""A trained model's folder is written whole or not at all, and read back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_registry.candidate import Candidate
from training import candidate_folder
from training.errors import FolderNotWritableError, RecordRefusedError
from training.run import TrainingResult


@pytest.fixture(scope="module")
def candidate(trained: dict[str, TrainingResult]) -> Candidate:
    return trained["improved"].candidate


def test_what_was_written_is_read_back(candidate: Candidate, tmp_path: Path) -> None:
    candidate_folder.write(tmp_path / "a" / "b", candidate)
    assert candidate_folder.read_candidate(tmp_path / "a" / "b") == (candidate.pickle, candidate)
    assert candidate_folder.read_candidate(tmp_path / "a" / "b" / "model.pkl")[1] == candidate


def test_writing_again_replaces_both_and_leaves_nothing_else(candidate: Candidate, tmp_path: Path) -> None:
    candidate_folder.write(tmp_path, candidate)
    candidate_folder.write(tmp_path, candidate)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pkl", "training.json"]


def test_a_folder_that_can_not_be_made_is_named_with_the_reason(candidate: Candidate, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for attempt in (candidate_folder.check_writable, lambda folder: candidate_folder.write(folder, candidate)):
        with pytest.raises(FolderNotWritableError, match=r"can't be written: Not a directory\. Nothing was changed"):
            attempt(tmp_path / "file" / "out")
    candidate_folder.check_writable(tmp_path / "new" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_pickle_of_another_training_than_its_record_is_refused(candidate: Candidate, tmp_path: Path) -> None:
    candidate_folder.write(tmp_path, candidate)
    (tmp_path / "model.pkl").write_bytes(candidate.pickle + b"more")
    with pytest.raises(RecordRefusedError, match="sha256"):
        candidate_folder.read_candidate(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', "\x00", '{"format": 1, "artifact": 3}'])
def test_a_damaged_record_is_refused(candidate: Candidate, tmp_path: Path, content: str) -> None:
    candidate_folder.write(tmp_path, candidate)
    (tmp_path / "training.json").write_text(content)
    with pytest.raises(RecordRefusedError, match=r"training\.json"):
        candidate_folder.read_candidate(tmp_path)


@pytest.mark.parametrize("key", ["threshold", "input_schema", "metrics", "probe_records"])
def test_a_record_that_lacks_something_is_refused(candidate: Candidate, tmp_path: Path, key: str) -> None:
    candidate_folder.write(tmp_path, candidate)
    document = json.loads((tmp_path / "training.json").read_bytes())
    del document[key]
    (tmp_path / "training.json").write_text(json.dumps(document))
    with pytest.raises(RecordRefusedError, match=key):
        candidate_folder.read_candidate(tmp_path)


def test_a_missing_model_says_how_to_train_one(tmp_path: Path) -> None:
    with pytest.raises(RecordRefusedError, match="python -m training"):
        candidate_folder.read_candidate(tmp_path)


@pytest.mark.parametrize("changes", [{"tolerance": 0.5}, {"tolerance": 0.5, "largest_difference": 0.1}])
def test_a_record_can_not_widen_what_counts_as_equal(
    candidate: Candidate, tmp_path: Path, changes: dict[str, float]
) -> None:
    candidate_folder.write(tmp_path, candidate)
    path = tmp_path / "training.json"
    document = json.loads(path.read_text())
    document["holdout_parity"] |= changes
    path.write_text(json.dumps(document))
    with pytest.raises(RecordRefusedError, match="tolerance"):
        candidate_folder.read_candidate(tmp_path)


def test_a_pickle_of_another_name_has_no_record(candidate: Candidate, tmp_path: Path) -> None:
    candidate_folder.write(tmp_path, candidate)
    (tmp_path / "theirs.pkl").write_bytes(b"another")
    assert candidate_folder.read_candidate(tmp_path / "theirs.pkl") == (b"another", None)


def test_a_record_whose_data_are_no_object_is_refused(candidate: Candidate, tmp_path: Path) -> None:
    candidate_folder.write(tmp_path, candidate)
    document = json.loads((tmp_path / "training.json").read_bytes())
    document["data"]["train"] = "these"
    (tmp_path / "training.json").write_text(json.dumps(document))
    with pytest.raises(RecordRefusedError, match="'train' isn't an object"):
        candidate_folder.read_candidate(tmp_path)
