"""What `predict` reads is checked before anything is asked, and what it writes is whole or not there."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from model_artifact.schema import FIELD_NAMES
from peerloan.commands.predict import read_document, score_csv
from peerloan.errors import ServiceError, UsageError
from peerloan.event_file import EventRequest, read_event
from peerloan.loan_file import read_loans, written_whole

RECORD = {
    "loan_amnt": 12000,
    "int_rate": 0.1356,
    "purpose": "credit_card",
    "grade": "C",
    "annual_inc": 65000,
    "revol_util": None,
    "emp_length": "3 years",
    "dti": 18.4,
    "delinq_2yrs": 0,
    "home_ownership": "RENT",
}
HEADER = ",".join(FIELD_NAMES)
ROW = "12000,0.1356,credit_card,C,65000.0,,3 years,18.4,0,RENT"


class Scorer:
    """Answers every batch, up to one; counts what it was asked."""

    def __init__(self, refuse_from: int = 1000, answer: Any = None) -> None:
        self.batches: list[Sequence[Mapping[str, object]]] = []
        self._refuse_from = refuse_from
        self._answer = answer

    def predict_records(self, records: Sequence[Mapping[str, object]]) -> Any:
        self.batches.append(records)
        if len(self.batches) >= self._refuse_from:
            raise ServiceError("The API answered 503.")
        if self._answer is not None:
            return self._answer
        prediction = {"late_probability": 0.25, "is_late": True}
        return {"model": {"version": 7}, "predictions": [prediction] * len(records)}


@pytest.fixture
def loans(tmp_path: Path) -> Path:
    return tmp_path / "loans.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_row_is_the_record_that_it_says_with_or_without_a_byte_order_mark(loans: Path, encoding: str) -> None:
    loans.write_text(f"{HEADER}\n\n{ROW}\n", encoding=encoding)
    (loan,) = read_loans(loans)
    assert (loan.line, loan.record) == (3, RECORD)


def test_a_loan_id_goes_along_and_other_columns_do_not(loans: Path) -> None:
    loans.write_text(f"loan_id,note,{HEADER}\n7,hello,{ROW}\n,,{ROW}\n")
    first, second = read_loans(loans)
    assert first.record == {"loan_id": "7", **RECORD}
    assert second.record == RECORD
    assert first.cells["note"] == "hello"


@pytest.mark.parametrize("cell", ["nan", "inf", "-Infinity", "1_2", "1e999", "12%", "a lot", "٣", "0x10", "."])
def test_a_cell_that_is_no_number_is_named_before_anything_is_asked(loans: Path, cell: str) -> None:
    loans.write_text(f"{HEADER}\n{ROW}\n{ROW.replace('18.4', cell)}\n", encoding="utf-8")
    scorer = Scorer()
    with pytest.raises(UsageError, match=r"line 3, column dti: .*no number"):
        score_csv(scorer, loans, None, as_json=False)
    assert scorer.batches == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{HEADER}\n{ROW}\n{ROW},more\n", "line 3: there are 11 cells, the header has 10"),
        (f"{HEADER}\n{ROW}\n12000,0.1\n", "line 3: there are 2 cells"),
        (f"{HEADER}\n", "nothing below its header"),
        ("", "lacks the column loan_amnt"),
        (f"{HEADER},dti\n{ROW},1\n", "'dti' more than once"),
        (f"{HEADER}\n{ROW}\n" + ROW.replace("C", '"C'), "line 3: this is no CSV"),
        (HEADER.encode() + b"\n" + ROW.encode() + b"\xe9\n", "not in UTF-8"),
        (b"\xff\xfe" + HEADER.encode("utf-16-le"), "not in UTF-8"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused_with_its_line(
    loans: Path, content: str | bytes, said: str
) -> None:
    loans.write_bytes(content.encode() if isinstance(content, str) else content)
    out = loans.with_name("scored.csv")
    scorer = Scorer()
    with pytest.raises(UsageError, match=said):
        score_csv(scorer, loans, out, as_json=False)
    assert scorer.batches == []
    assert [path.name for path in loans.parent.iterdir()] == ["loans.csv"]


def test_a_file_is_scored_in_batches_and_written_with_its_own_columns(loans: Path) -> None:
    loans.write_text(f"note,{HEADER}\n" + f'"two\nlines",{ROW}\n' * 501)
    out = loans.with_name("scored.csv")
    scorer = Scorer()
    score_csv(scorer, loans, out, as_json=False)
    assert [len(batch) for batch in scorer.batches] == [500, 1]
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert len(rows) == 501
    assert (rows[0]["note"], rows[0]["late_probability"], rows[0]["predicted_is_late"]) == ("two\nlines", "0.25", "1")
    assert rows[0]["model_version"] == "7"


def test_a_batch_that_is_refused_names_its_lines_and_leaves_the_old_answers(loans: Path) -> None:
    loans.write_text(f"{HEADER}\n" + f"{ROW}\n" * 501)
    out = loans.with_name("scored.csv")
    out.write_text("the old answers")
    with pytest.raises(ServiceError, match=r"Lines 502 to 502 of loans\.csv.*503"):
        score_csv(Scorer(refuse_from=2), loans, out, as_json=False)
    assert out.read_text() == "the old answers"
    assert sorted(path.name for path in loans.parent.iterdir()) == ["loans.csv", "scored.csv"]


@pytest.mark.parametrize("answer", [[], {"title": "a web page"}, {"model": {"version": 1}, "predictions": []}])
def test_an_answer_of_something_else_is_no_trace(loans: Path, answer: object) -> None:
    loans.write_text(f"{HEADER}\n{ROW}\n")
    with pytest.raises(ServiceError, match="Check the address"):
        score_csv(Scorer(answer=answer), loans, None, as_json=False)


@pytest.mark.parametrize("out", ["/nonexistent/scored.csv", "."])
def test_a_place_that_can_not_be_written_is_found_before_anything_is_asked(loans: Path, out: str) -> None:
    loans.write_text(f"{HEADER}\n{ROW}\n")
    scorer = Scorer()
    with pytest.raises(UsageError, match="--out"):
        score_csv(scorer, loans, Path(out), as_json=False)
    assert scorer.batches == []


def test_an_interrupted_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    def write_half() -> None:
        with written_whole(tmp_path / "out.csv") as stream:
            stream.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{", '{"dti": NaN}', '{"dti": -Infinity}', '{"dti": 1e999}', "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="JSON"):
        read_document(text)


def test_a_json_file_may_have_a_byte_order_mark_and_must_be_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"purpose": "café"}', encoding="utf-8-sig")
    assert read_document(str(path)) == {"purpose": "café"}
    path.write_text('{"purpose": "café"}', encoding="latin-1")
    with pytest.raises(UsageError, match="not in UTF-8"):
        read_document(str(path))


@pytest.mark.parametrize("name", ["no-such-file.json", "a\0b", "x" * 5000, "."])
def test_a_file_that_can_not_be_read_is_named(name: str) -> None:
    with pytest.raises(UsageError, match="neither JSON nor a file"):
        read_document(name)


def test_an_event_is_the_request_that_it_stands_for() -> None:
    event = {
        "rawPath": "/predict",
        "headers": {"Content-Type": " application/json", "host": "elsewhere"},
        "requestContext": {"http": {"method": "POST"}},
        "body": base64.b64encode(json.dumps(RECORD).encode()).decode(),
        "isBase64Encoded": True,
    }
    request = read_event(event)
    assert (request.method, request.path, request.headers) == ("POST", "/predict", {"Content-Type": "application/json"})
    assert json.loads(request.body or b"") == RECORD


@pytest.mark.parametrize("event", [{"requestContext": None}, {"requestContext": {"http": None}, "headers": None}])
def test_what_an_event_leaves_open_is_no_trace(event: Mapping[str, Any]) -> None:
    assert read_event(event) == EventRequest("POST", "/predict", None, {})


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"body": "not base64!", "isBase64Encoded": True}, "no base64"),
        ({"body": "\ud800"}, "body"),
        ({"body": {"dti": 1}}, "'body' is no text"),
        ({"headers": ["accept"]}, "'headers' is no object"),
        ({"headers": {"accept": "a\nb"}}, "'accept'"),
        ({"headers": {"accept": "é"}}, "'accept'"),
        ({"rawPath": "@elsewhere/"}, "slash"),
        ({"requestContext": "POST"}, "'requestContext' is no object"),
        ({"requestContext": {"http": {"method": 7}}}, "'method' is no text"),
    ],
)
def test_an_event_that_is_none_names_the_part(part: Mapping[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_event({"requestContext": {}, **part})
