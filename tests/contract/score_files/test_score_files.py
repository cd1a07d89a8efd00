"""A file that arrives is scored with the bytes of ``peerloan score``, however often its function is ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from model_artifact.errors import NonFiniteOutputError
from score_files.arrivals import arrivals
from score_files.errors import NotFinishedError
from score_files.file_scoring import MAX_FILE_BYTES
from tests.contract.score_files.files_kit import (
    JOURNAL,
    KEY,
    REJECTS,
    SCORED,
    SUMMARY,
    Bucket,
    Context,
    Interrupted,
    KilledError,
    kill,
    loans,
)  # fmt: skip

# One part of the output, and something behind it.
ROWS = 42_000
# Of the 118 steps of this file: within the first part, and just behind it.
STOPS = (2, 114)
# Writing calls of a run on this file, without the reads.
WRITES = 12


def test_a_file_is_scored_as_peerloan_score_does_it(bucket: Bucket, tmp_path: Path) -> None:
    version = bucket.publish()
    content = loans(3000, bad_every=100)
    assert bucket.function()(bucket.drop(content), Context()) == {KEY: "scored"}
    assert (bucket.get(SCORED), bucket.get(REJECTS)) == bucket.on_a_disk(content, version, tmp_path)
    summary = bucket.summary()
    assert {name: summary[name] for name in ("state", "rows", "rejected", "warned", "warnings", "resumed")} == {
        "state": "scored", "rows": 2970, "rejected": 30, "warned": 0, "warnings": {}, "resumed": 0,
    }  # fmt: skip
    assert (summary["version"], len(summary["model_sha256"]), summary["seconds"] > 0) == (version, 64, True)
    assert bucket.uploads() == []


def test_without_rejected_rows_an_earlier_rejects_file_goes(bucket: Bucket) -> None:
    bucket.publish()
    bucket.function()(bucket.drop(loans(10, bad_every=5)), Context())
    assert bucket.list_keys() == sorted([SCORED, REJECTS, SUMMARY])
    bucket.function()(bucket.drop(loans(10)), Context())
    assert bucket.list_keys() == sorted([SCORED, SUMMARY])
    assert bucket.summary()["rejects"] is None


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_write_the_next_call_resumes(bucket: Bucket, tmp_path: Path, after: bool) -> None:
    version = bucket.publish()
    content = loans(ROWS, bad_every=1000)
    expected = bucket.on_a_disk(content, version, tmp_path)
    finished = False
    # Each second number before a write and the others behind one, and one behind the end.
    for number in (*range(1 + after, WRITES, 2), WRITES + 2):
        event = bucket.drop(content)
        try:
            bucket.function(Interrupted(bucket.client, number, kill, after=after))(event, Context())
            finished = True
        except KilledError:
            bucket.function()(event, Context())
        assert (bucket.get(SCORED), bucket.get(REJECTS)) == expected, number
        assert (bucket.summary()["rows"], bucket.summary()["state"]) == (ROWS - ROWS // 1000, "scored")
        assert json.loads(bucket.get(JOURNAL))["state"] == "done"
    assert finished, "a kill at the last number must find the run at its end"


@pytest.mark.parametrize("looks", STOPS)
def test_when_time_is_used_up_the_next_call_goes_on_and_the_last_one_says_spark(
    bucket: Bucket, tmp_path: Path, looks: int
) -> None:
    version = bucket.publish()
    content = loans(ROWS)
    event = bucket.drop(content)
    for looks_of_call in (looks, 1, 1):
        with pytest.raises(NotFinishedError, match="The time of this call is used up at byte"):
            bucket.function()(event, Context(looks=looks_of_call))
    summary = bucket.summary()
    assert (summary["state"], summary["scored"], summary["resumed"]) == ("unfinished", None, 2)
    assert "Score it by Spark" in summary["reason"]
    assert "docs/scale.md" in summary["reason"]
    assert SCORED not in bucket.list_keys()
    # Sent once more by hand, the event goes on from there.
    bucket.function()(event, Context("event-2"))
    assert bucket.get(SCORED) == bucket.on_a_disk(content, version, tmp_path)[0]
    assert (bucket.summary()["state"], bucket.summary()["resumed"]) == ("scored", 3)


@pytest.mark.parametrize("number", [2, 4, 6])
def test_a_second_delivery_takes_over_and_the_first_run_stops(bucket: Bucket, tmp_path: Path, number: int) -> None:
    version = bucket.publish()
    content = loans(ROWS, bad_every=1000)
    event = bucket.drop(content)
    others: list[dict[str, str]] = []

    def deliver_again() -> None:
        others.append(bucket.function()(event, Context("event-2")))

    found = bucket.function(Interrupted(bucket.client, number, deliver_again, after=False))(event, Context())
    assert others == [{KEY: "scored"}]
    assert found[KEY] in ("superseded", "scored")
    assert (bucket.get(SCORED), bucket.get(REJECTS)) == bucket.on_a_disk(content, version, tmp_path)
    assert bucket.summary()["state"] == "scored"


def test_one_event_twice_is_scored_once(bucket: Bucket) -> None:
    bucket.publish()
    event = bucket.drop(loans(10))
    bucket.function()(event, Context())
    bucket.client.delete_object(Bucket=bucket.name, Key=SCORED)
    assert bucket.function()(event, Context("event-2")) == {KEY: "scored"}
    assert SCORED not in bucket.list_keys()


@pytest.mark.parametrize("number", [2, 4, 8])
def test_a_later_object_of_the_name_is_what_is_scored_in_the_end(bucket: Bucket, tmp_path: Path, number: int) -> None:
    version = bucket.publish()
    event, later = bucket.drop(loans(ROWS, bad_every=1000)), loans(50, bad_every=7)

    def replace() -> None:
        bucket.function()(bucket.drop(later), Context("event-2"))

    bucket.function(Interrupted(bucket.client, number, replace, after=False))(event, Context())
    assert (bucket.get(SCORED), bucket.get(REJECTS)) == bucket.on_a_disk(later, version, tmp_path)
    assert bucket.summary()["rows"] == 42
    # The first object's event comes once more, late.
    assert bucket.function()(event, Context("event-1")) == {KEY: "superseded"}
    assert bucket.summary()["rows"] == 42


@pytest.mark.parametrize("looks", STOPS)
def test_a_version_stays_in_charge_of_the_file_that_it_began(bucket: Bucket, tmp_path: Path, looks: int) -> None:
    version = bucket.publish()
    content = loans(ROWS)
    event = bucket.drop(content)
    with pytest.raises(NotFinishedError):
        bucket.function()(event, Context(looks=looks))
    assert bucket.publish(seed=2) != version
    bucket.function()(event, Context())
    assert bucket.get(SCORED) == bucket.on_a_disk(content, version, tmp_path)[0]
    assert bucket.summary()["version"] == version


def test_a_run_on_the_object_before_loses_the_file_although_it_writes_its_journal(
    bucket: Bucket, tmp_path: Path
) -> None:
    version = bucket.publish()
    with pytest.raises(NotFinishedError):
        bucket.function()(bucket.drop(loans(ROWS)), Context(looks=2))
    journal = bucket.get(JOURNAL)
    bucket.client.delete_object(Bucket=bucket.name, Key=JOURNAL)
    later = loans(50, bad_every=7)

    def write_journal() -> None:
        bucket.client.put_object(Bucket=bucket.name, Key=JOURNAL, Body=journal)

    function = bucket.function(Interrupted(bucket.client, 1, write_journal, after=False))
    assert function(bucket.drop(later), Context("event-2")) == {KEY: "scored"}
    assert bucket.get(SCORED) == bucket.on_a_disk(later, version, tmp_path)[0]
    assert bucket.uploads() == []


def test_a_later_objects_rejects_stay_where_the_one_before_has_none(bucket: Bucket, tmp_path: Path) -> None:
    version = bucket.publish()
    later = loans(50, bad_every=7)

    def replace() -> None:
        bucket.function()(bucket.drop(later), Context("event-2"))

    # The fifth write completes the scored rows; then an earlier file's rejects are deleted.
    event = bucket.drop(loans(10))
    client = Interrupted(bucket.client, 5, replace, after=True)
    assert bucket.function(client)(event, Context()) == {KEY: "superseded"}
    assert (bucket.get(SCORED), bucket.get(REJECTS)) == bucket.on_a_disk(later, version, tmp_path)


def test_after_a_refusal_amid_the_file_the_same_event_tries_again(bucket: Bucket, tmp_path: Path) -> None:
    version = bucket.publish()
    content = loans(ROWS)
    event = bucket.drop(content)

    def fail() -> None:
        raise NonFiniteOutputError(1, 5)

    function = bucket.function(Interrupted(bucket.client, 5, fail, after=False))
    assert function(event, Context()) == {KEY: "refused"}
    assert "gave 1 of 5 records a value that isn't a probability" in bucket.summary()["reason"]
    assert bucket.function()(event, Context("event-2")) == {KEY: "scored"}
    assert bucket.get(SCORED) == bucket.on_a_disk(content, version, tmp_path)[0]


def test_an_upload_that_was_left_alone_until_it_was_dropped_is_begun_anew(bucket: Bucket, tmp_path: Path) -> None:
    version = bucket.publish()
    content = loans(ROWS)
    event = bucket.drop(content)
    with pytest.raises(NotFinishedError):
        bucket.function()(event, Context(looks=STOPS[-1]))
    [upload] = bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
    bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=SCORED, UploadId=upload["UploadId"])
    assert bucket.function()(event, Context("event-2")) == {KEY: "scored"}
    assert bucket.get(SCORED) == bucket.on_a_disk(content, version, tmp_path)[0]
    assert bucket.uploads() == []


@pytest.mark.parametrize("damage", [lambda body: b"", lambda body: body[: len(body) // 2], lambda body: b"[]"])
def test_a_damaged_journal_lets_the_file_be_scored_anew(
    bucket: Bucket, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    version = bucket.publish()
    content = loans(ROWS)
    event = bucket.drop(content)
    with pytest.raises(NotFinishedError):
        bucket.function()(event, Context(looks=STOPS[-1]))
    bucket.client.put_object(Bucket=bucket.name, Key=JOURNAL, Body=damage(bucket.get(JOURNAL)))
    assert bucket.function()(event, Context()) == {KEY: "scored"}
    assert bucket.get(SCORED) == bucket.on_a_disk(content, version, tmp_path)[0]


def test_a_file_of_more_parts_than_an_upload_may_have_is_refused_at_once(bucket: Bucket) -> None:
    event = bucket.drop(loans(5))
    event["Records"][0]["s3"]["object"]["size"] = MAX_FILE_BYTES + 1
    assert bucket.function()(event, Context()) == {KEY: "refused"}
    assert (
        "20,971,520,001 bytes. The file is too large for this function. Score it by Spark" in bucket.summary()["reason"]
    )


@pytest.mark.parametrize(
    ("key", "scored"),
    [
        ("a//b.csv", "a//b.scored.csv"),
        ("./a.csv", "./a.scored.csv"),
        ("a/../b.csv", "a/../b.scored.csv"),
        ("a+b c%20\u00e9\u65e5.CSV", "a+b c%20\u00e9\u65e5.scored.CSV"),
        ("a.b/c", "a.b/c.scored"),
        (".csv", ".scored.csv"),
    ],
)
def test_each_key_has_results_of_its_own(bucket: Bucket, key: str, scored: str) -> None:
    [arrival] = arrivals(bucket.drop(b"", f"batch/in/{key}"))
    assert arrival.scored_key == f"batch/out/{scored}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"a,b\n1,2\n", "loan_amnt"),
        ("grade,purpose\n".encode("utf-16"), "UTF-8"),
    ],
)
def test_a_file_with_another_header_ends_in_a_summary(bucket: Bucket, content: bytes, reason: str) -> None:
    bucket.publish()
    assert bucket.function()(bucket.drop(content), Context()) == {KEY: "refused"}
    assert reason in bucket.summary()["reason"]
    assert bucket.list_keys() == [SUMMARY]
    assert [line["level"] for line in bucket.log] == ["ERROR"]


@pytest.mark.parametrize(("name", "reason"), [("loans.parquet", "by Spark"), ("loans.txt", "must end in .csv")])
def test_a_file_of_another_type_ends_in_a_summary(bucket: Bucket, name: str, reason: str) -> None:
    bucket.publish()
    key = f"batch/in/{name}"
    assert bucket.function()(bucket.drop(b"abc", key), Context()) == {key: "refused"}
    (summary,) = bucket.list_keys()
    assert reason in json.loads(bucket.get(summary))["reason"]


def test_a_folder_of_the_console_and_other_keys_are_left_alone(bucket: Bucket) -> None:
    assert bucket.function()(bucket.drop(b"", "batch/in/march/"), Context()) == {}
    assert bucket.function()(bucket.drop(b"", "elsewhere.csv"), Context()) == {}


def test_without_a_model_or_its_arrays_the_summary_says_so(bucket: Bucket) -> None:
    assert bucket.function()(bucket.drop(loans(5)), Context()) == {KEY: "refused"}
    assert "live" in bucket.summary()["reason"]
    from tests.contract.predict_api.api_kit import inspect_here
    from tests.contract.predict_api.loans_kit import pickled

    bucket.registry.writer.assign("live", bucket.registry.publish(pickled(), inspect=inspect_here))
    assert bucket.function()(bucket.drop(loans(5)), Context()) == {KEY: "refused"}
    assert "is served from its pickle, and this function serves arrays only" in bucket.summary()["reason"]


def test_a_deleted_object_is_no_failure(bucket: Bucket) -> None:
    bucket.publish()
    event = bucket.drop(loans(5))
    bucket.client.delete_object(Bucket=bucket.name, Key=KEY)
    assert bucket.function()(event, Context()) == {KEY: "superseded"}
    assert bucket.list_keys() == []
