"""The commands on rollouts, on a bucket whose prediction log the test writes."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from command_line import run_peerloan
from fitted_pipelines import records
from model_artifact.features import frame_from_records
from model_artifact.opening.inspection import inspect_candidate
from model_kit import dumped, small_boosted
from model_registry.alias import Alias, RoutingConfig
from model_registry.candidate import Inspection
from model_registry.routing import resolve_version
from model_registry.stores.s3 import S3Store, make_s3_client
from peerloan.keyring import Keyring
from registry_kit import PUBLISHER, make_candidate, make_writer

# Botocore's connections are left to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LOANS = [dict(record) for record in records()]
QUICK = ("--steps", "50", "--every", "1s", "--shadow", "1s", "--bake", "1s", "--yes")
_buckets = itertools.count(1)


@cache
def inspection() -> Inspection:
    return inspect_candidate(dumped(small_boosted()), LOANS[:3])


class Bench:
    """The command line on a bucket of its own, with versions 1 and 2 of one model, and ``live`` at version 1."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.name = f"rollout-models-{next(_buckets)}"
        client = make_s3_client(url)
        client.create_bucket(Bucket=self.name)
        client.create_bucket(Bucket=f"{self.name}-log")
        store = S3Store(self.name, client)
        self.log = S3Store(f"{self.name}-log", client)
        self.writer = make_writer(store, "tester", inspect=lambda *_: inspection())
        for threshold in (0.05, 0.06):
            candidate = replace(make_candidate(dumped(small_boosted()), threshold), probe_records=tuple(LOANS[:3]))
            self.writer.publish(candidate)
        self.writer.assign("live", 1)
        self.loans = folder / "loans.csv"
        frame_from_records(LOANS).to_csv(self.loans, index=False)

    def run(self, *words: str) -> Any:
        """Run a command on rollouts."""
        return run_peerloan("--endpoint-url", self.url, "--bucket", self.name, "rollout", *words)

    def start(self, *words: str) -> Any:
        """Begin a rollout of version 2."""
        return self.run("start", "live", "--to", "2", "--records", str(self.loans), *(words or QUICK))

    @property
    def alias(self) -> Alias:
        return self.writer.reader.get_alias("live").alias

    @contextmanager
    def traffic(self, *, fails: bool = False) -> Iterator[None]:
        """Write the log of 2,000 requests a second, of a candidate that answers as the main version or fails."""
        ended = threading.Event()

        def write() -> None:
            for batch in itertools.count():
                alias = self.alias
                lines = [line(alias, 500 * batch + number, fails=fails) for number in range(500)]
                body = "".join(f"{json.dumps(document)}\n" for document in lines).encode()
                self.log.put(f"log/dt={datetime.now(UTC):%Y-%m-%d}/{batch:06d}.gz", gzip.compress(body))
                if ended.wait(0.25):
                    return

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def line(alias: Alias, number: int, *, fails: bool) -> dict[str, Any]:
    """Return the log line of a request."""
    key = f"loan-{number}"
    version = resolve_version(alias, key)
    scores = [0.01 + 0.001 * (number % 7)]
    document = {
        "kind": "prediction",
        "timestamp": datetime.now(UTC).isoformat(),
        "invocation_id": f"invocation-{number}",
        "request_id": f"request-{number}",
        "route": "/predict",
        "status": 200,
        "rows": 1,
        "latency_ms": 5 + number % 7 / 10,
        "spans_ms": {"score": 0.1},
        "cold_start": False,
        "model": "late-payer",
        "model_version": str(version),
        "routed_version": version,
        "alias": "live",
        "alias_revision": alias.revision,
        "rollout": alias.rollout,
        "key": key,
    }
    if fails and version == 2:
        return {**document, "status": 500, "rows": 0}
    document |= {"threshold": 0.05, "loans": [key], "late_probabilities": scores, "is_late": "0"}
    if alias.shadow and version == 1:
        document["shadow"] = {
            "version": 2,
            "outcome": "scored",
            "ms": 0.1,
            "late_probabilities": scores,
            "is_late": "0",
        }
    return document


@pytest.fixture
def bench(local_bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    Keyring(tmp_path / "keys").add("tests", PUBLISHER.public_key)
    monkeypatch.setenv("PEERLOAN_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    bench = Bench(local_bucket_url, tmp_path)
    monkeypatch.setenv("LOG_BUCKET", f"{bench.name}-log")
    return bench


def test_a_plan_is_printed_before_the_rollout_begins(bench: Bench) -> None:
    unasked = bench.start("--strategy", "Canary10Percent5Minutes", "--shadow", "2m")
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    assert "1. shadow, 2m: version 1 answers every request" in unasked.stdout
    assert "2. canary, 5m: version 2 answers 10 % of the loans" in unasked.stdout
    assert "Version 2 is expected to score" in unasked.stdout
    assert "failed_answers up to +0.01" in unasked.stdout
    assert bench.run("status").returncode == 1

    begun = bench.start("--yes", "--json")
    assert begun.returncode == 0, begun.stderr
    assert "Version 2 replaces version 1" in begun.stderr
    document = json.loads(begun.stdout)
    assert (document["state"], document["stage"]) == ("running", 1)
    assert bench.alias.shadow is not None


@pytest.mark.fault(23)
def test_one_rollout_at_a_time_and_another_operator_may_go_on_with_it(bench: Bench) -> None:
    bench.start("--yes")
    again = bench.start("--yes")
    # Before the plan: nobody reads and confirms one that can't begin.
    assert (again.returncode, again.stdout) == (1, "")
    assert "is under way (running)" in again.stderr
    assert "started it at" in again.stderr

    assert bench.run("hold", "live", "--reason", "lunch").returncode == 0
    assert bench.run("status", "live").returncode == 3
    assert bench.run("hold", "live").returncode == 0
    assert "held, by " in (status := bench.run("status", "live").stdout)
    assert status.count("no reason given") == 2
    assert bench.run("resume", "live").returncode == 0
    assert bench.run("status", "live").returncode == 0
    for reason in ((), ("--reason", "   ")):
        refused = bench.run("promote", "live", *reason)
        assert (refused.returncode, "--reason" in refused.stderr) == (1, True)
    assert bench.run("promote", "live", "--step", "--reason", "night").returncode == 0
    assert bench.alias.routing_config.additional_version_weights == {2: 0.1}
    assert bench.run("promote", "live", "--reason", "night").returncode == 0
    assert bench.alias.routing_config.additional_version_weights == {2: 1.0}
    assert bench.run("abort", "live", "--reason", "wrong version").returncode == 0
    assert (bench.alias.version, bench.alias.versions_in_use) == (1, (1,))

    status = bench.run("status", "live")
    assert (status.returncode, "aborted" in status.stdout) == (1, True)
    assert bench.start("--yes").returncode == 0
    history = json.loads(bench.run("history", "live", "--json").stdout)
    assert [past["state"] for past in history] == ["aborted", "running"]
    assert "aborted by" in bench.run("history", "live").stdout


def test_a_good_version_is_driven_to_its_promotion(bench: Bench) -> None:
    assert bench.start().returncode == 0
    with bench.traffic():
        watched = bench.run("watch", "live", "--drive", "--every", "0.2", "--wait", "1m", "--json")
    assert watched.returncode == 0, watched.stdout.splitlines()[-1]
    looks = [json.loads(look) for look in watched.stdout.splitlines()]
    assert looks[-1]["state"] == "promoted"
    assert {look["candidate_share"] for look in looks} == {0.0, 0.5, 1.0}
    assert (bench.alias.version, bench.alias.versions_in_use) == (2, (2,))


@pytest.mark.fault(21)
def test_a_version_that_fails_is_taken_back(bench: Bench) -> None:
    assert bench.start().returncode == 0
    with bench.traffic(fails=True):
        watched = bench.run("watch", "live", "--drive", "--every", "0.2", "--wait", "1m")
    assert watched.returncode == 1, watched.stdout
    assert "rolled_back" in watched.stdout
    status = json.loads(bench.run("status", "live", "--json").stdout)
    assert [guard["guard"] for guard in status["judgements"] if guard["verdict"] == "fail"] == ["failed_answers"]
    assert (bench.alias.version, bench.alias.versions_in_use) == (1, (1,))


@pytest.mark.fault(22)
def test_without_traffic_it_holds(bench: Bench) -> None:
    assert bench.start().returncode == 0
    watched = bench.run("watch", "live", "--drive", "--every", "0.2")
    assert watched.returncode == 3
    assert "No data: there are no log lines." in watched.stdout
    assert bench.alias.version == 1


def test_what_can_not_begin_is_refused_before_the_plan(bench: Bench) -> None:
    no_history = bench.run("history", "live")
    assert (no_history.returncode, "has had no rollout" in no_history.stderr) == (0, True)
    in_charge = bench.run("start", "live", "--to", "1", "--yes")
    assert (in_charge.returncode, "Version 1 is in charge of alias 'live' already" in in_charge.stderr) == (1, True)
    bench.writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1}))
    canary = bench.start("--yes")
    assert (canary.returncode, canary.stdout) == (1, "")
    assert "End the canary or the shadow first" in canary.stderr
    bench.writer.assign("live", 1)
    absent = bench.run("start", "live", "--to", "9", "--yes")
    assert (absent.returncode, "peerloan versions" in absent.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--strategy", "Fast"), "isn't a strategy"),
        (("--steps", "10,5"), "don't rise"),
        (("--steps", "10", "--every", "soon"), "isn't a duration"),
        (("--steps", "10", "--strategy", "AllAtOnce"), "not both"),
        (("--every", "30s"), "Add --steps 1,10,50"),
        (("--strategy", "Canary10Percent5Minutes", "--every", "30s"), "a strategy's name says its minutes"),
        (("--expect", "score=0.1..0.2"), "say why with --reason"),
        (("--expect", "score=0.1..0.2", "--reason", "  "), "say why with --reason"),
        (("--expect", "flags=2..1", "--reason", "x"), "the lower end first, both within -1..1"),
        (("--expect", "flips=.1", "--expect", "flips=.2", "--reason", "x"), "names flips twice"),
        (("--expect", "flips=2", "--reason", "x"), "can't be read"),
        (("--expect", "flags=0.2", "--reason", "x"), "can't be read"),
        (("--guards", "absent.toml"), "can't be read"),
    ],
)
def test_options_that_cant_be_right_are_refused(bench: Bench, words: tuple[str, ...], message: str) -> None:
    refused = bench.start(*words, "--yes")
    assert (refused.returncode, message in refused.stderr) == (2, True), refused.stderr
    assert bench.run("status").returncode == 1


def test_expectations_and_tolerances_are_the_operators(bench: Bench, tmp_path: Path) -> None:
    guards = tmp_path / "guards.toml"
    guards.write_text("slow_answers = 0.2\n")
    words = ("--expect", "score=-0.01..0.03", "--expect", "flips=.5", "--reason", "a new portfolio")
    begun = bench.start("--guards", str(guards), *words, "--yes", "--json")
    document = json.loads(begun.stdout)
    assert document["guards"]["bounds"]["slow_answers"]["high"] == 0.2
    assert (document["expect"]["low"], document["expect"]["high"], document["expect"]["flip_high"]) == (
        -0.01,
        0.03,
        0.5,
    )
    assert "a new portfolio" in begun.stderr
    guards.write_text("misspelt = 0.2\n")
    bench.run("abort", "live")
    refused = bench.start("--guards", str(guards), "--yes")
    assert (refused.returncode, "there is no guard 'misspelt'" in refused.stderr) == (2, True)
