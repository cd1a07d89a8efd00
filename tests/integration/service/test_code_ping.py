"""The nightly job on the local stack: its own client reaches the emulator's Lambda, and calls real versions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import boto3
import pytest

from deployed_template import deployed
from peerloan.running_stack import running_file
from peerloan.stack import Stack
from peerloan.workplace import DEFAULT_BUCKET, LOCAL_CREDENTIALS
from tests.integration.emulator.lambda_client import ONE_ATTEMPT, invoke, until, wait_for_version


def nightly_event(job: str) -> Any:
    """Return what the template's schedule sends for a job."""
    rules = [entry.properties for entry in deployed().values() if entry.type == "AWS::Events::Rule"]
    events = [json.loads(target["Input"]) for rule in rules for target in rule["Targets"] if "Input" in target]
    (event,) = [event for event in events if event["job"] == job]
    return event


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_versions_that_may_be_rolled_back_to_answer_and_a_broken_one_stops_none(tmp_path: Path) -> None:
    with Stack(tmp_path, DEFAULT_BUCKET, dict(os.environ)) as stack:
        stack.start_api(0, stack.start_bucket(0), lambda_port=0)
        url = json.loads(running_file(tmp_path).read_text())["lambda_url"]
        client = boto3.client("lambda", endpoint_url=url, config=ONE_ATTEMPT, **LOCAL_CREDENTIALS)
        for handler in ("no.handler", "predict_api.main.handler", "another.handler", "predict_api.main.handler"):
            client.update_function_configuration(FunctionName="PredictFunction", Handler=handler)
            client.get_waiter("function_updated_v2").wait(FunctionName="PredictFunction")
            newest = client.publish_version(FunctionName="PredictFunction")["Version"]
        wait_for_version(client, "PredictFunction", newest)
        found, answer = invoke(client, "OperateFunction", nightly_event("ping-code"))
        assert "FunctionError" not in answer, found
        # Version 1 serves, and is CloudFormation's; 2 is neither among the newest three nor an alias's.
        assert found["answered"] == {"5": "new", "3": "new", "1": "live"}
        assert list(found["failed"]) == ["4"]
        assert "another" in found["failed"]["4"]
        until(lambda: '"kind": "code_ping"' in stack.log_file("start-api").read_text())
