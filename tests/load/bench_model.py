"""How much faster arrays serve than the pickle they were made of: ``make bench-model``, or with trained models
``python tests/load/bench_model.py [--improved models/improved] [--basic models/basic] [--rows 200000]``.

Prints ``bench: <name> ratio=<x>`` lines, medians of both ways taken in turns: ``scoring-…`` from checked records to
probabilities, in the processor's time; ``function-…`` from API event to answer, by the clock, since a pickle is scored
in a process of its own; ``cold-start`` from a fresh process to its first answer; ``score-file`` the rate of ``peerloan
score`` over that of bare ``predict_proba`` on arrays. ``scoring-1-lightgbm…`` and ``scoring-1-xgboost…`` are one record
by these libraries and by arrays (``bench_boosters``). ``shadow-…`` is the time of a request with a shadow over that of
one without, and ``log-…`` that of a request whose line has the prediction log's members over that of one without them:
less is better. Absolute figures are in the lines between, and the basic model, whose forest is served as arrays for the
sake of its start and of single records.
Without folders, models are trained on the data that ``PEERLOAN_DATA`` names, else on sample data.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, TextIO

# One thread for both ways, before NumPy is imported.
os.environ["OMP_NUM_THREADS"] = "1"

ROOT = Path(__file__).parents[2]
PARTS = [str(ROOT / part) for part in ("", "layers/shared", "functions/predict", "tests/kit")]
sys.path[:0] = PARTS

from bench_boosters import bench_boosters  # noqa: E402
from interleaved import seconds_of, tell, time_in_turns  # noqa: E402

from registry_kit import PUBLISHER, TRUST  # noqa: E402

# Aliases of the versions 1 and 2.
FORMS = ("pickle", "arrays")
# The alias of version 2 that names version 3 as its shadow.
SHADOWED = "shadowed"
SHADOW = 3
BUCKET = "models"
EVENT = ROOT / "events/one-record.json"
COLD_STARTS = 5
LOADING_LIMIT_S = 120


def main() -> None:
    """Measure and print: two minutes, training not counted."""
    options = _options(sys.argv[1:])
    with tempfile.TemporaryDirectory() as name, _quiet_stdout() as out:
        folder = Path(name)
        candidates = {
            kind: _read(path or _train(kind, folder / kind))
            for kind, path in (("improved", options.improved), ("basic", options.basic))
        }
        published = {kind: publish(candidate) for kind, candidate in candidates.items()}
        loans = _loans()
        for kind, store in published.items():
            suffix = "" if kind == "improved" else f"-{kind}"
            bench_scoring(out, suffix, candidates[kind], store, loans)
            bench_function(out, suffix, store, loans)
        bench_shadow(out, published["improved"], loans)
        bench_log(out, published["improved"], loans)
        bench_boosters(out, loans)
        bench_cold_start(out, published["improved"], folder)
        bench_score_file(out, candidates["improved"], published["improved"], loans, folder, options.rows)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--improved", type=Path, help="the folder of a trained improved model")
    parser.add_argument("--basic", type=Path, help="the folder of a trained basic model")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the file that is scored")
    return parser.parse_args(arguments)


def bench_scoring(out: TextIO, suffix: str, candidate: Any, store: Any, loans: Sequence[Any]) -> None:
    """From checked records to probabilities."""
    from model_artifact.features import frame_from_records
    from model_artifact.opening.load import open_pickle
    from model_artifact.pipeline import late_probabilities
    from model_artifact.reasons.explain import Explainer
    from model_artifact.serving_form.scorers.record_scorer import load_scorer
    from model_registry.reader import RegistryReader

    reader = RegistryReader(store)
    scorer = load_scorer(reader.get_serving_form(reader.get_manifest(2)))
    pipeline = open_pickle(candidate.pickle)

    def by_pickle(n_records: int) -> Callable[[int], object]:
        return lambda turn: late_probabilities(pipeline, frame_from_records(_turned(loans, turn, n_records)))

    single = time_in_turns(by_pickle(1), lambda turn: scorer.late_probability(loans[turn]), rounds=60, longest_s=5)
    tell(out, f"scoring-1{suffix}", single, is_gate=not suffix)
    many = time_in_turns(
        by_pickle(1000),
        lambda turn: scorer.late_probabilities(_turned(loans, turn, 1000)),
        rounds=20,
        longest_s=3 if suffix else 5,
    )
    tell(out, f"scoring-1000{suffix}", many, is_gate=not suffix)
    if not suffix:
        explainer = Explainer(scorer, loans[0])
        took = sorted(seconds_of(lambda turn: explainer.explain(loans[turn]), turn) for turn in range(60))
        print(f"reasons for one record: {took[30] * 1000:.3f} ms", file=out)


def bench_function(out: TextIO, suffix: str, store: Any, loans: Sequence[Any]) -> None:
    """From API event to answer: the function without gateway and bucket."""
    handlers = {form: _handler(store, form) for form in FORMS}
    # As the function does when it has started.
    gc.freeze()
    for n_records, rounds in ((1, 200), (1000, 20)):
        events = [_event(_turned(loans, turn, n_records)) for turn in range(10)]

        def ask(form: str, events: list[Any] = events) -> Callable[[int], object]:
            return lambda number: handlers[form](events[number % len(events)], None)

        for form in FORMS:
            answer = _first_answer(handlers[form], events[0])
            assert (answer["statusCode"], answer["headers"].get("X-Model-Form")) == (200, form), answer
        pair = time_in_turns(
            ask("pickle"), ask("arrays"), rounds=rounds, longest_s=3 if suffix else 5, clock=perf_counter
        )
        tell(out, f"function-{n_records}{suffix}", pair, is_gate=not suffix)


def bench_shadow(out: TextIO, store: Any, loans: Sequence[Any], suffix: str = "") -> None:
    """From API event to answer, with a shadow of as many arrays as the version that answers, and without one."""
    plain, (shadowed, follower) = _build(store, "arrays")[0], _build(store, SHADOWED)
    for n_records, rounds in ((1, 400), (1000, 40)):
        events = [_event(_turned(loans, turn, n_records)) for turn in range(10)]
        # A thread loads the shadow, and its first batches of a size are measured.
        until_s = perf_counter() + 30
        while not follower.cache.find_in_memory(SHADOW) and perf_counter() < until_s:
            shadowed(events[0], None)
        assert follower.cache.find_in_memory(SHADOW), "The shadow wasn't loaded."
        for event in events:
            assert shadowed(event, None)["statusCode"] == plain(event, None)["statusCode"] == 200
        pair = time_in_turns(
            lambda turn, events=events: shadowed(events[turn % len(events)], None),
            lambda turn, events=events: plain(events[turn % len(events)], None),
            rounds=rounds,
            fast_a_round=1,
            longest_s=5,
        )
        tell(out, f"shadow-{n_records}{suffix}", pair, ("with", "without"), is_gate=not suffix)


def bench_log(out: TextIO, store: Any, loans: Sequence[Any]) -> None:
    """From API event to answer, with the prediction log's members in the request's line and without them.

    Without them the line is that of any other request: its log entry and its metrics. ``log-…-ids``: each record has a
    loan_id, which is hashed.
    """
    logged, bare = _build(store, "arrays")[0], _build(store, "arrays")[0]
    bare._telemetry.entries = _NoEntries()  # noqa: SLF001 - the function itself has no way to leave the log out
    gc.freeze()
    numbered = [{**record, "loan_id": f"LN-{number:08}"} for number, record in enumerate(loans)]
    for name, records, n_records, rounds in (
        ("log-1", loans, 1, 2000),
        ("log-1000", loans, 1000, 100),
        ("log-1-ids", numbered, 1, 2000),
        ("log-1000-ids", numbered, 1000, 100),
    ):
        events = [_event(_turned(records, turn, n_records)) for turn in range(10)]
        for event in events:
            assert logged(event, None)["statusCode"] == bare(event, None)["statusCode"] == 200
        pair = time_in_turns(
            lambda turn, events=events: logged(events[turn % len(events)], None),
            lambda turn, events=events: bare(events[turn % len(events)], None),
            rounds=rounds,
            fast_a_round=1,
            longest_s=8,
        )
        tell(out, name, pair, ("with", "without"))


class _NoEntries:
    """Stands in for ``PredictionEntries``: the members of no prediction."""

    def members(self, _exchange: Any) -> dict[str, object]:
        return {}


def bench_cold_start(out: TextIO, store: Any, folder: Path) -> None:
    """From a fresh process to the first answer, the model in a local bucket."""
    from model_registry.stores.s3 import S3Store, make_s3_client
    from processes import emulator_process

    credentials = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ.update(credentials)
    with emulator_process(folder, "bucket", "--data-dir", str(folder / "data"), "--bucket", BUCKET) as (_, url):
        client = make_s3_client(url)
        for key in store.list_keys(""):
            S3Store(BUCKET, client).put(key, store.get(key).body)
        client.close()
        environ = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "PYTHONPATH": os.pathsep.join(PARTS),
            # Compiled once, as an installed package is; without them half the time goes into compiling.
            "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
            "MODEL_BUCKET": BUCKET,
            "AWS_ENDPOINT_URL_S3": url,
            "TRUSTED_PUBLISHERS": PUBLISHER.public_key,
        }

        def start(form: str) -> Callable[[int], object]:
            return lambda _: _start(environ | {"MODEL_ALIAS": form}, form)

        for form in FORMS:
            start(form)(0)
        pair = time_in_turns(
            start("pickle"), start("arrays"), rounds=COLD_STARTS, fast_a_round=2, longest_s=20, clock=perf_counter
        )
        tell(out, "cold-start", pair)


def bench_score_file(out: TextIO, candidate: Any, store: Any, loans: Sequence[Any], folder: Path, n_rows: int) -> None:
    """From a CSV file to a scored one, over the classifier alone on arrays that lie ready in memory."""
    import numpy as np

    from batch_scoring.scores import VersionScorer
    from model_artifact.features import frame_from_records
    from model_artifact.loading import load_version
    from model_artifact.opening.load import open_pickle
    from model_registry.reader import RegistryReader
    from peerloan.scoring.score_csv import score_csv
    from peerloan.scoring.targets import Targets

    frame = frame_from_records(loans)
    header, rows = frame.to_csv(index=False).split("\n", 1)
    source = folder / "loans.csv"
    rounds = -(-n_rows // len(loans))
    source.write_text(header + "\n" + rows * rounds)
    pipeline = open_pickle(candidate.pickle)
    encoded = np.tile(np.asarray(pipeline[:-1].transform(frame)), (rounds, 1))
    scorer = VersionScorer(load_version(RegistryReader(store), 2, trust=TRUST))
    targets = Targets(folder / "out.csv", folder / "rejects.csv")

    def score(_: int) -> None:
        assert score_csv(source, targets, scorer).rows == len(encoded)

    score(0)
    pair = time_in_turns(
        lambda _: pipeline[-1].predict_proba(encoded), score, rounds=5, fast_a_round=1, longest_s=15, clock=perf_counter
    )
    tell(out, "score-file", pair, ("bare predict_proba", "score"))
    print(f"score-file: {len(encoded) / pair.fast_s:,.0f} rows a second", file=out)


def _start(environ: dict[str, str], form: str) -> None:
    words = [sys.executable, str(ROOT / "tests/load/cold_start.py"), str(EVENT)]
    done = subprocess.run(words, env=environ, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.split()[-2:] == ["200", form], done.stderr


def _first_answer(handler: Callable[[Any, Any], Any], event: Any) -> Any:
    """Ask until the version is loaded: on a busy machine a pickle's process may start later than the function waits."""
    until_s = perf_counter() + LOADING_LIMIT_S
    while (answer := handler(event, None))["statusCode"] == 503 and perf_counter() < until_s:
        sleep(1)
    return answer


def _handler(store: Any, alias: str) -> Callable[[Any, Any], Any]:
    return _build(store, alias)[0]


def _build(store: Any, alias: str) -> tuple[Any, Any]:
    """Return the function's handler for an alias, and its alias follower."""
    from model_artifact.loading import begin_version
    from predict_api.app import build
    from predict_api.models.clock import read_clocks
    from predict_api.settings import Settings

    # A service of its own each: Powertools keeps one logger a name.
    service = f"bench-{uuid.uuid4()}"
    settings = Settings.from_environ(
        {
            "MODEL_BUCKET": BUCKET,
            "MODEL_ALIAS": alias,
            "POWERTOOLS_SERVICE_NAME": service,
            "TRUSTED_PUBLISHERS": PUBLISHER.public_key,
            "LOAN_HASH_KEY": "bench-hash-key-of-0123456789abcdef",
        }
    )
    return build(
        settings,
        store,
        partial(begin_version, trust=settings.trust),
        clock=read_clocks,
        jitter=random.random,
        new_id=lambda: str(uuid.uuid4()),
    )


def _event(records: Sequence[Any]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(EVENT.read_text())
    return {**event, "body": json.dumps(records[0] if len(records) == 1 else {"instances": records})}


def publish(candidate: Any) -> Any:
    """Return a bucket in memory with the model by its pickle (version 1) and by its arrays (2, and 3 as its shadow)."""
    from memory_store import InMemoryStore
    from model_artifact.opening.inspection import inspect_candidate
    from model_registry.alias import Shadow
    from model_registry.writer import RegistryWriter

    store = InMemoryStore()
    compiled = inspect_candidate(candidate.pickle, candidate.probe_records)
    if compiled.serving_form is None:
        sys.exit(f"The model has no serving form to measure: {compiled.why_no_serving_form}")
    numbers = itertools.count()
    for form, inspection in zip(FORMS, (replace(compiled, serving_form=None), compiled), strict=True):
        writer = RegistryWriter(
            store,
            clock=lambda: datetime.now(UTC),
            who="bench",
            new_id=lambda form=form: f"{form}-{next(numbers)}",
            inspect=lambda *_, inspection=inspection: inspection,
            sign=PUBLISHER.sign,
        )
        writer.assign(form, writer.publish(candidate).manifest.version)
    # Another threshold makes another version of it.
    twin = replace(candidate, threshold=replace(candidate.threshold, value=candidate.threshold.value / 2))
    assert writer.publish(twin).manifest.version == SHADOW
    writer.assign(SHADOWED, SHADOW - 1, shadow=Shadow(SHADOW))
    return store


def _read(folder: Path) -> Any:
    from training.candidate_folder import read_candidate

    return read_candidate(folder)[1]


def _train(kind: str, folder: Path) -> Path:
    words = [sys.executable, "-m", "training", kind, "--out", str(folder)]
    subprocess.run(words, cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(PARTS)}, check=True)
    return folder


def _loans() -> list[Any]:
    """Return a thousand records as JSON holds them, twice over, so that a turn can begin anywhere."""
    from training.data import load

    features = load(None, os.environ).test.features.head(1000)
    rows = features.astype(object).where(features.notna(), None).to_dict("records")
    return [*rows, *rows]


def _turned(loans: Sequence[Any], turn: int, n_records: int) -> Sequence[Any]:
    return loans[turn : turn + n_records]


@contextmanager
def _quiet_stdout() -> Iterator[TextIO]:
    """Yield the real standard output, and let what the function logs go nowhere: through a real file, as it does."""
    sys.stdout.flush()
    real = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        with os.fdopen(real, "w") as out:
            yield out
    finally:
        os.close(nowhere)


if __name__ == "__main__":
    main()
