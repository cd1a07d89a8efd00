"""The function as Lambda starts it: a fresh process, its settings in the environment, the bucket behind boto3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = """
import json, sys
NAMES = ("numpy", "pandas", "sklearn", "pydantic", "aws_xray_sdk")
from moto import mock_aws
with mock_aws():
    import boto3
    boto3.client("s3").create_bucket(Bucket="models")
    from predict_api import app
    assert "predict_api.main" not in sys.modules, "importing the wiring must not build"
    import awslambdaric.bootstrap
    handler = awslambdaric.bootstrap._get_handler("predict_api.main.handler")
    assert sys.modules["predict_api.main"].handler is handler
    import snapshot_restore_py
    print(json.dumps({
        "answer": handler(json.load(open("events/one-record.json")), None),
        "livez": handler(json.load(open("events/livez.json")), None),
        "imported": [name for name in NAMES if name in sys.modules],
        "hooks": len(snapshot_restore_py.get_before_snapshot()) + len(snapshot_restore_py.get_after_restore()),
    }), file=sys.stderr)
    for hook, arguments, named in snapshot_restore_py.get_after_restore():
        hook(*arguments, **named)
    assert handler(json.load(open("events/livez.json")), None)["statusCode"] == 200
"""


def run(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("layers/shared", "functions/predict")),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def started() -> Any:
    """What a function on an empty bucket answered and imported."""
    result = run(SCRIPT, MODEL_BUCKET="models")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stderr.splitlines()[-1])


def test_handler_is_built_when_main_is_imported(started: Any) -> None:
    assert started["livez"]["statusCode"] == 200


@pytest.mark.fault(16)
def test_fault_16_empty_bucket_is_a_503_and_no_crash(started: Any) -> None:
    assert started["answer"]["statusCode"] == 503
    assert started["answer"]["headers"]["Retry-After"] == "1"


def test_nothing_is_imported_that_no_request_needed(started: Any) -> None:
    # moto, which is only here in this test, imports pydantic by itself.
    assert set(started["imported"]) <= {"pydantic"}


def test_snapshot_hooks_are_registered(started: Any) -> None:
    assert started["hooks"] == 3


def test_traces_hold_no_answer_and_no_error() -> None:
    script = """
import json
from moto import mock_aws
with mock_aws():
    import boto3
    boto3.client("s3").create_bucket(Bucket="models")
    from aws_xray_sdk.core import xray_recorder
    sent = []
    xray_recorder.emitter.send_entity = lambda entity: sent.append(entity.serialize())
    from predict_api.main import handler
    assert handler(json.load(open("events/one-record.json")), None)["statusCode"] == 503
    assert any("## handler" in segment for segment in sent), sent
    assert not any("A-1001" in segment or "problem" in segment for segment in sent), sent
"""
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    result = run(
        script,
        MODEL_BUCKET="models",
        AWS_XRAY_DAEMON_ADDRESS="127.0.0.1:2000",
        LAMBDA_TASK_ROOT="/var/task",
        _X_AMZN_TRACE_ID=trace,
    )
    assert result.returncode == 0, result.stderr


POWERTOOLS_BOOLEANS = (
    *("POWERTOOLS_TRACE_DISABLED", "POWERTOOLS_METRICS_DISABLED", "POWERTOOLS_DEV", "POWERTOOLS_DEBUG"),
    *("POWERTOOLS_TRACER_CAPTURE_RESPONSE", "POWERTOOLS_TRACER_CAPTURE_ERROR", "POWERTOOLS_TRACE_MIDDLEWARES"),
    *("POWERTOOLS_LOGGER_LOG_EVENT", "POWERTOOLS_LOG_DEDUPLICATION_DISABLED", "POWERTOOLS_LOGGER_SAMPLE_RATE"),
)
TRACED = {"AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000", "LAMBDA_TASK_ROOT": "/var/task"}


def test_an_empty_variable_of_powertools_is_an_absent_one() -> None:
    script = """
import json
from moto import mock_aws
with mock_aws():
    import boto3
    boto3.client("s3").create_bucket(Bucket="models")
    from predict_api.main import handler
    assert handler(json.load(open("events/livez.json")), None)["statusCode"] == 200
"""
    result = run(script, MODEL_BUCKET="models", **TRACED, **dict.fromkeys(POWERTOOLS_BOOLEANS, ""))
    assert result.returncode == 0, result.stderr


def test_a_restored_environment_warns_of_no_trace() -> None:
    result = run(SCRIPT, MODEL_BUCKET="models", **TRACED)
    assert result.returncode == 0, result.stderr
    assert "discarded" not in result.stdout + result.stderr


def test_missing_bucket_name_fails_the_start_and_names_the_variable() -> None:
    result = run("from predict_api.main import handler")
    assert result.returncode != 0
    assert "MODEL_BUCKET" in result.stderr
