"""The prediction log: a request's line says which version answered what, and no failure of a line costs an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from model_artifact.errors import ModelProcessError
from model_artifact.loading import begin_version
from model_artifact.schema import FIELD_NAMES
from model_kit import OpenedHere
from model_registry.alias import RoutingConfig
from model_registry.errors import StoreUnavailableError
from model_registry.reader import RegistryReader
from model_registry.routing import resolve_version
from model_watch.folding.single_record_lines import SingleRecordLines
from model_watch.loan_hash import LoanHasher
from model_watch.prediction_log import LogLine, read_line
from predict_api.models.model_cache import ModelLoader, VersionLoading
from predict_api.telemetry import Telemetry
from registry_kit import TRUST
from tests.contract.predict_api.api_kit import RECORD, TTL_S, Function, Registry, candidate, event, logs, metrics
from tests.contract.predict_api.loans_kit import pickled

HASHER = LoanHasher("a-key-of-tests-0123456789abcdef-ABCDEF")


def lines(text: str) -> list[LogLine]:
    """Return the lines of prediction requests in captured output."""
    read = [read_line(line) for line in text.splitlines()]
    return [line for line in read if isinstance(line, LogLine)]


def loan(name: str, **changes: Any) -> dict[str, Any]:
    """Return a record with a loan's id."""
    return {**RECORD, "loan_id": name, **changes}


def failing(failing_version: int, error: Exception) -> ModelLoader:
    """Load versions as the function does; one of them raises ``error`` for all records but its probes."""

    class Failing(OpenedHere):
        def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
            if any("loan_id" in record for record in records):
                raise error
            return super().late_probabilities(records)

    def load(reader: RegistryReader, version: int, *, is_urgent: bool) -> VersionLoading:
        return begin_version(reader, version, TRUST, Failing if version == failing_version else OpenedHere)

    return load


def test_a_line_says_which_version_gave_each_loan_which_probability(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry, loan_hasher=HASHER)
    records = [loan("1"), dict(RECORD), loan("2", purpose="a new purpose", revol_util=None, annual_inc=9e8)]
    answer = function.post({"instances": records}, headers={"x-request-id": "mine-1"})
    [line] = lines(capsys.readouterr().out)
    alias = registry.writer.reader.get_alias("live").alias
    predictions = answer.json["predictions"]
    assert (line.request_id, line.status, line.route, line.rows) == ("mine-1", 200, "/predict", 3)
    assert (line.model, line.version, line.routed_version, line.form) == ("late-payer", 1, 1, "pickle")
    assert (line.alias, line.alias_revision, line.rollout) == ("live", 1, alias.rollout)
    assert line.loans == (HASHER.hash("1"), None, HASHER.hash("2"))
    assert line.key == line.loans[0]
    assert line.threshold == 0.05
    assert line.late_probabilities == tuple(prediction["late_probability"] for prediction in predictions)
    assert line.is_late == tuple(prediction["is_late"] for prediction in predictions)
    assert line.warnings == {2: ("out_of_training_range", "unseen_category")}
    assert [len(profile) for profile in line.profiles] == [len(FIELD_NAMES)] * 3
    assert line.profiles[0] == line.profiles[1]
    unusual = dict(zip(FIELD_NAMES, line.profiles[2], strict=True))
    assert (unusual["purpose"], unusual["revol_util"], unusual["annual_inc"]) == ("?", "-", "?")


def test_without_a_key_no_loan_is_named(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    Function(registry).post(loan("1"))
    [line] = lines(capsys.readouterr().out)
    assert (line.loans, line.key) == ((None,), None)


def test_a_version_without_a_profile_is_logged_without_profiles(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.writer.assign(
        "live", registry.writer.publish(replace(candidate(pickled()), profile=None)).manifest.version
    )
    assert Function(registry).post(RECORD).version == 2
    [line] = lines(capsys.readouterr().out)
    assert (line.version, line.profiles) == (2, ())
    assert line.late_probabilities


def test_the_canary_and_the_main_version_have_lines_of_their_own(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    alias = registry.writer.assign("live", 1, routing_config=RoutingConfig({second: 0.5}))
    function = Function(registry, loan_hasher=HASHER)
    for number in range(20):
        function.post(loan(str(number)))
    for number, line in enumerate(lines(capsys.readouterr().out)):
        assert line.version == line.routed_version == resolve_version(alias, str(number))


@pytest.mark.parametrize("hasher", [None, HASHER])
def test_the_quick_reader_of_tallies_recognises_the_lines_of_single_records(
    registry: Registry, capsys: pytest.CaptureFixture[str], hasher: LoanHasher | None
) -> None:
    function = Function(registry, loan_hasher=hasher)
    function.post(loan("1"))
    function.post({"instances": [loan("2", purpose="a new purpose", annual_inc=9e8)]})
    function.post({"instances": [loan("3"), loan("4")]})
    texts = [text.encode() for text in capsys.readouterr().out.splitlines() if '"kind":"prediction"' in text]
    quick = SingleRecordLines("late-payer")
    assert [quick.find(text) is not None for text in texts] == [True, True, False]


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/v1/models/late-payer:predict"])
def test_every_protocol_has_the_line(function: Function, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    function.send(event("POST", path, body=json.dumps({"instances": [dict(RECORD)]})))
    [line] = lines(capsys.readouterr().out)
    assert (line.status, len(line.late_probabilities)) == (200, 1)


def test_what_makes_no_prediction_has_another_line(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    function = Function(registry)
    for method, path in (("GET", "/livez"), ("GET", "/predict"), ("POST", "/elsewhere")):
        function.send(event(method, path))
    output = capsys.readouterr().out
    assert len(logs(output, "request")) == 3
    assert lines(output) == []


def test_a_refused_request_says_why_and_names_no_record(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    function.post({"instances": [{}]})
    [line] = lines(capsys.readouterr().out)
    assert (line.status, line.problem, line.alias, line.version) == (422, "invalid-request", None, None)
    assert (line.loans, line.late_probabilities, line.key) == ((), (), None)


def test_a_request_without_any_version_says_so(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    registry.store.break_down()
    Function(registry).post(RECORD)
    [line] = lines(capsys.readouterr().out)
    assert (line.status, line.problem, line.alias, line.version) == (503, "no-verified-model", None, None)


def test_a_version_that_raises_is_answerable_for_the_500(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.writer.assign("live", 1, routing_config=RoutingConfig({second: 1.0}))
    function = Function(registry, failing(second, KeyError("a rare category")), loan_hasher=HASHER)
    assert function.post(loan("7")).status == 500
    [line] = lines(capsys.readouterr().out)
    assert (line.status, line.version, line.routed_version, line.alias_revision) == (500, second, second, 2)
    assert (line.key, line.late_probabilities, line.refused_versions) == (HASHER.hash("7"), (), ())


def test_a_version_whose_process_ends_is_named_where_another_one_answers(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.writer.assign("live", 1, routing_config=RoutingConfig({second: 1.0}))
    function = Function(registry, failing(second, ModelProcessError("The model's process ended.")))
    assert function.post(loan("1")).version == 1
    [first] = lines(capsys.readouterr().out)
    assert (first.version, first.routed_version, first.refused_versions) == (1, second, (second,))
    assert function.post(loan("1")).version == 1
    [after] = lines(capsys.readouterr().out)
    assert (after.version, after.routed_version, after.refused_versions) == (1, second, (second,))


def test_a_version_whose_process_ends_is_answerable_if_none_is_left(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry, failing(1, ModelProcessError("The model's process ended.")))
    assert function.post(loan("1")).status == 503
    [line] = lines(capsys.readouterr().out)
    assert (line.status, line.version, line.routed_version, line.refused_versions) == (503, 1, 1, (1,))


def test_a_version_that_can_not_be_loaded_differs_from_the_one_that_answers(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.put(f"versions/{second}/model.pkl", b"damaged")
    registry.writer.assign("live", 1, routing_config=RoutingConfig({second: 1.0}))
    assert Function(registry).post(RECORD).version == 1
    output = capsys.readouterr().out
    [line] = lines(output)
    assert (line.version, line.routed_version, line.refused_versions) == (1, second, (second,))
    [loaded] = logs(output, "model loaded")
    [refused] = logs(output, "model version not loaded; the versions in charge stay")
    assert (loaded["kind"], loaded["model_version"]) == ("model_loaded", 1)
    assert (refused["kind"], refused["model_version"]) == ("model_refused", second)
    assert refused["error"] == "ArtifactMismatchError"


def test_a_version_that_the_bucket_does_not_give_is_not_refused(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(reader: RegistryReader, version: int, *, is_urgent: bool) -> VersionLoading:
        if version == second:
            raise StoreUnavailableError("get", "model.pkl", "no network")
        return begin_version(reader, version, TRUST, OpenedHere)

    registry.writer.assign("live", 1, routing_config=RoutingConfig({second: 1.0}))
    assert Function(registry, load).post(RECORD).version == 1
    output = capsys.readouterr().out
    [line] = lines(output)
    assert (line.version, line.routed_version, line.refused_versions) == (1, second, ())
    assert metrics(output, "ModelLoadFailures")


def test_a_new_revision_is_named_as_soon_as_it_is_followed(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry)
    function.post(RECORD)
    registry.writer.assign("live", second)
    function.clock.advance(TTL_S)
    function.post(RECORD)
    before, after = lines(capsys.readouterr().out)
    assert [(line.version, line.alias_revision) for line in (before, after)] == [(1, 1), (second, 2)]
    assert before.rollout != after.rollout


def test_a_thousand_records_are_a_line_of_less_than_60_kb(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = function.post({"instances": [loan(str(number)) for number in range(1000)]})
    assert answer.status == 200
    output = capsys.readouterr().out
    assert len(output) < 60_000
    [line] = lines(output)
    assert len(line.profiles) == len(line.loans) == 1000


def test_without_metrics_the_line_is_written_all_the_same(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    Function(registry, has_metrics=False, log_level="ERROR").post(RECORD)
    output = capsys.readouterr().out
    assert "_aws" not in output
    [line] = lines(output)
    assert (line.version, line.status) == (1, 200)


class _BrokenHasher(LoanHasher):
    """Fails with the loan's id in its message."""

    def hash(self, text: str) -> str:
        raise RuntimeError(f"can't hash {text}")


def test_a_line_that_can_not_be_made_is_counted_and_costs_no_answer(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    function = Function(registry, loan_hasher=_BrokenHasher("x" * 32))
    answer = function.post(loan("loan-7f3a9c"))
    assert (answer.status, answer.version) == (200, 1)
    output = capsys.readouterr().out
    assert "7f3a9c" not in output
    [line] = lines(output)
    assert (line.status, line.version, line.rows, line.late_probabilities) == (200, 1, 1, ())
    [counted] = metrics(output, "PredictionLogFailures")
    assert (counted["PredictionLogFailures"], counted["Rows"]) == ([1.0], [1.0])
    [lost] = logs(output, "prediction log line incomplete")
    assert (lost["error"], lost["request_id"]) == ("RuntimeError", line.request_id)
    # Nothing of the failed line is left over for the next one.
    function.get("/livez")
    assert not metrics(capsys.readouterr().out, "Latency")


def test_a_line_that_can_not_be_written_costs_no_answer(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    function = Function(registry)

    def write(_line: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    telemetry: Telemetry = function.handler._telemetry  # noqa: SLF001 - standard output can't be broken for one handler
    telemetry.write = write
    assert function.post(RECORD).status == 200
    [lost] = logs(capsys.readouterr().out, "prediction log line incomplete")
    assert lost["error"] == "BrokenPipeError"
