"""Serving from a serving form imports what it needs and nothing else, in a fresh process: the scorer, the function."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fitted_pipelines import form, records
from model_artifact.reasons import CODES_VERSION
from model_artifact.serving_form.scorers.record_scorer import make_scorer
from model_registry.candidate import Inspection
from model_registry.manifest import Reasons
from model_registry.stores.s3 import S3Store, make_s3_client
from registry_kit import make_candidate, make_writer

SERVE = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from model_artifact.serving_form.scorers.record_scorer import load_scorer
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
HEAVY = {"sklearn", "pandas", "scipy", "joblib", "lightgbm", "xgboost"}
# What the function's own imports could bring besides: the rest of the AWS SDK, pages that nobody asked for.
UNUSED = HEAVY | {
    "boto3",
    "s3transfer",
    "pydantic",
    "aws_xray_sdk",
    "predict_api.http.openapi",
    "predict_api.http.docs_page",
}


@pytest.mark.parametrize(
    "kind", ["boosting-small", "forest", "logistic", "lightgbm-small-zero-as-missing", "xgboost-large-sparse"]
)
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


HANDLER = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from predict_api.main import handler

def ask(body):
    event = json.load(open(sys.argv[2]))
    answer = handler({**event, "body": json.dumps(body)}, None)
    return [answer["statusCode"], answer["headers"].get("X-Model-Form"), sorted(sys.modules)]

records = json.loads(sys.argv[3])
explain = {"instances": records[:1], "parameters": {"explain": True}}
print(json.dumps([ask(records[0]), ask(explain), ask({"instances": records})]), file=sys.stderr)
"""


@pytest.mark.parametrize("kind", ["boosting-small", "forest", "xgboost-small"])
def test_function_needs_no_scikit_learn_and_one_record_no_numpy(local_bucket_url: str, kind: str) -> None:
    batch = [dict(record) for record in records()[:200]]
    bucket = f"imports-{kind}"
    client = make_s3_client(local_bucket_url)
    client.create_bucket(Bucket=bucket)
    probabilities = tuple(make_scorer(form(kind)).late_probabilities(batch[:3]))
    inspection = Inspection({"python": "3.13.0"}, (0, 1), probabilities, serving_form=form(kind).to_bytes())
    writer = make_writer(S3Store(bucket, client), inspect=lambda *_: inspection)
    candidate = replace(make_candidate(), probe_records=tuple(batch[:3]), reasons=Reasons(CODES_VERSION, batch[0]))
    writer.assign("live", writer.publish(candidate).manifest.version)
    client.close()
    run = subprocess.run(
        [sys.executable, "-c", HANDLER, json.dumps(sys.path), "events/one-record.json", json.dumps(batch)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "MODEL_BUCKET": bucket, "AWS_ENDPOINT_URL_S3": local_bucket_url},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    one, explained, many = json.loads(run.stderr.splitlines()[-1])
    assert [answer[:2] for answer in (one, explained, many)] == [[200, "arrays"]] * 3
    assert not (UNUSED | {"numpy"}) & set(one[2])
    assert not UNUSED & set(many[2])
