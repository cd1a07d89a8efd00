"""``peerloan decisions`` and ``compare --log`` read what the function logged.

A loan's decisions are found, and the recorded version scores it again. Two versions are compared by the scores of one
and of its shadow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from memory_store import InMemoryStore
from model_artifact.loading import load_version
from model_artifact.record_rules import check_records
from model_registry.alias import Shadow
from model_watch.loan_hash import LoanHasher
from peerloan.commands.compare import compare
from peerloan.commands.decisions import decisions
from peerloan.comparing.logged_scores import TooFewLoggedError
from peerloan.errors import UsageError
from registry_kit import TRUST
from tests.contract.predict_api.api_kit import RECORD, Function, Registry, inspect_and_compile
from tests.contract.predict_api.loans_kit import pickled

KEY = "a-key-of-tests-0123456789abcdef-ABCDEF"
# A little later than the clock of the function under test.
NOW = datetime(2023, 11, 14, 23, 0, tzinfo=UTC)
LOANS = [{**RECORD, "loan_id": f"LN-{number}", "dti": 5.0 * number} for number in range(1, 4)]


class Log:
    """A function with two versions as arrays, and the bucket that its lines are put in."""

    def __init__(self, capsys: pytest.CaptureFixture[str], registry: Registry) -> None:
        self._capsys = capsys
        self.registry = registry
        self.revision = self.registry.writer.assign("live", 1).revision
        self.function = Function(self.registry, loan_hasher=LoanHasher(KEY))
        self.store = InMemoryStore()
        self._objects = 0

    def ask(self, *records: Mapping[str, Any]) -> Any:
        """Ask the function, put what it printed into the log, and return its answer."""
        answer = self.function.post({"instances": list(records)})
        self._objects += 1
        self.store.put(f"log/dt={NOW.date()}/{self._objects:06}.jsonl", self._capsys.readouterr().out.encode())
        return answer.json

    def await_shadow(self) -> None:
        """Ask without a loan's id until the shadow, which is loaded beside the requests, scores too."""
        for _ in range(1000):
            self.ask(RECORD)
            if b'"outcome":"scored"' in self.store.get(self.store.list_keys("log/")[-1]).body:
                return
            time.sleep(0.01)
        raise AssertionError("the shadow was never scored")

    def decisions(self, *words: str, **keys: Any) -> Result:
        return self.run(decisions, *words, **keys)

    def run(
        self,
        command: Any,
        *words: str,
        key: str | None = KEY,
        environ: Mapping[str, str] | None = None,
        endpoint_url: str | None = "http://127.0.0.1:9000",
    ) -> Result:
        """Run a command; ``key`` is the local stack's, and without ``endpoint_url`` the log is on AWS."""
        workplace = SimpleNamespace(
            environ=environ or {},
            endpoint_url=endpoint_url,
            clock=lambda: NOW,
            keyring=lambda: SimpleNamespace(find_loan_hash_key=lambda: key, trust=lambda: TRUST),
            reader=lambda: self.registry.writer.reader,
            log_store=lambda: self.store,
            model=self.registry.writer.model,
        )
        app = Typer(pretty_exceptions_enable=False)
        app.command()(command)
        return CliRunner().invoke(app, words, obj=workplace)


@pytest.fixture(scope="module")
def two_versions() -> Registry:
    registry = Registry(inspector=inspect_and_compile)
    for seed in (1, 2):
        registry.publish(pickled(seed=seed))
    return registry


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str], two_versions: Registry) -> Log:
    return Log(capsys, two_versions)


def test_a_decision_is_found_and_scored_again_to_the_last_bit(log: Log) -> None:
    answer = log.ask(*LOANS)
    found = log.decisions("LN-2", "--record", json.dumps(LOANS[1]), "--json")
    assert found.exit_code == 0, found.output
    (decision,) = json.loads(found.stdout)["decisions"]
    assert decision["late_probability"] == answer["predictions"][1]["late_probability"]
    assert (decision["version"], decision["alias_revision"], decision["request_id"]) == (1, log.revision, answer["id"])
    assert decision["again"]["agrees"]
    shown = log.decisions("LN-2", "--record", json.dumps(LOANS[1])).stdout
    assert f"version 1, alias live revision {log.revision}, rollout " in shown
    assert "the same to the last bit" in shown


def test_another_record_does_not_agree(log: Log) -> None:
    log.ask(LOANS[0])
    changed = {**LOANS[0], "int_rate": 0.29, "annual_inc": 12_000}
    found = log.decisions("LN-1", "--record", json.dumps(changed))
    assert found.exit_code == 1
    assert "scored again by version 1: " in found.stdout
    assert log.decisions("LN-1").exit_code == 0


def test_every_decision_is_scored_by_the_version_that_made_it(log: Log) -> None:
    log.ask(LOANS[0])
    log.registry.writer.assign("live", 2)
    log.function.clock.advance(60)
    log.ask(LOANS[0])
    found = log.decisions("LN-1", "--record", json.dumps(LOANS[0]), "--json")
    assert found.exit_code == 0, found.output
    decisions = json.loads(found.stdout)["decisions"]
    assert [decision["version"] for decision in decisions] == [1, 2]
    assert decisions[0]["late_probability"] != decisions[1]["late_probability"]
    request_id = decisions[1]["request_id"]
    (only,) = json.loads(log.decisions("LN-1", "--request-id", request_id, "--json").stdout)["decisions"]
    assert only["version"] == 2


def test_a_deleted_version_hides_no_decision(capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(inspector=inspect_and_compile)
    for seed in (1, 2):
        registry.publish(pickled(seed=seed))
    log = Log(capsys, registry)
    log.ask(LOANS[0])
    registry.writer.assign("live", 2)
    log.function.clock.advance(60)
    log.ask(LOANS[0])
    registry.writer.delete_version(1)
    words = ("LN-1", "--record", json.dumps(LOANS[0]))
    found = log.decisions(*words, "--json")
    assert found.exit_code == 1
    first, second = json.loads(found.stdout)["decisions"]
    assert first["again"] is None
    assert "no version 1" in first["not_scored_again"]
    assert second["again"]["agrees"]
    shown = log.decisions(*words).stdout
    assert "not scored again: " in shown
    assert "scored again by version 2: the same to the last bit" in shown


def test_nothing_of_another_loan_is_printed(log: Log) -> None:
    answer = log.ask(LOANS[0], {**LOANS[1], "purpose": "a new purpose"}, LOANS[2])
    for words in (("LN-1",), ("LN-1", "--json")):
        printed = log.decisions(*words).output
        for other in (1, 2):
            assert repr(answer["predictions"][other]["late_probability"]) not in printed
            assert LoanHasher(KEY).hash(f"LN-{other + 1}") not in printed
        assert "unseen_category" not in printed
    assert "unseen_category" in log.decisions("LN-2").stdout


def test_a_loan_without_a_decision_and_a_refused_request_end_with_an_error(log: Log) -> None:
    log.ask({**LOANS[0], "dti": -1})
    missing = log.decisions("LN-1")
    assert missing.exit_code == 1
    assert "no decision of loan LN-1 within 30d" in str(missing.exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("LN-1", "--record", "[]"), "takes one record"),
        (("LN-1", "--record", json.dumps(LOANS[1])), "another loan's"),
        (("LN-1", "--record", '{"dti": 1}'), "would refuse this record"),
        (("LN-1", "--record", "no-such-file.json"), "neither JSON nor a file"),
        (("LN-1", "--since", "a week"), "isn't a period"),
        (("LN-1", "--since", "0s"), "isn't a period"),
        (("LN-1", "--since", "10000d"), "isn't a period"),
    ],
)
def test_words_that_can_not_be_right_are_refused(log: Log, words: tuple[str, ...], message: str) -> None:
    log.ask(LOANS[0])
    refused = log.decisions(*words)
    assert isinstance(refused.exception, UsageError)
    assert message in str(refused.exception)


def test_the_key_is_the_environments_else_the_state_folders(log: Log) -> None:
    log.ask(LOANS[0])
    assert log.decisions("LN-1", key=None, environ={"LOAN_HASH_KEY": KEY}).exit_code == 0
    without = log.decisions("LN-1", key=None)
    assert "in this log (http://127.0.0.1:9000) isn't known" in str(without.exception)
    wrong = log.decisions("LN-1", key=None, environ={"LOAN_HASH_KEY": "short"})
    assert isinstance(wrong.exception, UsageError)
    assert "short" not in str(wrong.exception)
    other = log.decisions("LN-1", environ={"LOAN_HASH_KEY": KEY[::-1]})
    assert other.exit_code == 1


@pytest.mark.parametrize(
    ("endpoint_url", "where"), [(None, "AWS"), ("https://s3.example.com", "https://s3.example.com")]
)
def test_the_local_stacks_key_is_never_taken_for_another_log(log: Log, endpoint_url: str | None, where: str) -> None:
    log.ask(LOANS[0])
    refused = log.decisions("LN-1", endpoint_url=endpoint_url)
    assert isinstance(refused.exception, UsageError)
    assert f"in this log ({where}) isn't known. Set the environment variable LOAN_HASH_KEY" in str(refused.exception)
    found = log.decisions("LN-1", key=None, environ={"LOAN_HASH_KEY": KEY}, endpoint_url=endpoint_url)
    assert found.exit_code == 0


def test_two_versions_are_compared_by_the_log_of_a_version_and_its_shadow(log: Log, tmp_path: Path) -> None:
    log.registry.writer.assign("live", 1, shadow=Shadow(2))
    log.function.clock.advance(60)
    log.await_shadow()
    loans = [{**RECORD, "loan_id": f"S-{number}", "dti": float(number % 40)} for number in range(150)]
    log.ask(*loans)
    log.ask(*loans)
    compared = log.run(compare, "1", "2", "--log", "1d", "--out", str(tmp_path), "--json")
    assert compared.exit_code == 0, compared.output
    document = json.loads(compared.stdout)
    # Those that waited for the shadow have no ids, so each that it scored counts.
    assert document["loans"] == 150 + 1
    models = [load_version(log.registry.writer.reader, version, TRUST) for version in (1, 2)]
    means = [sum(model.late_probabilities(check_records([RECORD, *loans]))) / 151 for model in models]
    assert document["difference"]["mean"] == pytest.approx(means[1] - means[0])
    assert (tmp_path / "comparison-1-2.html").exists()
    shown = log.run(compare, "2", "1", "--log", "1d", "--out", str(tmp_path)).stdout
    assert "Version 1 beside version 2: 151 loans of the log of 1d, which one version answered" in shown


def test_versions_that_were_never_logged_together_are_compared_by_their_own_loans(log: Log) -> None:
    few = log.run(compare, "1", "2", "--log", "1d")
    assert isinstance(few.exception, TooFewLoggedError)
    assert isinstance(log.run(compare, "1", "1", "--log", "1d").exception, UsageError)
    assert isinstance(log.run(compare, "1", "2", "--log", "1d", "--records", "x.csv").exception, UsageError)
    for version in (1, 2):
        log.registry.writer.assign("live", version)
        log.function.clock.advance(60)
        log.ask(*[dict(RECORD)] * 120)
    shown = log.run(compare, "1", "2", "--log", "1d")
    assert shown.exit_code == 0, shown.output
    assert "Each one's own loans" in shown.stdout
