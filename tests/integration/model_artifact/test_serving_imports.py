"""Serving from a serving form imports what it needs and nothing else, in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fitted_pipelines import form, records

SERVE = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from model_artifact.serving_form.scoring import load_scorer
with open(sys.argv[2], "rb") as file:
    scorer = load_scorer(file.read())
records = json.loads(sys.argv[3])
one = scorer.late_probability(records[0])
after_one = sorted(sys.modules)
many = scorer.late_probabilities(records)
from model_artifact.reasons.explain import Explainer
Explainer(scorer, records[0]).explain(records[1])
print(json.dumps([one, many, after_one, sorted(sys.modules)]))
"""
HEAVY = {"sklearn", "pandas", "scipy", "joblib"}


@pytest.mark.parametrize("kind", ["boosting-small", "forest", "logistic"])
def test_serving_needs_no_scikit_learn_and_one_record_no_numpy(tmp_path: Path, kind: str) -> None:
    stored = tmp_path / "model.npz"
    stored.write_bytes(form(kind).to_bytes())
    batch = list(records()[:200])
    run = subprocess.run(
        [sys.executable, "-c", SERVE, json.dumps(sys.path), str(stored), json.dumps(batch)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    one, many, after_one, after_many = json.loads(run.stdout)
    assert not (HEAVY | {"numpy"}) & set(after_one)
    assert not HEAVY & set(after_many)
    assert one == many[0]
