"""CloudFormation, CloudWatch Logs and API Gateway as boto3 reads them, on Lambda's port."""

from __future__ import annotations

from typing import Any

import botocore.exceptions
import pytest
from botocore.validate import ParamValidator

from tests.integration.emulator.stack_api.conftest import RunningStack

GROUP = "/aws/lambda/Hello"


def checked(client: Any, operation: str, **parameters: Any) -> Any:
    """Call an operation; the answer has only members of the service's model, each of its type."""
    answer = getattr(client, operation)(**parameters)
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).output_shape
    document = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    report = ParamValidator().validate(document, shape)
    assert not report.has_errors(), report.generate_report()
    assert answer["ResponseMetadata"]["RequestId"]
    return answer


def refusal(call: Any, *arguments: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(*arguments, **parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.mark.fidelity("cloudformation-view")
def test_the_stack_and_its_outputs(stack: RunningStack) -> None:
    client = stack.client("cloudformation")
    (described,) = checked(client, "describe_stacks", StackName="local")["Stacks"]
    assert (described["StackName"], described["StackStatus"]) == ("local", "CREATE_COMPLETE")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    assert outputs == {
        "HelloApi": f"{stack.running.url}/hello",
        "ApiHost": stack.running.url.removeprefix("http://"),
        "HelloFunction": "arn:aws:lambda:us-east-1:123456789012:function:Hello",
    }
    assert described["Outputs"][0]["Description"] == "Where the API answers."
    assert described["Outputs"][2]["ExportName"] == "local-hello"
    assert {item["ParameterKey"]: item["ParameterValue"] for item in described["Parameters"]} == {
        "Greeting": "hello", "Password": "****",
    }  # fmt: skip
    assert stack.running.get("/hello").json == {"said": 1}
    (summary,) = checked(client, "list_stacks", StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"]
    assert summary["StackId"] == described["StackId"]
    assert client.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"] == []
    for name in ("stack-of-samconfig", described["StackId"]):
        assert client.describe_stacks(StackName=name)["Stacks"][0]["Outputs"] == described["Outputs"]


@pytest.mark.fidelity("cloudformation-view")
def test_the_stacks_resources(stack: RunningStack) -> None:
    client = stack.client("cloudformation")
    pages = client.get_paginator("list_stack_resources").paginate(StackName="local")
    listed = {item["LogicalResourceId"]: item for page in pages for item in page["StackResourceSummaries"]}
    assert {"Hello", "HelloRole", "Named", "Queue", "ServerlessHttpApi", "SharedGroup"} <= listed.keys()
    assert "OnlyInProduction" not in listed
    assert listed["Named"]["PhysicalResourceId"] == "named-function"
    checked(client, "list_stack_resources", StackName="local")
    by_name = checked(client, "describe_stack_resources", PhysicalResourceId="named-function")["StackResources"]
    assert {item["LogicalResourceId"] for item in by_name} == listed.keys()
    (one,) = checked(client, "describe_stack_resources", StackName="local", LogicalResourceId="Hello")["StackResources"]
    assert one["ResourceType"] == "AWS::Lambda::Function"
    detail = checked(client, "describe_stack_resource", StackName="local", LogicalResourceId="Named")
    assert detail["StackResourceDetail"]["PhysicalResourceId"] == "named-function"


@pytest.mark.fidelity("cloudformation-view")
def test_the_template(stack: RunningStack) -> None:
    client = stack.client("cloudformation")
    template = checked(client, "get_template", StackName="local")
    assert template["TemplateBody"] == (stack.folder / "template.yaml").read_text()
    # boto3 reads a body that is JSON.
    processed = client.get_template(StackName="local", TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Hello"]["Type"] == "AWS::Lambda::Function"
    summary = checked(client, "get_template_summary", StackName="local")
    assert {item["ParameterKey"]: item.get("DefaultValue") for item in summary["Parameters"]} == {
        "Greeting": "hello", "Password": "****",
    }  # fmt: skip
    assert "AWS::SQS::Queue" in summary["ResourceTypes"]


@pytest.mark.fidelity("cloudformation-view")
def test_what_does_not_exist(stack: RunningStack) -> None:
    client = stack.client("cloudformation")
    hint = "(the emulator's stack is local or stack-of-samconfig)"
    assert refusal(client.describe_stacks, StackName="x") == (
        "ValidationError", f"Stack with id x does not exist {hint}",
    )  # fmt: skip
    assert refusal(client.list_stack_resources, StackName="x")[0] == "ValidationError"
    assert refusal(client.describe_stack_resources, PhysicalResourceId="x") == (
        "ValidationError", "Stack for x does not exist",
    )  # fmt: skip
    missing = {"StackName": "local", "LogicalResourceId": "OnlyInProduction"}
    message = "Resource OnlyInProduction does not exist for stack local"
    assert refusal(client.describe_stack_resource, **missing) == ("ValidationError", message)
    assert refusal(client.list_stack_resources, StackName="local", NextToken="x")[0] == "ValidationError"


@pytest.mark.fidelity("cloudformation-view")
def test_waiters(stack: RunningStack) -> None:
    client, once = stack.client("cloudformation"), {"Delay": 0, "MaxAttempts": 1}
    for name in ("stack_exists", "stack_create_complete"):
        client.get_waiter(name).wait(StackName="local", WaiterConfig=once)
    client.get_waiter("stack_delete_complete").wait(StackName="x", WaiterConfig=once)
    with pytest.raises(botocore.exceptions.WaiterError):
        client.get_waiter("stack_exists").wait(StackName="x", WaiterConfig=once)


@pytest.mark.fidelity("logs-view")
def test_the_log_of_a_function(stack: RunningStack) -> None:
    client = stack.client("logs")
    stack.invoke(print=["first", "second", "unfinished"], unfinished="unfinished")
    events = events_of(client, logGroupName=GROUP, interleaved=True)
    messages = [event["message"] for event in events]
    start = messages.index("first\n") - 1
    assert messages[start].startswith("START RequestId: ")
    assert messages[start + 1 : start + 4] == ["first\n", "second\n", "unfinished\n"]
    assert messages[start + 4].startswith("END RequestId: ")
    assert len({event["eventId"] for event in events}) == len(events)
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    checked(client, "filter_log_events", logGroupName=GROUP, limit=2)
    found = events_of(client, logGroupName=GROUP, filterPattern='"second"')
    assert {event["message"] for event in found} == {"second\n"}
    stream, time = found[0]["logStreamName"], found[0]["timestamp"]
    by_stream = events_of(client, logGroupName=GROUP, logStreamNames=[stream])
    assert {event["logStreamName"] for event in by_stream} == {stream}
    assert events_of(client, logGroupName=GROUP, logStreamNamePrefix="x") == []
    between = events_of(client, logGroupName=GROUP, startTime=time, endTime=time)
    assert {event["timestamp"] for event in between} == {time}
    assert "second\n" in [event["message"] for event in between]


def events_of(client: Any, **parameters: Any) -> list[dict[str, Any]]:
    """Return all events, read in pages of three."""
    pages = client.get_paginator("filter_log_events").paginate(**parameters, PaginationConfig={"PageSize": 3})
    return [event for page in pages for event in page["events"]]


@pytest.mark.fidelity("logs-view")
def test_an_error_with_its_stack_trace_is_one_event(stack: RunningStack) -> None:
    stack.client("lambda").invoke(FunctionName="Hello", Payload=b'{"fail": "on purpose"}')
    found = events_of(stack.client("logs"), logGroupName=GROUP, filterPattern="ERROR")
    lines = found[-1]["message"].splitlines()
    assert lines[0] == "[ERROR] ValueError: on purpose"
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1].strip() == 'raise ValueError(event["fail"])'


@pytest.mark.fidelity("logs-view")
def test_groups_and_streams(stack: RunningStack) -> None:
    client = stack.client("logs")
    stack.invoke()
    groups = {group["logGroupName"]: group for group in checked(client, "describe_log_groups")["logGroups"]}
    assert {GROUP, "/shared/logs"} <= groups.keys(), "the second has no output yet, and the template makes it"
    assert groups[GROUP]["arn"] == f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:*"
    prefixed = client.describe_log_groups(logGroupNamePrefix="/shared")["logGroups"]
    assert [group["logGroupName"] for group in prefixed] == ["/shared/logs"]
    stack.invoke("named-function")
    (named,) = checked(client, "describe_log_streams", logGroupName="/shared/logs")["logStreams"]
    assert "/named-function[$LATEST]" in named["logStreamName"]
    pages = client.get_paginator("describe_log_streams").paginate(
        logGroupName=GROUP, orderBy="LastEventTime", descending=True, PaginationConfig={"PageSize": 1}
    )
    streams = [stream for page in pages for stream in page["logStreams"]]
    assert [stream["lastEventTimestamp"] for stream in streams] == sorted(
        (stream["lastEventTimestamp"] for stream in streams), reverse=True
    )


@pytest.mark.fidelity("logs-view")
def test_the_events_of_a_stream_forwards_and_backwards(stack: RunningStack) -> None:
    client = stack.client("logs")
    stack.invoke("named-function", print=[f"line {number}" for number in range(7)])
    (stream,) = client.describe_log_streams(logGroupName="/shared/logs")["logStreams"]
    names = {"logGroupName": "/shared/logs", "logStreamName": stream["logStreamName"]}
    whole = [event["message"] for event in checked(client, "get_log_events", **names)["events"]]
    forwards: list[str] = []
    token: dict[str, str] = {"nextToken": ""}
    page = client.get_log_events(**names, limit=3, startFromHead=True)
    while page["nextForwardToken"] != token["nextToken"]:
        forwards += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}
        page = client.get_log_events(**names, limit=3, **token)
    assert forwards == whole
    assert page["events"] == []
    page = client.get_log_events(**names, limit=4)
    assert [event["message"] for event in page["events"]] == whole[-4:]
    before = client.get_log_events(**names, limit=4, nextToken=page["nextBackwardToken"])
    assert [event["message"] for event in before["events"]] == whole[-8:-4]
    by_arn = {"logGroupIdentifier": "arn:aws:logs:us-east-1:123456789012:log-group:/shared/logs"}
    assert client.get_log_events(**by_arn, logStreamName=stream["logStreamName"])["events"]


@pytest.mark.fidelity("logs-view")
def test_log_requests_that_are_refused(stack: RunningStack) -> None:
    client = stack.client("logs")
    stack.invoke()
    missing = "ResourceNotFoundException", "The specified log group does not exist."
    for call in (client.filter_log_events, client.describe_log_streams):
        assert refusal(call, logGroupName="/x") == missing
    stream = {"logGroupName": GROUP, "logStreamName": "x"}
    assert refusal(client.get_log_events, **stream)[1] == "The specified log stream does not exist."
    for wrong in (
        {"filterPattern": "{ $.a = "},
        {"nextToken": "x"},
        {"logStreamNames": ["a"], "logStreamNamePrefix": "b"},
    ):
        assert refusal(client.filter_log_events, logGroupName=GROUP, **wrong)[0] == "InvalidParameterException"


@pytest.mark.fidelity("api-gateway-view")
def test_http_apis_and_their_stages(stack: RunningStack) -> None:
    client = stack.client("apigatewayv2")
    (api,) = checked(client, "get_apis")["Items"]
    assert (api["ApiId"], api["ApiEndpoint"]) == ("ServerlessHttpApi", stack.running.url)
    assert checked(client, "get_api", ApiId="ServerlessHttpApi")["ProtocolType"] == "HTTP"
    (stage,) = checked(client, "get_stages", ApiId="ServerlessHttpApi")["Items"]
    assert stage["StageName"] == "$default"
    assert checked(client, "get_stage", ApiId="ServerlessHttpApi", StageName="$default")["AutoDeploy"] is True
    assert refusal(client.get_stages, ApiId="x")[0] == "NotFoundException"
    assert refusal(client.get_stage, ApiId="ServerlessHttpApi", StageName="x")[0] == "NotFoundException"
    assert refusal(stack.client("apigateway").get_stages, restApiId="x")[0] == "NotFoundException"


@pytest.mark.fidelity("service-not-imitated")
@pytest.mark.parametrize(
    ("service", "operation", "parameters", "named"),
    [
        ("cloudformation", "create_stack", {"StackName": "x"}, "CreateStack of cloudformation"),
        ("logs", "delete_log_group", {"logGroupName": "x"}, "DeleteLogGroup of logs"),
        ("dynamodb", "list_tables", {}, "ListTables of dynamodb"),
        ("sqs", "list_queues", {}, "ListQueues of sqs"),
        ("sns", "list_topics", {}, "ListTopics of sns"),
        ("ec2", "describe_instances", {}, "DescribeInstances of ec2"),
        ("s3", "list_buckets", {}, "GET / of s3"),
        ("s3", "put_object", {"Bucket": "b", "Key": "k", "Body": bytes(7 << 20)}, "PUT /b/k of s3"),
        ("route53", "list_hosted_zones", {}, "GET /2013-04-01/hostedzone of route53"),
        ("apigatewayv2", "get_routes", {"ApiId": "x"}, "GET /v2/apis/x/routes of apigateway"),
        ("xray", "get_trace_summaries", {"StartTime": 1, "EndTime": 2}, "POST /TraceSummaries of xray"),
    ],
)
def test_other_services_say_that_they_are_not_imitated(
    stack: RunningStack, service: str, operation: str, parameters: Any, named: str
) -> None:
    code, message = refusal(getattr(stack.client(service), operation), **parameters)
    assert code == "NotImplementedException"
    assert message.startswith(f"The emulator does not imitate {named}. ")


def test_who_the_caller_is(stack: RunningStack) -> None:
    assert checked(stack.client("sts"), "get_caller_identity")["Account"] == "123456789012"
    assert checked(stack.client("iam"), "list_policies")["Policies"] == []
