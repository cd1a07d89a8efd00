"""The roles of ``template.yaml`` grant what the functions call, and nothing else: a recorded run says so.

The functions' own code runs, with clients of botocore: of S3 on the local bucket, of Lambda and CodeDeploy with
answers that the test gives. What others do on behalf of a role, no run can show; `NOT_CALLED` gives the reason.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.session import Session

from deployed_template import deployed, plain, variables
from emulator.template.resolve import Resource
from logged_loans import LoggedLoans
from model_registry.names import rollout_key
from model_registry.stores.s3 import S3Store, make_s3_client
from model_rollout.guard_settings import default_settings
from operate.app import build, build_check, build_look, build_ping
from operate.settings import CheckSettings, LookSettings, PingSettings, Settings
from registry_kit import make_writer, publish_two
from rollout_kit import at, make_rollout
from score_files.app import build as build_files
from score_files.errors import NotFinishedError
from score_files.settings import Settings as FilesSettings
from tests.contract.predict_api.api_kit import RECORD, TTL_S, Context, Function, Registry, inspect_and_compile
from tests.contract.predict_api.loans_kit import pickled
from tests.contract.score_files.files_kit import Bucket, loans
from tests.contract.score_files.files_kit import Context as FilesContext

_numbers = itertools.count(1)
# IAM's name of what permits an operation, where it isn't the operation's own.
_PERMITTED_BY = {
    "ListObjectsV2": "ListBucket",
    "ListObjects": "ListBucket",
    "HeadObject": "GetObject",
    "Invoke": "InvokeFunction",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}
_LOGS = "Lambda writes what the function prints, outside of its code"
_KMS = "S3 decrypts and encrypts objects under the caller's rights, with KmsKeyArn only"
_FIREHOSE = 'Firehose does it; its developer guide, "Grant Firehose access to an Amazon S3 destination", lists it'
# Grants that no run of a function can show, by role and action, each with its reason.
NOT_CALLED: dict[str, dict[str, str]] = {
    "PredictRole": {
        "logs:CreateLogStream": _LOGS,
        "logs:PutLogEvents": _LOGS,
        "xray:PutTraceSegments": "Lambda's own segments, and Powertools' through the X-Ray daemon beside the function",
        "xray:PutTelemetryRecords": "The X-Ray daemon beside the function reports on itself",
        "kms:Decrypt": _KMS,
    },
    "OperateRole": {
        "logs:CreateLogStream": _LOGS,
        "logs:PutLogEvents": _LOGS,
        "kms:Decrypt": _KMS,
        "kms:GenerateDataKey": _KMS,
    },
    "CheckRole": {"logs:CreateLogStream": _LOGS, "logs:PutLogEvents": _LOGS, "kms:Decrypt": _KMS},
    "ScoreFilesRole": {
        "logs:CreateLogStream": _LOGS,
        "logs:PutLogEvents": _LOGS,
        "kms:Decrypt": _KMS,
        "kms:GenerateDataKey": _KMS,
        "sqs:SendMessage": "Lambda sends the events that failed to the on-failure destination",
    },
    "LogSubscriptionRole": dict.fromkeys(
        ("firehose:PutRecord", "firehose:PutRecordBatch"), "CloudWatch Logs hands each batch of log events to Firehose"
    ),
    "LogDeliveryRole": dict.fromkeys(
        (
            "s3:AbortMultipartUpload",
            "s3:GetBucketLocation",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
            "s3:PutObject",
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "logs:PutLogEvents",
        ),
        _FIREHOSE,
    ),
}
# The roles that functions of ours have.
OF_FUNCTIONS = ("PredictRole", "OperateRole", "CheckRole", "ScoreFilesRole")
# What SAM makes for CodeDeploy has a policy of AWS's own.
MANAGED = {"CodeDeployServiceRole"}


class Call(NamedTuple):
    """What a service asks of IAM: an action on a resource."""

    action: str
    resource: str


class Raw(io.BytesIO):
    """The body of an answer, as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


class Recorder:
    """Makes clients that note their calls."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.calls: set[Call] = set()

    def store(self, bucket: str) -> S3Store:
        """Return a bucket whose calls are noted."""
        return S3Store(bucket, self.s3(bucket))

    def s3(self, bucket: str) -> Any:
        """Return a client of S3 for one bucket."""
        client = make_s3_client(self._url, region="us-east-1")
        client.meta.events.register("before-parameter-build.s3", self._note)
        client.meta.events.register("after-call.s3.GetObject", self._note_missing(bucket))
        return client

    def client(self, service: str, resource: str, answer: Callable[[str, bytes], Any]) -> Any:
        """Return a client of another service.

        ``resource`` is what a call is about that names no function. ``answer`` gets the operation's name and the
        request's body; it returns the body of the answer.
        """

        def note(params: Mapping[str, Any], model: Any, **_: Any) -> None:
            action = f"{service}:{_PERMITTED_BY.get(model.name, model.name)}"
            self.calls.add(Call(action, params.get("FunctionName", resource)))

        def send(request: AWSRequest, event_name: str, **_: Any) -> AWSResponse:
            body = json.dumps(answer(event_name.rpartition(".")[2], request.body or b"")).encode()
            return AWSResponse(request.url, 200, {}, Raw(body))

        client = Session().create_client(
            service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        client.meta.events.register(f"before-parameter-build.{service}", note)
        client.meta.events.register(f"before-send.{service}", send)
        return client

    def _note(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        bucket = f"arn:aws:s3:::{params['Bucket']}"
        action = f"s3:{_PERMITTED_BY.get(model.name, model.name)}"
        self.calls.add(Call(action, f"{bucket}/{params['Key']}" if "Key" in params else bucket))

    def _note_missing(self, bucket: str) -> Any:
        def note(http_response: Any, **_: Any) -> None:
            # S3 says that a key is missing only to somebody who might have listed it; to others it answers 403.
            if http_response.status_code == 404:
                self.calls.add(Call("s3:ListBucket", f"arn:aws:s3:::{bucket}"))

        return note


def grants(resources: Mapping[str, Resource], role: str) -> Iterator[Call]:
    """Return what a role allows, one action and one pattern of resources at a time."""
    apart = [entry.properties for entry in resources.values() if entry.type == "AWS::IAM::RolePolicy"]
    apart = [policy for policy in apart if policy["RoleName"].logical_id == role]
    for policy in (*resources[role].properties.get("Policies", ()), *apart):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert "Condition" not in statement, "this test reads none"
            actions, resources = statement["Action"], statement["Resource"]
            for action in [actions] if isinstance(actions, str) else actions:
                for resource in resources if isinstance(resources, list) else [resources]:
                    yield Call(action, plain(resource))


def allows(grant: Call, call: Call) -> bool:
    return grant.action == call.action and fnmatchcase(call.resource, grant.resource)


def assert_grants_are_calls(resources: Mapping[str, Resource], role: str, calls: set[Call]) -> None:
    granted = list(grants(resources, role))
    assert [call for call in calls if not any(allows(grant, call) for grant in granted)] == []
    shown = [grant for grant in granted if grant.action not in NOT_CALLED[role]]
    assert [grant for grant in shown if not any(allows(grant, call) for call in calls)] == []


class Stack(NamedTuple):
    """A stack's resources, and its buckets, which are empty and whose calls nobody notes."""

    resources: Mapping[str, Resource]
    models: S3Store
    log: S3Store


@pytest.fixture
def stack(local_bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    client = make_s3_client(local_bucket_url, region="us-east-1")
    names = [f"permissions-{os.getpid()}-{next(_numbers)}" for _ in range(2)]
    for name in names:
        client.create_bucket(Bucket=name)
    resources = deployed(ModelBucketName=names[0], LogBucketName=names[1])
    yield Stack(resources, *(S3Store(name, client) for name in names))
    client.close()


def test_the_predicting_role_grants_what_the_function_calls(stack: Stack, local_bucket_url: str) -> None:
    recorder = Recorder(local_bucket_url)
    writer = Registry(stack.models)
    # Without an alias, then with one, then with a canary and a shadow, then with a version that doesn't exist.
    function = Function(Registry(recorder.store(stack.models.bucket)))
    assert function.post(RECORD).status == 503
    first, second = writer.publish(pickled()), writer.publish(pickled(seed=2))
    writer.writer.assign("live", first)
    function.clock.advance(TTL_S)
    assert function.post(RECORD).status == 200
    writer.writer.assign("live", second)
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == second
    alias = json.loads(writer.get("aliases/live.json"))
    writer.put("aliases/live.json", json.dumps({**alias, "version": 99, "revision": 3, "rollout": "live-3"}).encode())
    function.clock.advance(TTL_S)
    assert function.post(RECORD).version == second
    assert_grants_are_calls(stack.resources, "PredictRole", recorder.calls)


def test_the_rollouts_role_grants_what_the_function_calls(stack: Stack, local_bucket_url: str) -> None:
    recorder = Recorder(local_bucket_url)
    models, log = stack.models, stack.log
    seconds = 0

    def now() -> datetime:
        return at(seconds)

    publish_two(models)
    replace(make_writer(models), clock=now).assign("live", 1)
    rollout = make_rollout(guards=default_settings().to_document())
    models.put(rollout_key("late-payer", "live"), rollout.to_json())
    ids = iter(range(1000))
    function = build(
        Settings.from_environ(variables(stack.resources, "OperateFunction")),
        recorder.store(models.bucket),
        recorder.store(log.bucket),
        clock=now,
        new_id=lambda: f"write-{next(ids)}",
        write=lambda line: None,
    )
    function({}, None)
    log.put("log/dt=2026-03-01/lines-2026-03-01-12-00-30-1.jsonl.gz", gzip.compress(b"another kind of line\n"))
    seconds = 45
    function({}, None)
    # The plan's time is over without any data, so it holds.
    seconds = 1000
    assert function({}, None) == {"rollouts": {"live": "held"}}
    ping_versions(stack.resources, recorder)
    look_at_the_model(stack, recorder)
    assert_grants_are_calls(stack.resources, "OperateRole", recorder.calls)


def look_at_the_model(stack: Stack, recorder: Recorder) -> None:
    """Run the monitor's nightly job on a loan of half a year ago whose outcome is known; then once more."""
    loans = LoggedLoans(stack.models, stack.log)
    loans.score((at(0) - timedelta(days=180)).date(), loans=1)
    loans.import_outcomes(at(0).date())
    job = build_look(
        LookSettings.from_environ(variables(stack.resources, "OperateFunction")),
        recorder.store(stack.models.bucket),
        recorder.store(stack.log.bucket),
        clock=lambda: at(0),
        write=lambda line: None,
    )
    for _ in range(2):
        assert job({}, None)["verdict"]["kind"] == "not enough data"
    written = {call.resource.partition("/monitor/")[2].partition("/")[0] for call in recorder.calls}
    assert written >= {"days", "vintages", "reports"}


def ping_versions(resources: Mapping[str, Resource], recorder: Recorder) -> None:
    """Run the nightly job on one version, which answers."""
    answers = {
        "ListVersionsByFunction": {"Versions": [{"Version": "$LATEST"}, {"Version": "1"}]},
        "ListAliases": {"Aliases": [{"Name": "live", "FunctionVersion": "1"}]},
        "Invoke": {"statusCode": 200, "body": "{}"},
    }
    ping = build_ping(
        PingSettings.from_environ(variables(resources, "OperateFunction")),
        recorder.client("lambda", "", lambda operation, _: answers[operation]),
        clock=lambda: at(0),
        write=lambda line: None,
        sleep=lambda _: None,
    )
    found = ping({}, Context("ping", 300_000))
    assert (list(found["answered"]), found["failed"]) == (["1"], {})


def test_the_checks_role_grants_what_the_function_calls(stack: Stack, local_bucket_url: str) -> None:
    recorder = Recorder(local_bucket_url)
    registry = Registry(stack.models, inspector=inspect_and_compile)
    function = Function(registry)
    answered: list[str] = []

    def answer(operation: str, body: bytes) -> Any:
        answered.append(operation)
        if operation != "Invoke":
            return {}
        return json.loads(json.dumps(function.handler(json.loads(body), Context("check", 29_000))))

    group = "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:ServerlessDeploymentApplication/group"
    lines: list[str] = []
    check = build_check(
        CheckSettings.from_environ(variables(stack.resources, "CheckFunction")),
        recorder.store(stack.models.bucket),
        recorder.client("lambda", "", answer),
        recorder.client("codedeploy", group, answer),
        write=lines.append,
        sleep=lambda _: None,
    )
    event = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}
    # Before any model neither version is ready, and the serving one is asked, too.
    assert check(event, None)["status"] == "Succeeded"
    registry.writer.assign("live", registry.publish(pickled()))
    function.clock.advance(TTL_S)
    assert check(event, None)["status"] == "Succeeded", lines
    # A function that has its model doesn't miss an alias that was lost; the check says what is missing.
    stack.models.delete("late-payer/aliases/live.json")
    found = check(event, None)
    assert (found["status"], "NotFound" in found["reason"]) == ("Failed", True), found
    assert "PutLifecycleEventHookExecutionStatus" in answered
    assert_grants_are_calls(stack.resources, "CheckRole", recorder.calls)


def test_the_files_role_grants_what_the_function_calls(stack: Stack, local_bucket_url: str) -> None:
    recorder = Recorder(local_bucket_url)
    files = Bucket(local_bucket_url)
    registry = Registry(stack.models, inspector=inspect_and_compile)
    registry.writer.assign("live", registry.publish(pickled()))
    resources = deployed(ModelBucketName=stack.models.bucket, BatchBucketName=files.name, BatchScoring="on")
    client = recorder.s3(files.name)
    function = build_files(
        FilesSettings.from_environ(variables(resources, "ScoreFilesFunction")),
        recorder.store(stack.models.bucket),
        client,
        lambda name: S3Store(name, client),
        clock=lambda: 0.0,
        write=lambda line: None,
    )
    # An upload (its first part is full after 113 of 118 steps) that another file of the name drops; rejects, and none.
    with pytest.raises(NotFinishedError):
        function(files.drop(loans(42_000)), FilesContext(looks=114))
    for content in (loans(10, bad_every=5), loans(10)):
        assert list(function(files.drop(content), FilesContext()).values()) == ["scored"]
    stack.models.delete("late-payer/aliases/live.json")
    assert list(function(files.drop(loans(10)), FilesContext()).values()) == ["refused"]
    assert_grants_are_calls(resources, "ScoreFilesRole", recorder.calls)


def test_each_grant_that_no_run_shows_has_a_reason() -> None:
    resources = deployed(KmsKeyArn="arn:aws:kms:eu-central-1:123456789012:key/0f1e", BatchScoring="on")
    roles = {name: resource for name, resource in resources.items() if resource.type == "AWS::IAM::Role"}
    assert set(roles) == {*NOT_CALLED, *MANAGED}
    for name, reasons in NOT_CALLED.items():
        granted = {grant.action for grant in grants(resources, name)}
        assert reasons.keys() <= granted, "a reason without a grant"
        # A role that no function of ours has is all reasons.
        called = {"s3", "lambda", "codedeploy"} if name in OF_FUNCTIONS else set()
        assert {action for action in granted - reasons.keys() if action.partition(":")[0] not in called} == set()
        assert "ManagedPolicyArns" not in roles[name].properties
    for name in MANAGED:
        assert list(grants(resources, name)) == []
