"""What ``template.yaml`` promises: routes, permissions, limits, privacy. ``sam validate --lint`` checks its grammar."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from model_registry import names
from model_registry.errors import InvalidNameError
from model_watch.loan_hash import LoanHasher


@pytest.fixture
def resources(template: dict[str, Any]) -> dict[str, Any]:
    return {name: resource["Properties"] for name, resource in template["Resources"].items()}


def test_every_route_reaches_the_function_and_the_rest_falls_to_it_too(resources: dict[str, Any]) -> None:
    events = resources["PredictFunction"]["Events"].values()
    routes = {(event["Properties"].get("Method"), event["Properties"].get("Path")) for event in events}
    assert routes == {
        ("POST", "/predict"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/models/{name}"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("POST", "/invocations"),
        ("GET", "/ping"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/{name}"),
        ("POST", "/v1/models/{name}"),
        ("GET", "/v2"),
        ("GET", "/v2/health/live"),
        ("GET", "/v2/health/ready"),
        ("GET", "/v2/models/{name}"),
        ("GET", "/v2/models/{name}/ready"),
        ("POST", "/v2/models/{name}/infer"),
        (None, None),
    }
    assert {event["Type"] for event in events} == {"HttpApi"}
    assert all(event["Properties"]["ApiId"] == {"Ref": "PredictApi"} for event in events)


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
    statements = [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]
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


def test_the_function_may_list_no_more_than_its_model(resources: dict[str, Any]) -> None:
    """With ``…IfExists`` a request without a prefix, for the whole bucket, would pass too."""
    statements = [
        statement
        for policy in resources["PredictRole"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    (listing,) = [statement for statement in statements if statement["Action"] == "s3:ListBucket"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": {"Fn::Sub": "${ModelName}/*"}}}


def test_the_bucket_is_versioned_encrypted_private_and_outlives_the_stack(template: dict[str, Any]) -> None:
    bucket = template["Resources"]["ModelBucket"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    properties = bucket["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"] == [
        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    ]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4


def test_the_bucket_refuses_what_is_not_encrypted_on_the_way(resources: dict[str, Any]) -> None:
    (statement,) = resources["ModelBucketPolicy"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == "*"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_log_group_forgets(template: dict[str, Any]) -> None:
    groups = [entry for entry in template["Resources"].values() if entry["Type"] == "AWS::Logs::LogGroup"]
    assert len(groups) == 4
    assert all(group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups)


def test_the_access_log_holds_nothing_of_a_request_but_its_route(resources: dict[str, Any]) -> None:
    written = resources["PredictApi"]["AccessLogSettings"]["Format"]
    json.loads(written)
    variables = set(re.findall(r"\$context\.([\w.]+)", written))
    assert not [name for name in variables if re.search("body|query|header|user|authorizer", name, re.IGNORECASE)]


def test_the_api_throttles(resources: dict[str, Any]) -> None:
    settings = resources["PredictApi"]["DefaultRouteSettings"]
    assert settings["ThrottlingRateLimit"] == {"Ref": "ThrottlingRateLimit"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "ThrottlingBurstLimit"}


def test_alarms_watch_errors_throttles_latency_and_the_model(resources: dict[str, Any]) -> None:
    watched = {alarm["MetricName"]: alarm["Namespace"] for name, alarm in resources.items() if name.endswith("Alarm")}
    assert {"Errors", "Throttles", "5xx", "Latency"} < set(watched)
    own = {metric for metric, namespace in watched.items() if not namespace.startswith("AWS/")}
    variables = resources["PredictFunction"]["Environment"]["Variables"]
    assert {watched[metric] for metric in own} == {variables["POWERTOOLS_METRICS_NAMESPACE"]}
    assert len(own) == 3


def test_the_functions_own_metrics_are_written_as_the_alarms_look_for_them(
    root: Path, resources: dict[str, Any]
) -> None:
    """Each function names its metrics and their dimensions: service and stage, from these variables."""
    metrics, rounds = "predict/predict_api/metrics.py", "operate/operate/rollout_round.py"
    for name, function, module in (
        ("ModelLoadFailuresAlarm", "PredictFunction", metrics),
        ("AliasStalenessAlarm", "PredictFunction", metrics),
        ("RolloutAttentionAlarm", "OperateFunction", rounds),
    ):
        source = (root / "functions" / module).read_text()
        variables = resources[function]["Environment"]["Variables"]
        assert f'= "{resources[name]["MetricName"]}"\n' in source
        assert resources[name]["Dimensions"] == [
            {"Name": "service", "Value": variables["POWERTOOLS_SERVICE_NAME"]},
            {"Name": "stage", "Value": variables["STAGE"]},
        ]


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
    return [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]


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


def test_both_buckets_are_private_encrypted_and_tidy(resources: dict[str, Any]) -> None:
    for name in ("ModelBucket", "LogBucket"):
        bucket = resources[name]
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]
        rules = bucket["LifecycleConfiguration"]["Rules"]
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
        (statement,) = resources[f"{name}Policy"]["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert {"Ref": "LogBucketDays"} in [
        rule.get("ExpirationInDays") for rule in resources["LogBucket"]["LifecycleConfiguration"]["Rules"]
    ]


def test_rollouts_are_driven_each_minute_by_the_only_role_that_may_move_the_alias(resources: dict[str, Any]) -> None:
    (event,) = resources["OperateFunction"]["Events"].values()
    assert (event["Type"], event["Properties"]["Schedule"]) == ("Schedule", "rate(1 minute)")
    writing = {
        name: [statement["Resource"] for statement in _statements(role) if "s3:PutObject" in statement["Action"]]
        for name, role in resources.items()
        if "AssumeRolePolicyDocument" in role
    }
    model = "${ModelBucket.Arn}/${ModelName}"
    assert writing["OperateRole"] == [[{"Fn::Sub": f"{model}/aliases/*"}, {"Fn::Sub": f"{model}/rollouts/*"}]]
    assert not [name for name, targets in writing.items() if name != "OperateRole" and "ModelBucket" in str(targets)]
    assert "*" not in [statement["Resource"] for statement in _statements(resources["OperateRole"])]
    listings = [
        statement for statement in _statements(resources["OperateRole"]) if "s3:ListBucket" in statement["Action"]
    ]
    assert len(listings) == len([listing["Condition"]["StringLike"]["s3:prefix"] for listing in listings]) == 2
