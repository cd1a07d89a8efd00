"""What ``template.yaml`` promises: routes, permissions, limits, privacy. ``sam validate --lint`` checks its grammar."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deployed_template import alarms, deployed, plain, watched_metrics
from emulator.template.resolve import Resource
from model_registry import names
from model_registry.errors import InvalidNameError
from model_watch.loan_hash import LoanHasher
from operate.jobs import MONITOR, PING_CODE
from peerloan.deployment.shipping import PACKAGE_PREFIX
from score_files.arrivals import INCOMING
from score_files.file_scoring import MAX_RUNS

BUCKETS = ("ModelBucket", "LogBucket", "BatchBucket")
# Their names are unique within the function or the API that they belong to.
OWNED = {"AWS::Lambda::Alias", "AWS::Lambda::Version", "AWS::ApiGatewayV2::Authorizer"}


@pytest.fixture
def resources(template: dict[str, Any]) -> dict[str, Any]:
    return {name: resource["Properties"] for name, resource in template["Resources"].items()}


def test_every_route_reaches_the_function_and_the_rest_falls_to_it_too(resources: dict[str, Any]) -> None:
    routes = [resource for name, resource in resources.items() if name.endswith("Route")]
    assert {route["RouteKey"] for route in routes} == {"POST /predict", "GET /livez", "$default"}
    assert all(route["Target"] == {"Fn::Sub": "integrations/${PredictIntegration}"} for route in routes)
    assert "${PredictFunction.Arn}:live/" in resources["PredictIntegration"]["IntegrationUri"]["Fn::Sub"]
    assert resources["PredictPermission"]["FunctionName"] == {"Ref": "PredictFunction.Alias"}


def test_the_function_is_a_snapshot_behind_an_alias_on_one_thread(resources: dict[str, Any]) -> None:
    function = resources["PredictFunction"]
    assert function["Runtime"] == "python3.13"
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert function["AutoPublishAlias"] == "live"
    assert function["Environment"]["Variables"]["OMP_NUM_THREADS"] == "1"


def test_the_function_gives_up_before_api_gateway_does(resources: dict[str, Any]) -> None:
    assert resources["PredictFunction"]["Timeout"] <= 29


def test_the_function_may_read_its_model_and_write_its_log_and_nothing_else(resources: dict[str, Any]) -> None:
    role = resources["PredictRole"]
    assert "ManagedPolicyArns" not in role
    assert "Policies" not in resources["PredictFunction"]
    statements = _statements(role)
    allowed = {
        action: statement["Resource"]
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    everything = allowed.pop("xray:PutTraceSegments"), allowed.pop("xray:PutTelemetryRecords")
    assert everything == ("*", "*")
    assert allowed == {
        "s3:GetObject": {"Fn::Sub": "${ModelBucket.Arn}/${ModelName}/*"},
        "s3:ListBucket": {"Fn::GetAtt": ["ModelBucket", "Arn"]},
        "logs:CreateLogStream": {"Fn::GetAtt": ["PredictLogGroup", "Arn"]},
        "logs:PutLogEvents": {"Fn::GetAtt": ["PredictLogGroup", "Arn"]},
    }
    assert {statement["Effect"] for statement in statements} == {"Allow"}


def test_the_bucket_is_versioned_encrypted_private_and_outlives_the_stack(template: dict[str, Any]) -> None:
    bucket = template["Resources"]["ModelBucket"]
    properties = bucket["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4


def test_buckets_outlive_their_stack_but_not_a_first_deployment_that_failed(template: dict[str, Any]) -> None:
    for name in (f"{bucket}{kind}" for bucket in BUCKETS for kind in ("", "Policy")):
        resource = template["Resources"][name]
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resource["UpdateReplacePolicy"] == "Retain"


def encryption(resources: Mapping[str, Resource]) -> dict[str, Any]:
    """Return the keys that encrypt what a stack keeps, by place; None for keys that AWS owns."""
    keys: dict[str, Any] = {}
    for name, resource in resources.items():
        stated = resource.properties
        if resource.type == "AWS::S3::Bucket":
            (rule,) = stated["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            default = rule["ServerSideEncryptionByDefault"]
            keys[name] = default.get("KMSMasterKeyID")
            assert default["SSEAlgorithm"] == ("aws:kms" if keys[name] else "AES256")
            assert rule["BucketKeyEnabled"] is bool(keys[name])
        elif resource.type == "AWS::Logs::LogGroup":
            keys[name] = stated.get("KmsKeyId")
        elif resource.type == "AWS::Lambda::Function":
            keys[name] = stated.get("KmsKeyArn")
        elif resource.type == "AWS::KinesisFirehose::DeliveryStream":
            given = stated["DeliveryStreamEncryptionConfigurationInput"]
            keys[name] = given.get("KeyARN")
            assert given["KeyType"] == ("CUSTOMER_MANAGED_CMK" if keys[name] else "AWS_OWNED_CMK")
    return keys


def test_a_key_of_ones_own_encrypts_all_that_is_kept_and_only_then_may_roles_use_one() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/0f1e"
    without, having = deployed(BatchScoring="on"), deployed(BatchScoring="on", KmsKeyArn=key)
    assert len(encryption(without)) == 12
    assert set(encryption(without).values()) == {None}
    assert set(encryption(having).values()) == {key}
    roles = {name for name, role in having.items() if role.type == "AWS::IAM::Role" and key in str(role.properties)}
    assert roles == {"PredictRole", "OperateRole", "CheckRole", "LogDeliveryRole", "ScoreFilesRole"}
    assert "kms:" not in str([role.properties for role in without.values() if role.type == "AWS::IAM::Role"])


def test_concurrency_is_set_aside_only_where_it_is_asked_for() -> None:
    for given, stated in (("-1", None), ("1", "1"), ("20", "20")):
        function = deployed(ReservedConcurrency=given)["PredictFunction"]
        assert function.properties.get("ReservedConcurrentExecutions") == stated


def test_a_deployment_cannot_stop_the_function_that_its_own_check_calls(template: dict[str, Any]) -> None:
    # The check would be throttled, and CloudFormation would take the stop back.
    (assertion,) = template["Rules"]["DeploymentStopsNothing"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ReservedConcurrency"}, "0"]}]}
    assert "put-function-concurrency" in assertion["AssertDescription"]


def test_two_stacks_of_a_region_share_no_name() -> None:
    """What has a name of its own has the stack's in it, so that a deletion in one stack spares the other."""
    named = {
        name: plain(entry.properties[key])
        for name, entry in deployed().items()
        for key in ("FunctionName", "LayerName", "LogGroupName", "DashboardName", "Name")
        if isinstance(entry.properties.get(key), str) and entry.type not in OWNED
    }
    assert {"CheckFunction", "PredictLogGroup", "Dashboard", "PredictApi"} < set(named)
    assert any(name.startswith("SharedLayer") for name in named)
    assert [name for name, stated in named.items() if "local" not in stated] == []


def test_the_names_that_samconfig_gives_stacks_fit_the_longest_name_that_is_made_of_them(root: Path) -> None:
    config = tomllib.loads((root / "samconfig.toml").read_text())
    stacks = [config[name]["deploy"]["parameters"]["stack_name"] for name in ("default", "prod", "image")]
    assert max(len(f"CodeDeployHook_{stack}") for stack in stacks) <= 64


def test_production_is_neither_open_to_everybody_nor_silent(template: dict[str, Any]) -> None:
    rule = template["Rules"]["ProductionIsClosedAndWatched"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
    refused = [assertion["Assert"]["Fn::Not"][0]["Fn::Equals"] for assertion in rule["Assertions"]]
    assert refused == [[{"Ref": "AuthMode"}, "open"], [{"Ref": "AlarmTopicArn"}, ""]]
    # What to give is in the message that CloudFormation shows.
    assert [assertion["AssertDescription"].count("=prod") for assertion in rule["Assertions"]] == [1, 1]


def test_each_exception_from_a_check_has_its_reason(template: dict[str, Any]) -> None:
    for resource in template["Resources"].values():
        for exception in resource.get("Metadata", {}).get("checkov", {}).get("skip", ()):
            assert re.fullmatch(r"CKV_AWS_\d+", exception["id"])
            assert exception["comment"].endswith(".")


def test_the_bucket_refuses_what_is_not_encrypted_on_the_way(resources: dict[str, Any]) -> None:
    (statement,) = resources["ModelBucketPolicy"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == "*"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_log_group_forgets(template: dict[str, Any]) -> None:
    groups = [entry for entry in template["Resources"].values() if entry["Type"] == "AWS::Logs::LogGroup"]
    assert len(groups) == 4
    assert all(group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups)


def test_the_access_log_holds_nothing_of_a_request_but_its_route_and_who_sent_it(resources: dict[str, Any]) -> None:
    written = resources["ApiStage"]["AccessLogSettings"]["Format"]
    json.loads(written)
    variables = set(re.findall(r"\$context\.([\w.]+)", written))
    callers = {"identity.userArn", "authorizer.claims.sub"}
    assert callers < variables
    others = variables - callers
    assert not [name for name in others if re.search("body|query|header|user|authorizer", name, re.IGNORECASE)]


def test_the_api_throttles(resources: dict[str, Any]) -> None:
    settings = resources["ApiStage"]["DefaultRouteSettings"]
    assert settings["ThrottlingRateLimit"] == {"Ref": "ThrottlingRateLimit"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "ThrottlingBurstLimit"}


def test_the_alarms_on_awss_services_look_for_metrics_that_these_emit() -> None:
    """The services' metrics, by the sets of dimensions that their user guides list."""
    emitted = {
        "AWS/Lambda": [{"FunctionName"}, {"FunctionName", "Resource"}, {"FunctionName", "Resource", "ExecutedVersion"}],
        "AWS/ApiGateway": [{"ApiId"}, {"ApiId", "Stage"}],
        "AWS/Firehose": [{"DeliveryStreamName"}],
        "AWS/SQS": [{"QueueName"}],
    }
    watched = [metric for alarm in alarms(deployed(BatchScoring="on")).values() for metric in watched_metrics(alarm)]
    theirs = [metric for metric in watched if metric.namespace in emitted]
    assert {(metric.namespace, metric.name) for metric in theirs} == {
        *(("AWS/Lambda", name) for name in ("Errors", "Throttles", "Invocations")),
        *(("AWS/ApiGateway", name) for name in ("5xx", "Count", "Latency")),
        ("AWS/Firehose", "DeliveryToS3.DataFreshness"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    }
    for metric in theirs:
        assert {name for name, _ in metric.dimensions} in emitted[metric.namespace]
    by_version = dict(next(watched_metrics(alarms(deployed())["VersionErrorsAlarm"])).dimensions)
    assert by_version == {"FunctionName": "PredictFunction", "Resource": "PredictFunction:live", "ExecutedVersion": "1"}


# What is called each minute or night always has data, and a night without a look takes no verdict back.
WITHOUT_DATA = {"OperateErrorsAlarm": "breaching", "MonitorMissingAlarm": "breaching", "MonitorVerdictAlarm": "ignore"}


def test_every_alarm_notifies_whoever_is_named_but_the_one_that_watches_a_rollout_of_code() -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:alarms"
    for name, alarm in alarms(deployed(AlarmTopicArn=topic, BatchScoring="on")).items():
        notified = [] if name == "VersionErrorsAlarm" else [topic]
        assert alarm.get("AlarmActions", []) == alarm.get("OKActions", []) == notified, name
        assert alarm["TreatMissingData"] == WITHOUT_DATA.get(name, "notBreaching"), name


def test_rollouts_that_are_not_driven_ring_also_where_the_function_is_not_called() -> None:
    alarm = alarms(deployed())["OperateErrorsAlarm"]
    done, *stated = alarm["Metrics"]
    assert [(query["Id"], query["MetricStat"]["Metric"]["MetricName"]) for query in stated] == [
        ("invocations", "Invocations"), ("errors", "Errors"),
    ]  # fmt: skip
    # Without calls there is no value, which counts as too few.
    assert done["Expression"] == "invocations - FILL(errors, 0)"
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["TreatMissingData"]) == (
        "LessThanThreshold", 1, "breaching",
    )  # fmt: skip


def test_the_5xx_alarm_takes_a_share_and_three_failures(resources: dict[str, Any]) -> None:
    share, failed, requests = resources["ServerErrorsAlarm"]["Metrics"]
    assert share["Expression"] == "IF(failed >= 3, failed / requests, 0)"
    assert [query["Id"] for query in (failed, requests) if query["ReturnData"] is False] == ["failed", "requests"]
    names = [query["MetricStat"]["Metric"]["MetricName"] for query in (failed, requests)]
    assert names == ["5xx", "Count"]


def test_the_alarms_fit_the_ttl_and_the_back_off(
    root: Path, template: dict[str, Any], resources: dict[str, Any]
) -> None:
    """An alias that is read once in a TTL is not stale, and a version that is tried every five minutes is still bad."""
    longest_ttl_s = template["Parameters"]["AliasTtlSeconds"]["MaxValue"]
    assert 2 * longest_ttl_s <= resources["AliasStalenessAlarm"]["Threshold"]
    assert resources["ModelLoadFailuresAlarm"]["Period"] >= 2 * 300
    assert "\n_REFUSAL_CAP_S = 300.0\n" in (root / "functions/predict/predict_api/app.py").read_text()


@pytest.mark.parametrize(
    ("parameter", "check", "candidates"),
    [
        (
            "ModelName",
            names.check_model_name,
            ("late-payer", "a", "x9", "-a", "a-", "A", "", "a_b", "a" * 63, "a" * 64),
        ),
        (
            "ModelAlias",
            names.check_alias_name,
            (
                *("live", "canary_2", "Live", "7", "7a", "", "a b", "x" * 128, "x" * 129),
                *("latest", "LATEST", "Latest", "latest-2", "latest_", "v1", "V12", "v", "v1a", "v1-x", "lates"),
            ),
        ),
    ],
)
def test_a_parameter_allows_the_names_that_the_registry_allows(
    template: dict[str, Any], parameter: str, check: Any, candidates: tuple[str, ...]
) -> None:
    pattern = template["Parameters"][parameter]["AllowedPattern"]
    for candidate in candidates:
        try:
            check(candidate)
            is_allowed = True
        except InvalidNameError:
            is_allowed = False
        assert bool(re.fullmatch(pattern, candidate)) == is_allowed, candidate


def test_every_parameter_has_a_default_and_says_what_it_is(template: dict[str, Any]) -> None:
    for name, parameter in template["Parameters"].items():
        assert "Default" in parameter, name
        assert parameter["Description"], name
    grouped = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in grouped for name in group["Parameters"]) == sorted(template["Parameters"])


def test_sam_local_sets_only_variables_that_the_template_declares(root: Path, resources: dict[str, Any]) -> None:
    """SAM CLI ignores any other without a word."""
    environment = json.loads((root / "env-setup/sam-local-env.json").read_text())
    assert set(environment) == {"PredictFunction"}
    declared = resources["PredictFunction"]["Environment"]["Variables"]
    assert set(environment["PredictFunction"]) <= set(declared)


def test_the_key_of_loan_ids_is_shown_nowhere_and_of_the_form_that_the_function_takes(
    template: dict[str, Any], resources: dict[str, Any]
) -> None:
    parameter = template["Parameters"]["LoanHashKey"]
    assert parameter["NoEcho"] is True
    assert resources["PredictFunction"]["Environment"]["Variables"]["LOAN_HASH_KEY"] == {"Ref": "LoanHashKey"}
    for key in ("k" * 31, "k" * 32, "k" * 64, "k" * 65, "+/=-_" * 7, "k k" * 12, ""):
        try:
            LoanHasher(key)
            is_taken = True
        except ValueError:
            # An empty one stands for none.
            is_taken = not key
        assert bool(re.fullmatch(parameter["AllowedPattern"], key)) == is_taken, key


def test_samconfig_names_files_and_parameters_that_exist(root: Path, template: dict[str, Any]) -> None:
    config = tomllib.loads((root / "samconfig.toml").read_text())
    default = config["default"]
    for command in ("local_start_api", "local_invoke", "local_start_lambda"):
        assert (root / default[command]["parameters"]["env_vars"]).is_file()
        assert default[command]["parameters"]["add_host"] == ["host.docker.internal:host-gateway"]
    for stage in ("default", "prod"):
        overrides = config[stage]["deploy"]["parameters"]["parameter_overrides"].split()
        assert {override.split("=")[0] for override in overrides} <= set(template["Parameters"])


def _statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a role's statements, without those that need a key of one's own."""
    statements = [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]
    return [statement for statement in statements if "Fn::If" not in statement]


def test_the_prediction_log_goes_to_a_bucket_of_its_own(resources: dict[str, Any]) -> None:
    subscription = resources["LogSubscription"]
    assert subscription["LogGroupName"] == resources["PredictFunction"]["LoggingConfig"]["LogGroup"]
    assert subscription["DestinationArn"] == {"Fn::GetAtt": ["LogDelivery", "Arn"]}
    destination = resources["LogDelivery"]["ExtendedS3DestinationConfiguration"]
    assert destination["BucketARN"] == {"Fn::GetAtt": ["LogBucket", "Arn"]}
    # Readers look under these prefixes.
    assert destination["Prefix"] == "log/dt=!{timestamp:yyyy-MM-dd}/"
    assert destination["ErrorOutputPrefix"].startswith("log-errors/!{firehose:error-output-type}/")
    kinds = [processor["Type"] for processor in destination["ProcessingConfiguration"]["Processors"]]
    assert kinds == ["Decompression", "CloudWatchLogProcessing", "AppendDelimiterToRecord"]


def test_crashes_and_timeouts_are_in_the_log(resources: dict[str, Any]) -> None:
    logging = resources["PredictFunction"]["LoggingConfig"]
    # WARN would leave out Lambda's report lines, and text has no fields to filter by.
    assert (logging["LogFormat"], logging["SystemLogLevel"]) == ("JSON", "INFO")


def test_only_the_log_delivery_may_write_the_log_and_only_there(resources: dict[str, Any]) -> None:
    (put,) = _statements(resources["LogSubscriptionRole"])
    assert put["Resource"] == {"Fn::GetAtt": ["LogDelivery", "Arn"]}
    targets = [statement["Resource"] for statement in _statements(resources["LogDeliveryRole"])]
    assert {"Fn::Sub": "${LogBucket.Arn}/log*"} in targets
    assert "*" not in targets
    assert "LogBucket" not in json.dumps(resources["PredictRole"])


def test_the_buckets_are_private_encrypted_and_tidy(resources: dict[str, Any]) -> None:
    for name in BUCKETS:
        bucket = resources[name]
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]
        rules = bucket["LifecycleConfiguration"]["Rules"]
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
        (statement,) = resources[f"{name}Policy"]["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    replaced = [
        rule["Prefix"]
        for rule in resources["ModelBucket"]["LifecycleConfiguration"]["Rules"]
        if "NoncurrentVersionExpiration" in rule
    ]
    # No earlier version of a model or of an alias goes.
    kinds = ("rollouts", "monitor", "outcomes")
    assert replaced == [*({"Fn::Sub": f"${{ModelName}}/{kind}/"} for kind in kinds), PACKAGE_PREFIX]
    assert {"Ref": "LogBucketDays"} in [
        rule.get("ExpirationInDays") for rule in resources["LogBucket"]["LifecycleConfiguration"]["Rules"]
    ]


def test_packages_of_code_are_dropped_and_lie_where_no_model_can(template: dict[str, Any]) -> None:
    rules = template["Resources"]["ModelBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    (expiring,) = [rule for rule in rules if "ExpirationInDays" in rule]
    assert expiring["Prefix"] == PACKAGE_PREFIX
    assert not re.fullmatch(template["Parameters"]["ModelName"]["AllowedPattern"], PACKAGE_PREFIX.rstrip("/"))


def test_rollouts_are_driven_each_minute_by_the_only_role_that_may_move_the_alias(resources: dict[str, Any]) -> None:
    events = {name: event["Properties"] for name, event in resources["OperateFunction"]["Events"].items()}
    assert events["EveryMinute"]["Schedule"] == "rate(1 minute)"
    assert "Input" not in events["EveryMinute"]
    nightly = {name: json.loads(event["Input"]) for name, event in events.items() if "Input" in event}
    # The emulator shortens rates: as a cron, a nightly job stays nightly on the local stack.
    assert all(events[name]["Schedule"].startswith("cron(") for name in nightly)
    assert nightly == {"EveryNight": {"job": PING_CODE}, "MonitorEveryNight": {"job": MONITOR}}
    writing = {
        name: [statement["Resource"] for statement in _statements(role) if "s3:PutObject" in statement["Action"]]
        for name, role in resources.items()
        if "AssumeRolePolicyDocument" in role
    }
    model = "${ModelBucket.Arn}/${ModelName}"
    folders = ("aliases", "rollouts", "monitor")
    assert writing["OperateRole"] == [[{"Fn::Sub": f"{model}/{folder}/*"} for folder in folders]]
    assert not [name for name, targets in writing.items() if name != "OperateRole" and "ModelBucket" in str(targets)]
    assert "*" not in [statement["Resource"] for statement in _statements(resources["OperateRole"])]


def test_files_are_scored_only_where_it_is_asked_for() -> None:
    added = set(deployed(BatchScoring="on")) - set(deployed())
    assert {"ScoreFilesFunction", "ScoreFilesRole", "ScoreFilesRights", "BatchBucket", "BatchFailures"} < added
    assert not [name for name in deployed() if "Files" in name or "Batch" in name]


def test_files_have_a_quarter_of_an_hour_and_two_retries(resources: dict[str, Any]) -> None:
    function = resources["ScoreFilesFunction"]
    assert function["Timeout"] == 900
    # The function counts its calls: the last one says that the file is too large.
    assert function["EventInvokeConfig"]["MaximumRetryAttempts"] + 1 == MAX_RUNS
    assert function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Type"] == "SQS"
    (rule,) = function["Events"]["FileArrives"]["Properties"]["Filter"]["S3Key"]["Rules"]
    assert rule == {"Name": "prefix", "Value": INCOMING}


def test_the_files_function_and_its_role_do_not_wait_for_the_bucket_that_calls_them(resources: dict[str, Any]) -> None:
    """CloudFormation makes the bucket last, since its notification needs the function."""
    function = {name: value for name, value in resources["ScoreFilesFunction"].items() if name != "Events"}
    assert "BatchBucket" not in json.dumps([function, resources["ScoreFilesRole"]])
