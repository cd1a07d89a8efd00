"""Delivering log lines: buffers, object names, a bucket that is away, and what is dropped. The bucket is a fake."""

from __future__ import annotations

import datetime as dt
import gzip
import threading
from dataclasses import replace

import pytest

from emulator.event_sources import log_delivery
from emulator.event_sources.delivery_buffer import DeliveryBuffer
from emulator.event_sources.log_delivery import LogDelivery
from emulator.template.event_sources.delivery_spec import BufferingHints, S3Destination, StreamSpec, SubscriptionSpec
from emulator.template.event_sources.filter_patterns import FilterPattern, parse_filter_pattern
from emulator.template.event_sources.object_prefixes import parse_prefix
from processes import wait_until

MOMENT = dt.datetime(2026, 3, 4, 23, 59, 59, tzinfo=dt.UTC)
DESTINATION = S3Destination(
    "arn:aws:s3:::logs", BufferingHints(60, 1), "GZIP", prefix=parse_prefix("log/dt=!{timestamp:yyyy-MM-dd}/")
)
STREAM = StreamSpec("Stream", "stream", "logs", DESTINATION)
SUBSCRIPTION = SubscriptionSpec("S", "group", parse_filter_pattern("{ $.a > 0 }"), STREAM)


class Bucket:
    """Keeps objects in memory; raises `error` while there is one, and waits while `gate` is closed."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.error: Exception | None = None
        self.attempts = 0
        self.gate = threading.Event()
        self.gate.set()

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.attempts += 1
        self.gate.wait(30)
        if self.error is not None:
            raise self.error
        self.objects[f"{bucket}/{key}"] = body

    @property
    def lines(self) -> list[bytes]:
        return [line for body in self.objects.values() for line in gzip.decompress(body).splitlines()]


def deliver(bucket: Bucket, interval_s: float = 0.01, stream: StreamSpec = STREAM) -> LogDelivery:
    return LogDelivery([replace(SUBSCRIPTION, stream=stream)], bucket, interval_s)


def offer(delivery: LogDelivery, *lines: bytes) -> None:
    for take in delivery.subscribers["group"]:
        take(b"".join(line + b"\n" for line in lines))


@pytest.mark.fidelity("object-names")
def test_an_object_is_named_by_its_oldest_message() -> None:
    buffer = DeliveryBuffer(STREAM, 2.0, lambda: "unique-id")
    buffer.add(b"one", 10.0, MOMENT)
    buffer.add(b"two", 11.0, MOMENT + dt.timedelta(seconds=1))
    assert buffer.due_at == 12.0
    written = buffer.take()
    assert written.key == "log/dt=2026-03-04/stream-1-2026-03-04-23-59-59-unique-id.gz"
    assert gzip.decompress(written.body) == b"one\ntwo\n"
    assert (written.messages, written.size_bytes, buffer.due_at) == (2, 8, None)


@pytest.mark.fidelity("log-delivery")
def test_the_interval_is_shortened_and_never_lengthened() -> None:
    for given_s, used_s in ((2.0, 2.0), (500.0, 60.0)):
        buffer = DeliveryBuffer(STREAM, given_s, str)
        buffer.add(b"one", 0.0, MOMENT)
        assert buffer.due_at == used_s


def test_an_uncompressed_object_has_no_ending() -> None:
    stream = replace(STREAM, destination=replace(DESTINATION, compression_format="UNCOMPRESSED"))
    buffer = DeliveryBuffer(stream, 1.0, lambda: "id")
    buffer.add(b"one", 0.0, MOMENT)
    assert buffer.take().body == b"one\n"


@pytest.mark.fidelity("log-delivery")
def test_matching_lines_are_delivered_in_order_and_once() -> None:
    bucket = Bucket()
    delivery = deliver(bucket)
    wanted = [b'{"a": %d}' % number for number in range(1, 200)]
    for number, line in enumerate(wanted):
        offer(delivery, b"text", line, b'{"a": 0}', b"")
        if number % 50 == 0:
            assert wait_until(lambda: bool(bucket.objects))
    delivery.close(30)
    assert bucket.lines == wanted
    (status,) = delivery.status()
    assert (status["delivered"], status["waitingBytes"], status["droppedLines"]) == (199, 0, 0)


@pytest.mark.fidelity("log-delivery")
def test_a_full_buffer_is_written_before_its_time() -> None:
    bucket = Bucket()
    delivery = deliver(bucket, interval_s=60.0)
    line = b'{"a": 1, "text": "%s"}' % (b"x" * 300_000)
    for _ in range(4):
        offer(delivery, line)
    assert wait_until(lambda: bool(bucket.objects))
    assert bucket.lines == [line] * 4
    delivery.close(30)


@pytest.mark.fidelity("delivery-retries")
def test_what_a_bucket_that_is_away_missed_comes_later(caplog: pytest.LogCaptureFixture) -> None:
    bucket = Bucket()
    bucket.error = OSError("away")
    delivery = deliver(bucket)
    offer(delivery, b'{"a": 1}')
    assert wait_until(lambda: bucket.attempts > 1)
    assert delivery.status()[0]["failure"] == "away"
    offer(delivery, b'{"a": 2}')
    bucket.error = None
    assert wait_until(lambda: len(bucket.lines) == 2)
    delivery.close(30)
    assert bucket.lines == [b'{"a": 1}', b'{"a": 2}']
    assert delivery.status()[0]["failure"] is None
    # The fault is told once, not at each attempt.
    assert [record.getMessage() for record in caplog.records] == [
        "Stream: the log can't be delivered, and is tried again: away",
        "Stream: the log is delivered again; 0 lines were dropped",
    ]


@pytest.mark.fidelity("delivery-retries")
def test_memory_is_bounded_and_what_is_dropped_is_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_delivery, "MAX_WAITING_BYTES", 100)
    bucket = Bucket()
    bucket.gate.clear()
    delivery = deliver(bucket)
    offer(delivery, b'{"a": 1}')
    # The bucket takes the object and doesn't answer; nobody waits for it.
    assert wait_until(lambda: bucket.attempts == 1)
    for number in range(2, 50):
        offer(delivery, b'{"a": %d}' % number)
    (status,) = delivery.status()
    assert status["waitingBytes"] <= 100
    assert status["droppedLines"] == 49 - len(range(1, 11))
    bucket.error = OSError("away")
    bucket.gate.set()
    assert wait_until(lambda: delivery.status()[0]["failure"] is not None)
    bucket.error = None
    delivery.close(30)
    assert len(bucket.lines) == 49 - status["droppedLines"]
    assert f"{status['droppedLines']} lines were dropped" in caplog.text


def test_a_close_gives_a_silent_bucket_only_so_long(caplog: pytest.LogCaptureFixture) -> None:
    bucket = Bucket()
    bucket.gate.clear()
    delivery = deliver(bucket)
    offer(delivery, b'{"a": 1}')
    assert wait_until(lambda: bucket.attempts == 1)
    delivery.close(0.01)
    assert "Stream: 9 bytes of the log were not delivered: the bucket is too slow" in caplog.text
    bucket.gate.set()


def pattern_that_fails(line: bytes) -> FilterPattern:
    """Return a pattern that matches every line, and raises on this one."""

    def matches(text: bytes) -> bool:
        if text == line:
            raise RuntimeError("a mistake")
        return True

    return FilterPattern("broken", matches)


@pytest.mark.fidelity("log-delivery")
def test_a_pattern_that_fails_on_a_line_loses_that_line_alone(caplog: pytest.LogCaptureFixture) -> None:
    bucket = Bucket()
    broken = replace(SUBSCRIPTION, log_group="broken", pattern=pattern_that_fails(b"two"))
    delivery = LogDelivery([broken, SUBSCRIPTION], bucket, 0.01)
    (take,) = delivery.subscribers["broken"]
    for _ in range(2):
        take(b"one\ntwo\nthree\n")
        offer(delivery, b'{"a": 1}')
    # Closing at once: the end of the queue comes in the round of the line that fails.
    delivery.close(30)
    assert bucket.lines == [b"one", b"three", b'{"a": 1}'] * 2
    (status,) = delivery.status()
    assert (status["delivered"], status["waitingBytes"], status["droppedLines"]) == (6, 0, 2)
    # The traceback stands in the log once, not for each line.
    assert caplog.text.count("the pattern 'broken' failed on a line") == 1


def test_a_writer_that_fails_otherwise_is_tried_again_at_the_end_too() -> None:
    bucket = Bucket()
    bucket.error = RuntimeError("a mistake")
    delivery = deliver(bucket)
    offer(delivery, b'{"a": 1}')
    assert wait_until(lambda: delivery.status()[0]["failure"] == "a mistake")
    bucket.error = None
    offer(delivery, b'{"a": 2}')
    delivery.close(30)
    assert bucket.lines == [b'{"a": 1}', b'{"a": 2}']


def test_at_the_end_a_silent_bucket_does_not_keep_another_streams_lines() -> None:
    is_written = threading.Event()

    class Buckets:
        """One that answers only once the other has its object."""

        def put(self, bucket: str, key: str, body: bytes) -> None:
            if bucket == "silent":
                assert is_written.wait(10)
            is_written.set()

    streams = [replace(STREAM, bucket="silent"), replace(STREAM, logical_id="Other")]
    delivery = LogDelivery([replace(SUBSCRIPTION, stream=stream) for stream in streams], Buckets(), 60.0)
    offer(delivery, b'{"a": 1}')
    delivery.close(30)
    assert [status["delivered"] for status in delivery.status()] == [1, 1]
