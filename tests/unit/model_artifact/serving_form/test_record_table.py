"""A table of records is made once, scores as its records do, and stays in its process."""

from __future__ import annotations

import pickle

import pytest

from fitted_pipelines import form, records
from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES
from model_artifact.serving_form.encoding import RecordTable, columns_of
from model_artifact.serving_form.scorers.record_scorer import make_scorer

BATCH = [dict(record) for record in records()[:60]]


@pytest.mark.parametrize("kind", ["boosting-small", "logistic"])
def test_it_is_scored_as_its_records(kind: str) -> None:
    scorer = make_scorer(form(kind))
    assert scorer.late_probabilities(RecordTable(BATCH)) == scorer.late_probabilities(BATCH)


def test_it_is_made_once_with_the_records_values() -> None:
    table = RecordTable([*BATCH, {**BATCH[0], "revol_util": None, "emp_length": None}])
    assert table.columns is columns_of(table)
    assert tuple(table.columns) == FIELD_NAMES
    for name, values in table.columns.items():
        expected = [record[name] for record in table]
        read = values if name in CATEGORY_NAMES else [None if value != value else value for value in values.tolist()]
        assert list(read) == expected


def test_another_process_gets_the_records_alone() -> None:
    table = RecordTable(BATCH)
    assert table.columns
    sent = pickle.loads(pickle.dumps(table))
    assert type(sent) is list
    assert sent == BATCH
