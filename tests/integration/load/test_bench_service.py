"""The benchmark runs: real servers, right answers, its lines and its files. How fast they were is not judged."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from model_kit import dumped, small_boosted
from registry_kit import make_candidate
from training import candidate_folder
from training.probe_records import PROBE_RECORDS

ROOT = Path(__file__).resolve().parents[3]


def test_the_benchmark_runs_quickly_on_emulator_and_fastapi(tmp_path: Path) -> None:
    model = tmp_path / "improved"
    candidate_folder.write(
        model, replace(make_candidate(dumped(small_boosted())), probe_records=PROBE_RECORDS, data={})
    )
    (tmp_path / "docs/figures").mkdir(parents=True)
    (tmp_path / "docs/benchmarks.md").write_text("# Benchmarks\n\n## Counting the prediction log\n\nKept.\n")
    found = tmp_path / "found.json"
    words = ["--quick", "--only", "emulator,fastapi,emulator-empty", "--improved", str(model)]
    words += ["--json", str(found), "--docs", str(tmp_path / "docs")]
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/load/bench_service.py"), *words],
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    # It ends with an error if any answer has another status than 200, or another probability than the model's own.
    assert done.returncode == 0, done.stderr
    names = {f"vs-fastapi-{what}-{clients}" for what in ("rps", "p50", "p99") for clients in (1, 8, 32)}
    ratios = dict(re.findall(r"^bench: ([a-z0-9-]+) ratio=([0-9]+\.[0-9]{2})$", done.stdout, re.MULTILINE))
    callers = {"token-vs-open-p50", "signature-vs-open-p50", "token-within-its-limit"}
    assert ratios.keys() == {*names, *callers, "snapstart-vs-plain-to-4-environments"}
    document = json.loads(found.read_text())
    figures = {(run["server"], run["clients"]): run for run in document["figures"]}
    assert figures.keys() == {
        (name, clients) for name in ("emulator", "fastapi", "emulator-empty") for clients in (1, 8, 32)
    }
    assert all(run["answers"] >= run["checked"] == run["clients"] for run in figures.values())
    assert len(document["first_answers_ms"]) == 2
    assert {name: burst["calls"] for name, burst in document["bursts"].items()} == {"snapstart": 4, "plain": 4}
    page = (tmp_path / "docs/benchmarks.md").read_text()
    assert all(f"| {name} |" in page for name in names)
    assert str(tmp_path) not in page
    assert page.endswith("\n\n## Counting the prediction log\n\nKept.\n")
    assert (tmp_path / "docs/figures/benchmarks.svg").stat().st_size > 1000
