"""A shadow: its scores are in the log line beside the answer's, and nothing that it does changes an answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from model_artifact.errors import ModelProcessError, NonFiniteOutputError
from model_artifact.loading import LoadedModel, begin_version
from model_kit import OpenedHere
from model_registry.alias import RoutingConfig, Shadow
from model_registry.reader import RegistryReader
from model_registry.routing import resolve_shadow, resolve_version
from model_watch.prediction_log import LogLine, ShadowEntry, read_line
from predict_api.models.model_cache import ModelLoader, VersionLoading
from registry_kit import TRUST
from tests.contract.predict_api.api_kit import (
    RECORD,
    TTL_S,
    Answer,
    Function,
    Registry,
    inspect_and_compile,
    logs,
    metrics,
)
from tests.contract.predict_api.loans_kit import pickled

Records = Sequence[Mapping[str, Any]]
SECRET = 64321.5


@pytest.fixture
def arrays() -> Registry:
    """A registry with two versions that are served from arrays. The alias points to the first."""
    registry = Registry(inspector=inspect_and_compile)
    registry.writer.assign("live", registry.publish(pickled()))
    registry.publish(pickled(seed=2), threshold=0.01)
    return registry


def lines(capsys: pytest.CaptureFixture[str]) -> list[LogLine]:
    read = [read_line(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in read if isinstance(line, LogLine)]


def loan(number: int, **changes: Any) -> dict[str, Any]:
    return {**RECORD, "loan_id": str(number), **changes}


def ask_until_loaded(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    """Send requests until the shadow, which a thread loads, is there."""
    for _ in range(3000):
        function.post(loan(1))
        [line] = lines(capsys)
        if line.shadow is None or line.shadow.outcome != "not_loaded":
            return
    pytest.fail("the shadow wasn't loaded")


def shadow_of(capsys: pytest.CaptureFixture[str]) -> ShadowEntry:
    [line] = lines(capsys)
    assert line.status == 200
    assert line.shadow is not None
    return line.shadow


def with_scorer(make: Callable[[LoadedModel, Function], Callable[[Records], list[float]]]) -> tuple[ModelLoader, list]:
    """Return a loader whose version 2 scores with another scorer once it is loaded; the function comes later."""
    functions: list[Function] = []

    class Altered:
        def __init__(self, loading: VersionLoading) -> None:
            self._loading = loading
            self.is_ready, self.abandon, self.start = loading.is_ready, loading.abandon, loading.start

        def wait(self) -> LoadedModel:
            model = self._loading.wait()
            model.late_probabilities = make(model, functions[0])  # type: ignore[method-assign]
            return model

    def load(reader: RegistryReader, version: int, *, is_urgent: bool) -> VersionLoading:
        loading = begin_version(reader, version, TRUST, OpenedHere)
        return Altered(loading) if version == 2 else loading

    return load, functions


def test_the_shadows_scores_stand_beside_the_answers(arrays: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    arrays.writer.assign("live", 1, shadow=Shadow(2))
    function = Function(arrays)
    ask_until_loaded(function, capsys)
    records = [loan(1), loan(2, grade="F", int_rate=0.25), loan(3)]
    answer = function.post({"instances": records})
    [line] = lines(capsys)
    predictions = answer.json["predictions"]
    assert line.late_probabilities == tuple(prediction["late_probability"] for prediction in predictions)
    # What version 2 answers when it is in charge.
    arrays.writer.assign("live", 2)
    function.clock.advance(TTL_S)
    expected = function.post({"instances": records}).json["predictions"]
    assert line.shadow == ShadowEntry(
        version=2,
        outcome="scored",
        ms=line.shadow.ms,
        late_probabilities=tuple(prediction["late_probability"] for prediction in expected),
        is_late=tuple(prediction["is_late"] for prediction in expected),
    )
    assert line.shadow.late_probabilities != line.late_probabilities
    assert lines(capsys)[0].shadow is None


def test_answers_are_the_same_bytes_with_and_without_a_shadow(
    arrays: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies: list[Any] = [
        *(loan(number) for number in range(5)),
        {"instances": [loan(number, int_rate=0.1 + number / 1000) for number in range(150)]},
        {"instances": [RECORD], "parameters": {"explain": True}},
        {**RECORD, "purpose": "unseen"},
        {**RECORD, "dti": "no number"},
        "{",
    ]

    def ask(function: Function) -> list[tuple[int, dict[str, str], str]]:
        answers = [function.post(body, headers={"x-request-id": str(n)}) for n, body in enumerate(bodies)]
        return [(answer.status, _without_timing(answer), answer.body) for answer in answers]

    def _without_timing(answer: Answer) -> dict[str, str]:
        spans = [part.partition(";")[0] for part in answer.headers["Server-Timing"].split(", ")]
        return {**answer.headers, "Server-Timing": " ".join(spans)}

    without = ask(Function(arrays))
    arrays.writer.assign("live", 1, shadow=Shadow(2))
    function = Function(arrays)
    capsys.readouterr()
    ask_until_loaded(function, capsys)
    assert ask(function) == without
    outcomes = [line.shadow.outcome if line.shadow else line.status for line in lines(capsys)]
    assert outcomes == ["scored"] * 8 + [422, 400]


def test_the_version_that_answers_is_never_its_own_shadow(arrays: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    alias = arrays.writer.assign("live", 1, routing_config=RoutingConfig({2: 0.5}), shadow=Shadow(2, 0.5))
    function = Function(arrays)
    for number in range(40):
        function.post(loan(number))
    # It is in charge, and so in memory.
    for number, line in enumerate(lines(capsys)):
        version = resolve_version(alias, str(number))
        assert line.version == version
        assert (line.shadow is not None) == (resolve_shadow(alias, str(number), version) is not None)
        assert line.shadow is None or (version, line.shadow.outcome) == (1, "scored")


def test_a_shadow_is_not_in_charge(arrays: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    function = Function(arrays)
    described = function.get("/models/late-payer").json["versions"]
    arrays.writer.assign("live", 1, shadow=Shadow(2))
    function.clock.advance(TTL_S)
    ask_until_loaded(function, capsys)
    assert function.get("/models/late-payer").json["versions"] == described
    assert [model["version"] for model in function.get("/readyz").json["models"]] == [1]


def raises(_model: LoadedModel, _function: Function) -> Callable[[Records], list[float]]:
    def score(_records: Records) -> list[float]:
        raise KeyError(f"an income of {SECRET}")

    return score


def gives_nan(_model: LoadedModel, _function: Function) -> Callable[[Records], list[float]]:
    def score(records: Records) -> list[float]:
        raise NonFiniteOutputError(len(records), len(records))

    return score


def returns_nan(_model: LoadedModel, _function: Function) -> Callable[[Records], list[float]]:
    return lambda records: [math.nan] * len(records)


def returns_too_few(model: LoadedModel, _function: Function) -> Callable[[Records], list[float]]:
    score = model.late_probabilities
    return lambda records: score(records)[1:]


@pytest.mark.fault(31)
@pytest.mark.parametrize(
    ("scorer", "error"),
    [
        (raises, "KeyError"),
        (gives_nan, "NonFiniteOutputError"),
        (returns_nan, "NonFiniteOutputError"),
        (returns_too_few, "NonFiniteOutputError"),
    ],
)
def test_fault_31_a_shadow_that_fails_costs_no_answer_and_is_counted(
    arrays: Registry, capsys: pytest.CaptureFixture[str], scorer: Any, error: str
) -> None:
    load, functions = with_scorer(scorer)
    arrays.writer.assign("live", 1, shadow=Shadow(2))
    function = Function(arrays, load)
    functions.append(function)
    ask_until_loaded(function, capsys)
    for number in range(10):
        assert function.post(loan(number, annual_inc=SECRET)).version == 1
    output = capsys.readouterr().out
    assert str(SECRET) not in output
    read = [line for line in map(read_line, output.splitlines()) if isinstance(line, LogLine)]
    assert [(line.status, line.shadow.outcome, line.shadow.error) for line in read if line.shadow] == [
        (200, "failed", error)
    ] * 10
    assert metrics(output, "ModelLoadFailures") == []
    assert function.get("/readyz").status == 200


@pytest.mark.fault(31)
def test_fault_31_a_shadow_that_is_too_slow_is_passed_over(
    arrays: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    scored: list[int] = []

    def slow(model: LoadedModel, function: Function) -> Callable[[Records], list[float]]:
        score = model.late_probabilities

        def score_slowly(records: Records) -> list[float]:
            scored.append(len(records))
            function.clock.advance(0.001 * len(records))
            return score(records)

        return score_slowly

    load, functions = with_scorer(slow)
    arrays.writer.assign("live", 1, shadow=Shadow(2))
    function = Function(arrays, load)
    functions.append(function)
    ask_until_loaded(function, capsys)
    # A millisecond a record: one is quick, a thousand are found to be slow within the budget of 5 ms.
    function.post(loan(1))
    assert shadow_of(capsys).outcome == "scored"
    scored.clear()
    batch = {"instances": [loan(number) for number in range(1000)]}
    for _ in range(10):
        function.post(batch)
        [line] = lines(capsys)
        assert line.shadow is not None
        assert (line.status, line.shadow.outcome, line.shadow.late_probabilities) == (200, "over_budget", ())
        # The answer's own time: the clock moves for the shadow alone.
        assert line.latency_ms < 1
    assert sum(scored) <= 3 * 5
    function.post(loan(1))
    assert shadow_of(capsys).outcome == "scored"
    # With a budget there is time for them.
    arrays.writer.assign("live", 1, shadow=Shadow(2, budget_ms=2000))
    function.clock.advance(TTL_S)
    function.post(batch)
    assert shadow_of(capsys).outcome == "scored"


@pytest.mark.fault(31)
def test_fault_31_a_slow_moment_is_not_taken_for_the_shadows_pace(
    arrays: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    pauses_s = [0.0, 0.5, 0.0, 0.5, 0.5, 0.5]

    def paused(model: LoadedModel, function: Function) -> Callable[[Records], list[float]]:
        score = model.late_probabilities

        def score_after_pause(records: Records) -> list[float]:
            function.clock.advance(pauses_s.pop(0) if pauses_s else 0.0)
            return score(records)

        return score_after_pause

    load, functions = with_scorer(paused)
    arrays.writer.assign("live", 1, shadow=Shadow(2))
    function = Function(arrays, load)
    functions.append(function)
    ask_until_loaded(function, capsys)
    outcomes = []
    for _ in range(60):
        function.post(loan(1))
        outcomes.append(shadow_of(capsys).outcome)
    assert outcomes[:5] == ["scored"] * 5
    # Three in a row are believed, for a while.
    assert outcomes[5] == "over_budget"
    assert outcomes[-1] == "scored"


@pytest.mark.fault(31)
@pytest.mark.parametrize("file", ["manifest.json", "serving-form.npz"])
def test_fault_31_a_shadow_that_can_not_be_loaded_costs_no_answer_and_is_counted(
    arrays: Registry, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    arrays.writer.assign("live", 1, shadow=Shadow(2))
    arrays.put(f"versions/2/{file}", b"damaged")
    function = Function(arrays)
    outputs = []
    for number in range(3000):
        assert function.post(loan(number)).version == 1
        output = capsys.readouterr().out
        outputs.append(output)
        if logs(output, "model version not loaded; the versions in charge stay"):
            break
    for number in range(5):
        assert function.post(loan(number)).version == 1
    read = [line for line in map(read_line, capsys.readouterr().out.splitlines()) if isinstance(line, LogLine)]
    assert [line.shadow.outcome for line in read if line.shadow] == ["refused"] * 5
    [refusal] = logs("".join(outputs), "model version not loaded; the versions in charge stay")
    assert (refusal["kind"], refusal["model_version"]) == ("model_refused", 2)
    assert function.get("/readyz").status == 200


@pytest.mark.fault(31)
def test_fault_31_a_pickle_is_a_shadow_only_within_a_budget(
    registry: Registry, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a real process, which is ended in the middle."""

    def load(reader: RegistryReader, version: int, *, is_urgent: bool) -> VersionLoading:
        return begin_version(reader, version, TRUST, OpenedHere if version == 1 else None, is_urgent=is_urgent)

    registry.writer.assign("live", 1, shadow=Shadow(second))
    function = Function(registry, load)
    ask_until_loaded(function, capsys)
    function.post(loan(1))
    assert shadow_of(capsys).outcome == "over_budget"
    registry.writer.assign("live", 1, shadow=Shadow(second, budget_ms=20_000))
    function.clock.advance(TTL_S)
    ask_until_loaded(function, capsys)
    answer = function.post(loan(1))
    entry = shadow_of(capsys)
    assert (answer.version, entry.outcome, len(entry.late_probabilities)) == (1, "scored", 1)
    model = function.follower.cache.find_in_memory(second)
    assert model is not None
    assert model.pipeline is not None
    model.pipeline.close()
    assert function.post(loan(1)).version == 1
    [line] = lines(capsys)
    assert line.shadow is not None
    assert (line.shadow.outcome, line.shadow.error) == ("failed", ModelProcessError.__name__)
    # It is taken out, and loaded again later.
    assert function.follower.cache.has_failed(second)
    assert function.post(loan(1)).version == 1
    assert shadow_of(capsys).outcome == "refused"
