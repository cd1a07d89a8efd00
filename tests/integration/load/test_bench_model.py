"""The benchmark of models gets right answers from both forms in the function, and scores a file."""

from __future__ import annotations

import importlib
import io
from dataclasses import replace
from pathlib import Path

import pytest

from model_artifact.features import frame_from_records
from model_kit import dumped, small_boosted
from registry_kit import make_candidate
from training.holdout import records_of
from training.probe_records import PROBE_RECORDS

LOAD = Path(__file__).resolve().parents[2] / "load"


def test_the_function_answers_by_pickle_and_by_arrays_and_a_file_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(LOAD))
    bench_model = importlib.import_module("bench_model")
    candidate = replace(make_candidate(dumped(small_boosted())), probe_records=PROBE_RECORDS)
    store = bench_model.publish(candidate)
    loans = records_of(frame_from_records(list(PROBE_RECORDS))) * 200
    out = io.StringIO()
    # Each asserts what its answers must be.
    bench_model.bench_function(out, "-small", store, loans[:2000])
    bench_model.bench_shadow(out, store, loans[:2000], "-small")
    bench_model.bench_score_file(out, candidate, store, loans[:100], tmp_path, 1000)
    names = [line.partition(":")[0] for line in out.getvalue().splitlines()]
    assert names == [
        "function-1-small",
        "function-1000-small",
        "shadow-1-small",
        "shadow-1000-small",
        "score-file",
        "bench",
        "score-file",
    ]
