"""Notifications of a template's buckets: SAM's events and CloudFormation's property, and which changes they want."""

from __future__ import annotations

import pytest

from emulator.template.errors import UnsupportedError
from emulator.template.event_sources.notification_spec import NotificationSpec
from tests.unit.emulator.template.template_pieces import FUNCTION, FUNCTIONS


def sam(words: str) -> str:
    return (
        f"{FUNCTION}      AutoPublishAlias: live\n"
        f"      Events: {{Up: {{Type: S3, Properties: {{Bucket: !Ref Data, {words}}}}}}}\n"
        "  Data: {Type: AWS::S3::Bucket, Properties: {BucketName: data}}\n"
    )


def bucket(words: str) -> str:
    return f"{FUNCTIONS}  Data: {{Type: AWS::S3::Bucket, Properties: {{NotificationConfiguration: {{{words}}}}}}}\n"


def lambdas(words: str) -> str:
    return bucket(f"LambdaConfigurations: [{{{words}}}]")


@pytest.mark.fidelity("s3-notifications")
def test_an_s3_event_of_sam_calls_the_alias(load) -> None:  # type: ignore[no-untyped-def]
    rules = "[{Name: prefix, Value: in/}, {Name: suffix, Value: .csv}]"
    project = load(
        sam(f"Events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:Delete'], Filter: {{S3Key: {{Rules: {rules}}}}}")
    )
    assert project.notifications == (
        NotificationSpec("Data", "data", "s3:ObjectCreated:*", "F", "live", "in/", ".csv", ("FUp",)),
        NotificationSpec("Data", "data", "s3:ObjectRemoved:Delete", "F", "live", "in/", ".csv", ("FUp",)),
    )
    assert project.left_out == ()


@pytest.mark.fidelity("s3-notifications")
def test_a_bucket_of_cloudformation_calls_functions(load) -> None:  # type: ignore[no-untyped-def]
    (notification,) = load(lambdas("Event: 's3:ObjectCreated:Put', Function: !GetAtt F.Arn")).notifications
    assert (notification.function, notification.qualifier, notification.prefix, notification.names) == (
        "F",
        None,
        "",
        (),
    )


@pytest.mark.fidelity("fire-by-hand")
def test_a_function_whose_name_goes_on_has_its_own_events(load) -> None:  # type: ignore[no-untyped-def]
    longer = "  Data: {Type: AWS::S3::Bucket}\n" + "".join(
        f"  {name}:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: code\n"
        "      Handler: app.handler\n      Runtime: python3.13\n"
        f"      Events: {{Up: {{Type: S3, Properties: {{Bucket: !Ref Data, Events: '{event}'}}}}}}\n"
        for name, event in (("Size", "s3:ObjectCreated:Put"), ("SizeAgain", "s3:ObjectRemoved:*"))
    )
    names = {notification.function: notification.names for notification in load("Resources:\n" + longer).notifications}
    assert names == {"Size": ("SizeUp",), "SizeAgain": ("SizeAgainUp",)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            bucket("QueueConfigurations: [{Event: 's3:ObjectCreated:*', Queue: 'arn:q'}]"),
            "QueueConfigurations: queues are",
        ),
        (
            bucket("TopicConfigurations: [{Event: 's3:ObjectCreated:*', Topic: 'arn:t'}]"),
            "TopicConfigurations: topics are",
        ),
        (
            bucket("EventBridgeConfiguration: {EventBridgeEnabled: true}"),
            "EventBridgeConfiguration: EventBridge is not",
        ),
        (lambdas("Event: 's3:ObjectCreated:*', Function: 'arn:aws:lambda:r:1:function:x'"), "function:x is not in"),
        (lambdas("Event: 's3:ObjectCreated:*', Function: !ImportValue x"), "Fn::ImportValue"),
        (
            lambdas("Event: 's3:ObjectRestore:Completed', Function: !GetAtt F.Arn"),
            "ObjectRestore:Completed doesn't happen",
        ),
        (lambdas("Event: 's3:ReducedRedundancyLostObject', Function: !GetAtt F.Arn"), "LostObject doesn't happen"),
    ],
)
def test_what_calls_no_function_is_named(load, text: str, words: str) -> None:  # type: ignore[no-untyped-def]
    (part,) = load(text).left_out
    assert str(part).startswith("Data, property NotificationConfiguration.")
    assert words in str(part)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Event: ObjectCreated, Function: !GetAtt F.Arn", "isn't an event of S3"),
        ("Function: !GetAtt F.Arn", "the property is required"),
        (
            "Event: 's3:ObjectCreated:*', Function: !GetAtt F.Arn, Filter: {S3Key: {Rules: [{Name: infix, Value: a}]}}",
            "one rule for the prefix and one for the suffix",
        ),
        ("Event: 's3:ObjectCreated:*', Function: !GetAtt F.Arn, Filter: {S3Key: {Rules: in/}}", "a list of rules"),
    ],
)
def test_a_wrong_notification_is_refused(load, load_strictly, words: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedError, match="NotificationConfiguration") as refused:
        load_strictly(lambdas(words))
    assert reason in str(refused.value)
    project = load(lambdas(words))
    assert (project.notifications, project.buckets) == ((), ("local-data",))


@pytest.mark.fidelity("s3-notifications")
@pytest.mark.parametrize(
    ("event", "prefix", "suffix", "change", "wanted"),
    [
        ("s3:ObjectCreated:*", "", "", ("ObjectCreated:CompleteMultipartUpload", "k"), True),
        ("s3:ObjectCreated:*", "", "", ("ObjectRemoved:Delete", "k"), False),
        ("s3:ObjectCreated:Put", "", "", ("ObjectCreated:Put", "k"), True),
        ("s3:ObjectCreated:Put", "", "", ("ObjectCreated:Copy", "k"), False),
        ("s3:ObjectRemoved:*", "", "", ("ObjectRemoved:DeleteMarkerCreated", "k"), True),
        ("s3:ObjectCreated:*", "in/", ".csv", ("ObjectCreated:Put", "in/a.csv"), True),
        ("s3:ObjectCreated:*", "in/", ".csv", ("ObjectCreated:Put", "in/a.json"), False),
        ("s3:ObjectCreated:*", "in/", ".csv", ("ObjectCreated:Put", "out/in/a.csv"), False),
        ("s3:ObjectCreated:*", "a+b%3D", "", ("ObjectCreated:Put", "a b=c"), True),
        ("s3:ObjectCreated:*", "a b=", "", ("ObjectCreated:Put", "a b=c"), True),
    ],
)
def test_which_changes_a_notification_wants(
    event: str, prefix: str, suffix: str, change: tuple[str, str], wanted: bool
) -> None:
    spec = NotificationSpec("Data", "data", event, "F", prefix=prefix, suffix=suffix)
    assert spec.wants("data", *change) is wanted
    assert not spec.wants("other", *change)
