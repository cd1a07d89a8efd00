"""Log subscriptions of a template: what is read, left out with a note, and refused; prefixes of objects."""

from __future__ import annotations

import datetime as dt

import pytest

from emulator.template.errors import UnsupportedError
from emulator.template.event_sources.object_prefixes import check_error_prefix, parse_prefix
from tests.unit.emulator.template.template_pieces import FUNCTION

MOMENT = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
PROCESSORS = "[{Type: Decompression}, {Type: CloudWatchLogProcessing}, {Type: AppendDelimiterToRecord}]"


def delivering(
    destination: str = "",
    pattern: str = "'{ $.a = 1 }'",
    processors: str = PROCESSORS,
    group: str = "/aws/lambda/F",
    stream: str = "!GetAtt Stream.Arn",
) -> str:
    return (
        FUNCTION
        + f"""
  Bucket: {{Type: AWS::S3::Bucket, Properties: {{BucketName: logs}}}}
  Stream:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      ExtendedS3DestinationConfiguration:
        BucketARN: !GetAtt Bucket.Arn
        ProcessingConfiguration: {{Enabled: true, Processors: {processors}}}
        {destination}
  Subscription:
    Type: AWS::Logs::SubscriptionFilter
    Properties: {{LogGroupName: {group}, FilterPattern: {pattern}, DestinationArn: {stream}}}
"""
    )


@pytest.mark.fidelity("log-delivery")
def test_a_subscription_of_a_functions_log(load) -> None:  # type: ignore[no-untyped-def]
    text = delivering(
        "CompressionFormat: GZIP\n        BufferingHints: {IntervalInSeconds: 60, SizeInMBs: 3}\n"
        "        Prefix: log/dt=!{timestamp:yyyy-MM-dd}/\n"
        "        ErrorOutputPrefix: errors/!{firehose:error-output-type}/"
    )
    (subscription,) = load(text).subscriptions
    stream = subscription.stream
    assert (subscription.log_group, stream.bucket, stream.name, stream.extension) == (
        "/aws/lambda/F", "logs", "Stream", ".gz",
    )  # fmt: skip
    hints = stream.destination.buffering_hints
    assert (hints.interval_in_seconds, hints.size_in_mbs) == (60, 3)
    assert stream.destination.prefix.render(MOMENT, "r") == "log/dt=2026-03-04/"
    assert subscription.pattern.matches(b'{"a": 1}')


def test_a_log_group_of_the_functions_own_configuration(load) -> None:  # type: ignore[no-untyped-def]
    function = "\n      LoggingConfig: {LogGroup: !Ref Group}\n"
    text = delivering(group="!Ref Group").replace(
        "\n      Runtime: python3.13\n", f"\n      Runtime: python3.13{function}"
    )
    text += "  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: mine}}\n"
    project = load(text)
    assert project.functions["F"].log_group == "mine"
    assert project.subscriptions[0].log_group == "mine"


def test_defaults_of_a_stream(load) -> None:  # type: ignore[no-untyped-def]
    (subscription,) = load(delivering()).subscriptions
    destination = subscription.stream.destination
    assert (destination.buffering_hints.interval_in_seconds, subscription.stream.extension) == (300, "")
    assert destination.prefix.render(MOMENT, "r") == "2026/03/04/05/"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (delivering(group="other"), "no function of the template logs to other"),
        (delivering(stream="arn:aws:lambda:x:1:function:F"), "only delivery streams of the template"),
        (delivering(processors="[{Type: Decompression}]"), "only the processors"),
        (delivering(processors=f"{PROCESSORS[:-1]}, {{Type: Lambda}}]"), "only the processors"),
        (delivering("CompressionFormat: Snappy"), "only GZIP and UNCOMPRESSED"),
        (delivering("DynamicPartitioningConfiguration: {Enabled: true}"), "DynamicPartitioningConfiguration"),
        (delivering().replace("ExtendedS3", "Redshift"), "only ExtendedS3DestinationConfiguration"),
    ],
)
def test_what_is_not_imitated_is_noted_and_delivers_nothing(load, text: str, words: str) -> None:  # type: ignore[no-untyped-def]
    project = load(text)
    assert project.subscriptions == ()
    (part,) = [part for part in project.left_out if part.logical_id == "Subscription"]
    assert words in part.reason
    assert part.consequence == "nothing is delivered"


@pytest.mark.fidelity("filter-patterns")
@pytest.mark.parametrize(
    ("text", "resource", "named"),
    [
        (delivering(pattern="'{ $.a EXISTS }'"), "Subscription", "FilterPattern"),
        (delivering(pattern="!ImportValue x"), "Subscription", "FilterPattern"),
        (delivering("Prefix: '!{timestamp:yyyy}/'"), "Stream", "Prefix: a Prefix with expressions needs"),
        (delivering("Prefix: '!{nothing:x}/'"), "Stream", "ExtendedS3DestinationConfiguration: Prefix"),
        (delivering("BufferingHints: {IntervalInSeconds: 901}"), "Stream", "BufferingHints.IntervalInSeconds"),
        (delivering("FileExtension: gz"), "Stream", "FileExtension"),
    ],
)
def test_refusals_name_the_resource_and_the_property(load_strictly, text: str, resource: str, named: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedError) as refused:
        load_strictly(text)
    assert refused.value.resource == resource
    assert named in str(refused.value)


@pytest.mark.fidelity("object-names")
@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", "2026/03/04/05/"),
        ("log/", "log/2026/03/04/05/"),
        ("!{timestamp:yyyy/MM/dd/HH/mm/ss}/", "2026/03/04/05/06/07/"),
        ("!{timestamp:yy-M-d'T'H''m}x", "26-3-4T5'6x"),
        ("!{firehose:random-string}-!{timestamp:yyyy'-'MM}", "r-2026-03"),
    ],
)
def test_prefixes(text: str, rendered: str) -> None:
    assert parse_prefix(text).render(MOMENT, "r") == rendered


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("!{timestamp:DDD}", "is not imitated"),
        ("!{timestamp:yyyy", "closing brace"),
        ("!{firehose:error-output-type}/", "ErrorOutputPrefix alone"),
        ("!{partitionKeyFromQuery:a}/", "dynamic partitioning"),
        ("!{firehose:else}", "isn't an expression"),
    ],
)
def test_refused_prefixes(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_prefix(text)


def test_an_error_prefix_tells_errors_apart() -> None:
    check_error_prefix("errors/")
    check_error_prefix("errors/!{firehose:error-output-type}/!{timestamp:yyyy}/")
    with pytest.raises(ValueError, match="must include"):
        check_error_prefix("errors/!{timestamp:yyyy}/")
