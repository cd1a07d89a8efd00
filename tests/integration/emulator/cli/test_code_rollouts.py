"""Code that is shifted to as CodeDeploy does it: real processes, and a hook that uses boto3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.integration.emulator.lambda_client import ONE_ATTEMPT, invoke, until

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Strategy: {Type: String, Default: Canary10Percent5Minutes}
Globals:
  Function: {Runtime: python3.13, Timeout: 20}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: app.handler
      AutoPublishAlias: live
      DeploymentPreference:
        Type: !Ref Strategy
        Alarms: [!Ref Errors]
        Hooks: {PreTraffic: !Ref Hook}
  Errors: {Type: AWS::CloudWatch::Alarm, Properties: {MetricName: Errors}}
  Hook:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hook
      Handler: hook.handler
      FunctionName: CodeDeployHook_F
      Environment: {Variables: {NEW_VERSION: !Ref F.Version}}
"""
CODE = """
def handler(event, context):
    failing = event.get("of") == context.function_version
    if failing and event.get("fail"):
        raise ValueError("as asked")
    status = event["status"] if failing and "status" in event else 200
    return {{"text": {text!r}, "version": context.function_version, "statusCode": status}}
"""
HOOK = """
import json, os, boto3

def handler(event, context):
    answer = boto3.client("lambda").invoke(FunctionName=os.environ["NEW_VERSION"], Payload=b"{}")
    text = json.loads(answer["Payload"].read())["text"]
    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Failed" if text == "refused" else "Succeeded",
    )
    return text
"""


class Bench:
    """A project, and the emulator that is started again and again on its state."""

    def __init__(self, folder: Path, start: Callable[..., Any]) -> None:
        self._folder = folder
        self._start = start
        for name in ("code", "hook"):
            (folder / name).mkdir()
        self.use_template(TEMPLATE)
        (folder / "hook/hook.py").write_text(HOOK)
        self.deploy("one")
        self.server.stop()

    def use_template(self, template: str) -> None:
        (self._folder / "template.yaml").write_text(template)

    def deploy(self, text: str, *options: str) -> None:
        """Start with code that answers this text."""
        self.start(CODE.format(text=text), *options)

    def start(self, code: str, *options: str) -> None:
        (self._folder / "code/app.py").write_text(code)
        self.server = self._start(
            "start-lambda", "-p", "0", "-t", str(self._folder / "template.yaml"),
            "--state-dir", str(self._folder / "state"), *options,
        )  # fmt: skip
        self.client = boto3.client("lambda", endpoint_url=self.server.url, config=ONE_ATTEMPT)

    def live(self) -> tuple[str, dict[str, float]]:
        alias = self.client.get_alias(FunctionName="F", Name="live")
        return alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})

    def ask(self, version: str, **event: Any) -> None:
        """Send events to the alias until the version has answered one; each may go to the other version first."""
        until(lambda: invoke(self.client, "F", event, Qualifier="live")[1]["ExecutedVersion"] == version)


@pytest.fixture
def bench(tmp_path: Path, start: Callable[..., Any]) -> Bench:
    return Bench(tmp_path, start)


@pytest.mark.fidelity("code-rollout")
def test_after_the_hook_a_tenth_goes_to_the_new_version_and_then_all(bench: Bench) -> None:
    bench.deploy("two")
    assert bench.live() == ("1", {"2": 0.1}), "the first start deploys at once, and this one in steps"
    bench.ask("2")
    # A rollout that is cut off goes on at the next start.
    bench.server.kill()
    bench.deploy("two", "--deployment-interval", "0.5")
    until(lambda: bench.live() == ("2", {}))


@pytest.mark.fidelity("code-rollout")
@pytest.mark.parametrize(
    ("event", "says"), [({"fail": True}, "a request to it failed: ValueError: as asked"), ({"status": 503}, "503")]
)
def test_a_version_whose_request_fails_loses_its_traffic(bench: Bench, event: dict[str, Any], says: str) -> None:
    bench.deploy("two")
    bench.ask("1", of="1", **event)
    assert bench.live() == ("1", {"2": 0.1}), "errors of the version before don't count"
    bench.ask("2", of="2", **event)
    until(lambda: bench.live() == ("1", {}))
    until(lambda: "F: version 2 is rolled back, so live stays at version 1" in bench.server.log)
    assert says in bench.server.log


@pytest.mark.fidelity("code-rollout")
def test_a_version_that_the_hook_refuses_gets_no_traffic(bench: Bench) -> None:
    bench.deploy("refused", "--parameter-overrides", "Strategy=AllAtOnce")
    assert bench.live() == ("1", {})
    assert 'its hook Hook has put Failed: "refused"' in bench.server.log
    bench.server.stop()
    bench.deploy("three", "--parameter-overrides", "Strategy=AllAtOnce")
    assert bench.live() == ("3", {})


@pytest.mark.fidelity("code-rollout")
def test_another_deployment_takes_the_weight_of_one_that_was_cut_off(bench: Bench) -> None:
    bench.deploy("two")
    bench.server.kill()
    bench.deploy("three")
    assert bench.live() == ("1", {"3": 0.1})


@pytest.mark.fidelity("code-rollout")
@pytest.mark.parametrize(
    ("code", "says"),
    [(CODE.format(text="one"), "F has changed since the last start"), ("import nothing_here", "can't be initialised")],
)
def test_a_deployment_that_was_cut_off_leaves_no_weight_behind(bench: Bench, code: str, says: str) -> None:
    bench.deploy("two")
    assert bench.live() == ("1", {"2": 0.1})
    bench.server.kill()
    bench.start(code)
    until(lambda: says in bench.server.log)
    assert bench.live() == ("1", {}), "neither the code before nor code that fails has the weight taken over"


@pytest.mark.fidelity("code-rollout")
def test_somebody_elses_change_of_the_alias_stops_a_rollout(bench: Bench) -> None:
    bench.deploy("two")
    own_weights = {"AdditionalVersionWeights": {"2": 0.5}}
    bench.client.update_alias(FunctionName="F", Name="live", RoutingConfig=own_weights)
    invoke(bench.client, "F", {"of": "2", "fail": True}, Qualifier="2")
    until(lambda: "somebody else has changed 'live' while it was shifted to version 2" in bench.server.log)
    assert bench.live() == ("1", {"2": 0.5})


def test_a_function_may_be_its_own_hook(bench: Bench) -> None:
    bench.use_template(TEMPLATE.replace("PreTraffic: !Ref Hook", "PreTraffic: !Ref F"))
    bench.deploy("two")
    until(lambda: "its hook F has put no status" in bench.server.log)
    assert bench.live() == ("1", {})


def test_an_alias_that_was_deleted_is_made_at_once(bench: Bench) -> None:
    bench.deploy("one")
    bench.client.delete_alias(FunctionName="F", Name="live")
    bench.server.stop()
    bench.deploy("two")
    until(lambda: "F has changed since the last start; it is deployed" in bench.server.log)
    assert bench.live() == ("2", {})


def test_code_deploy_refuses_what_no_hook_runs_for(bench: Bench) -> None:
    bench.deploy("one")
    client = boto3.client("codedeploy", endpoint_url=bench.server.url, config=ONE_ATTEMPT)
    with pytest.raises(client.exceptions.InvalidLifecycleEventHookExecutionIdException, match="No hook runs as"):
        client.put_lifecycle_event_hook_execution_status(
            deploymentId="d-1", lifecycleEventHookExecutionId="e", status="Failed"
        )
