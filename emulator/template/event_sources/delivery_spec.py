"""Subscriptions of log groups and the streams that they feed, as plain values, and the resources of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, PlainValidator, ValidationInfo

from emulator.template.event_sources.filter_patterns import FilterPattern, parse_filter_pattern
from emulator.template.event_sources.object_prefixes import ObjectPrefix, check_error_prefix, parse_prefix
from emulator.template.property_types import Text, matching, named, properties, whole_number
from emulator.template.values import as_text, resolvable

_EXTENSION = matching(r"|\.[0-9a-z!\-_.*'()]+", "{value} isn't a file extension")


def _pattern(value: Any) -> FilterPattern:
    return parse_filter_pattern(as_text(resolvable(value)))


def _prefix(value: Any, info: ValidationInfo) -> ObjectPrefix:
    text = as_text(resolvable(value))
    # A wrong ErrorOutputPrefix has an error of its own.
    if "!{" in text and not info.data.get("error_output_prefix", text):
        raise ValueError("a Prefix with expressions needs an ErrorOutputPrefix")
    return parse_prefix(text)


@properties
@dataclass(frozen=True, slots=True)
class BufferingHints:
    """``BufferingHints``: an object is written after so long, or once it is so large, uncompressed."""

    interval_in_seconds: Annotated[int, whole_number(0, 900)] = 300
    size_in_mbs: Annotated[int, named("SizeInMBs"), whole_number(1, 128)] = 5


@properties
@dataclass(frozen=True, slots=True)
class S3Destination:
    """``ExtendedS3DestinationConfiguration``; the reader looks at the processing by itself."""

    bucket: Annotated[
        Text, named("BucketARN"), matching(r"arn:[^:]+:s3:::.+", "{value} isn't the ARN of a bucket")
    ]  # fmt: skip
    buffering_hints: BufferingHints = BufferingHints()
    compression_format: Text = "UNCOMPRESSED"
    file_extension: Annotated[Text, _EXTENSION] = ""
    error_output_prefix: Annotated[Text, AfterValidator(check_error_prefix)] = ""
    prefix: Annotated[ObjectPrefix, PlainValidator(_prefix)] = field(default="")  # type: ignore[assignment]


@properties
@dataclass(frozen=True, slots=True)
class DeliveryStream:
    """``AWS::KinesisFirehose::DeliveryStream`` that writes to a bucket."""

    destination: Annotated[S3Destination, named("ExtendedS3DestinationConfiguration")]


@properties
@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """``AWS::Logs::SubscriptionFilter``; its destination may be anything."""

    log_group_name: Text
    filter_pattern: Annotated[FilterPattern, PlainValidator(_pattern)]
    destination_arn: Any


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """A stream that writes messages of log events into objects."""

    logical_id: str
    # Begins the objects' names after the prefix.
    name: str
    bucket: str
    destination: S3Destination

    @property
    def extension(self) -> str:
        """The end of the objects' names."""
        return self.destination.file_extension or (".gz" if self.destination.compression_format == "GZIP" else "")


@dataclass(frozen=True, slots=True)
class SubscriptionSpec:
    """The log events that go from a log group to a stream."""

    logical_id: str
    log_group: str
    pattern: FilterPattern
    stream: StreamSpec


def reason_not_imitated(stream: Mapping[str, Any]) -> str | None:
    """Return what of a stream's properties the emulator doesn't imitate, or None if it can deliver."""
    destination = stream.get("ExtendedS3DestinationConfiguration")
    if not isinstance(destination, Mapping):
        return "only ExtendedS3DestinationConfiguration is imitated"
    for name in ("DynamicPartitioningConfiguration", "DataFormatConversionConfiguration"):
        part = destination.get(name)
        if isinstance(part, Mapping) and part.get("Enabled") not in (None, False, "false"):
            return f"{name} is not imitated"
    if destination.get("CompressionFormat", "UNCOMPRESSED") not in ("GZIP", "UNCOMPRESSED"):
        return "only GZIP and UNCOMPRESSED are imitated"
    processing = destination.get("ProcessingConfiguration")
    entries = processing.get("Processors") if isinstance(processing, Mapping) else None
    processors = {entry.get("Type") for entry in entries or () if isinstance(entry, Mapping)}
    needed = {"Decompression", "CloudWatchLogProcessing"}
    if not processors >= needed or processors - needed - {"AppendDelimiterToRecord"}:
        return "only the processors Decompression, CloudWatchLogProcessing and AppendDelimiterToRecord are imitated"
    return None
