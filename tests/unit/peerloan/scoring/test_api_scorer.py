"""The API as a scorer: batches within its limits, answers in order, and an answer of another form refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fitted_pipelines import records, table_of
from model_artifact.schema import FIELD_NAMES, LOAN_ID
from peerloan.api_client import json_bytes
from peerloan.errors import ServiceError
from peerloan.scoring.api_scorer import ApiScorer
from peerloan.scoring.score_csv import score_csv
from peerloan.scoring.targets import Targets

LOANS: list[dict[str, Any]] = [{**loan, LOAN_ID: None} for loan in records()[:300]]


class Client:
    """Answers every batch by the next version; each probability is the row's place in its batch."""

    url = "http://api"

    def __init__(self, answer: Any = None, refuse_from: int = 1000) -> None:
        self.batches: list[list[Mapping[str, object]]] = []
        self._answer = answer
        self._refuse_from = refuse_from

    def predict(self, document: Mapping[str, Sequence[Mapping[str, object]]]) -> Any:
        batch = document["instances"]
        self.batches.append(list(batch))
        if len(self.batches) >= self._refuse_from:
            raise ServiceError("The API answered 503.")
        if self._answer is not None:
            return self._answer
        predictions = [{"late_probability": place / 1e6, "is_late": place % 2 == 1} for place in range(len(batch))]
        return {"model": {"version": len(self.batches)}, "predictions": predictions}


def test_a_table_is_sent_in_batches_with_missing_values_as_null_and_loan_ids_where_there_are_any() -> None:
    client = Client()
    loans = [{**loan, "revol_util": None, LOAN_ID: "L" if place else None} for place, loan in enumerate(LOANS)] * 7
    scores = list(ApiScorer(client).score(table_of(loans)))
    assert [len(batch) for batch in client.batches] == [1000, 1000, 100]
    assert [(len(part.probabilities), part.version) for part in scores] == [(1000, 1), (1000, 2), (100, 3)]
    assert client.batches[0][0] == {name: loans[0][name] for name in FIELD_NAMES}
    assert client.batches[0][1] == {**{name: loans[1][name] for name in FIELD_NAMES}, LOAN_ID: "L"}


@pytest.mark.parametrize("length", [60, 100])
@pytest.mark.parametrize("character", ["\u00e9", "\U0001f4b8", '"', "\x01"])
def test_a_batch_of_long_texts_stays_below_the_limit_of_a_body(character: str, length: int) -> None:
    client = Client()
    texts = dict.fromkeys(("purpose", "emp_length", "home_ownership", LOAN_ID), character * length)
    list(ApiScorer(client).score(table_of([{**LOANS[0], **texts}] * 2000)))
    assert sum(map(len, client.batches)) == 2000
    assert max(len(json_bytes({"instances": batch})) for batch in client.batches) <= 1024 * 1024


@pytest.mark.parametrize("answer", [[], {"title": "a web page"}, {"model": {"version": 1}, "predictions": []}])
def test_an_answer_of_something_else_is_refused(answer: object) -> None:
    with pytest.raises(ServiceError, match="Check the address"):
        list(ApiScorer(Client(answer)).score(table_of(LOANS)))


def test_warnings_of_the_api_are_those_of_the_rows() -> None:
    warnings = [{"code": "unseen_category", "pointer": "/instances/1/purpose"}]
    predictions = [{"late_probability": 0.1, "is_late": False, "warnings": named} for named in ([], warnings)]
    [scores] = ApiScorer(Client({"model": {"version": 1}, "predictions": predictions})).score(table_of(LOANS[:2]))
    assert scores.warned_rows == {("purpose", "unseen_category"): [1]}
    assert scores.warning_texts() == ["", "purpose:unseen_category"]


def write(folder: Path, n_rows: int) -> tuple[Path, Targets]:
    lines = [",".join(FIELD_NAMES), *(",".join(str(LOANS[0][name]) for name in FIELD_NAMES) for _ in range(n_rows))]
    lines[2] = "much" + lines[2][lines[2].index(",") :]
    source = folder / "loans.csv"
    source.write_text("\n".join(lines) + "\n")
    return source, Targets(folder / "out.csv", folder / "rejects.csv")


def test_a_file_is_scored_by_the_api_with_the_outputs_of_a_version(tmp_path: Path) -> None:
    source, targets = write(tmp_path, 1502)
    outcome = score_csv(source, targets, ApiScorer(Client()))
    assert (outcome.rows, outcome.rejected) == (1501, 1)
    rows = [line.rsplit(",", 3)[1:] for line in targets.scored.read_text().splitlines()]
    assert rows[0] == ["late_probability", "predicted_is_late", "model_version"]
    assert (rows[1], rows[2], rows[1001]) == (["0.0", "0", "1"], ["1e-06", "1", "1"], ["0.0", "0", "2"])
    assert targets.rejects.read_text().splitlines()[1].startswith("3,loan_amnt,wrong_type,")


def test_where_the_api_refused_the_run_goes_on_later(tmp_path: Path) -> None:
    source, targets = write(tmp_path, 6000)
    sizes = {"step_bytes": 50_000, "checkpoint_bytes": 50_000}
    with pytest.raises(ServiceError, match="503"):
        score_csv(source, targets, ApiScorer(Client(refuse_from=4)), **sizes)
    assert not targets.scored.exists()
    outcome = score_csv(source, targets, ApiScorer(Client()))
    assert outcome.resumed_at
    assert outcome.rows == 5999
    assert len(targets.scored.read_text().splitlines()) == 6000
