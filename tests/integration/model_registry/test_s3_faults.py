"""The S3 store against a server that misbehaves on a real socket: resets, silence, lost answers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from model_registry.errors import ObjectTooLargeError, PreconditionFailedError, StoreUnavailableError
from model_registry.stores.base import reads_until
from model_registry.stores.s3 import S3Store, make_s3_client
from processes import GENEROUS_S, wait_until

OK_HEAD = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: "e"\r\n\r\n'


@contextmanager
def server(answer: Callable[[socket.socket, int], None], **options: float) -> Iterator[tuple[S3Store, list[int]]]:
    """Run a server whose n-th connection is handled by ``answer``; yield a store on it and the connections so far."""
    calls: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    calls.append(len(calls) + 1)
                    connection.settimeout(5)
                    request = b""
                    while b"\r\n\r\n" not in request:
                        request += connection.recv(65536)
                    answer(connection, calls[-1])

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        client = make_s3_client(
            f"http://127.0.0.1:{listener.getsockname()[1]}", connect_timeout_s=0.2, read_timeout_s=0.3, max_attempts=2
        )
        try:
            yield S3Store("models", client, **options), calls
        finally:
            client.close()
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.fault(16)
@pytest.mark.parametrize("head", [b"Content-Length: 1000000000\r\n", b""], ids=["says so", "says nothing"])
def test_fault_16_no_more_of_an_object_is_read_than_it_may_have(head: bytes) -> None:
    sent_pieces = []

    def answer(connection: socket.socket, call: int) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "e"\r\n' + head + b"\r\n")
        with contextlib.suppress(OSError):
            for _ in range(1000):
                connection.sendall(b"x" * 1_000_000)
                sent_pieces.append(call)

    with server(answer) as (store, _):
        with pytest.raises(ObjectTooLargeError, match="at most 2,000,000 are read"):
            store.get("a", limit_bytes=2_000_000)
        assert len(sent_pieces) < 100


@pytest.mark.fault(15)
def test_fault_15_a_connection_that_ends_within_the_body_is_tried_again() -> None:
    def answer(connection: socket.socket, call: int) -> None:
        connection.sendall(OK_HEAD + (b"0123456789" if call == 3 else b"0123"))

    with server(answer) as (store, calls):
        assert store.get("a").body == b"0123456789"
        assert len(calls) == 3


@pytest.mark.fault(15)
def test_fault_15_a_bucket_that_never_answers_is_given_up_after_botocores_attempts() -> None:
    hung_up: list[bool] = []
    with server(lambda connection, call: hung_up.append(client_hangs_up(connection))) as (store, calls):
        with pytest.raises(StoreUnavailableError, match="models/a"):
            store.get("a")
        assert wait_until(lambda: len(hung_up) == len(calls))
        assert len(calls) <= 2
        assert all(hung_up)


def client_hangs_up(connection: socket.socket) -> bool:
    """Say nothing until the client ends the connection; return whether it did within half a minute."""
    connection.settimeout(GENEROUS_S)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def drip(connection: socket.socket, what: bytes) -> None:
    """Send a byte now and then until the client ends the connection: no wait for a byte is ever too long."""
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(what)
            time.sleep(0.1)


def _drip_body(connection: socket.socket, call: int) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: "e"\r\n\r\n')
    drip(connection, b"a")


def _drip_head(connection: socket.socket, call: int) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    drip(connection, b"a")


def _say_nothing(connection: socket.socket, call: int) -> None:
    client_hangs_up(connection)


@pytest.mark.fault(15)
@pytest.mark.parametrize("answer", [_drip_body, _drip_head, _say_nothing])
def test_fault_15_a_bucket_that_is_slow_beyond_the_deadline_is_given_up(
    answer: Callable[[socket.socket, int], None],
) -> None:
    # The server never ends an answer, so nothing but the deadline ends the read.
    with server(answer) as (store, _):
        deadline_s = time.monotonic() + 0.4
        with reads_until(deadline_s, time.monotonic), pytest.raises(StoreUnavailableError, match="models/a"):
            store.get_if_changed("a", '"e"')
        assert deadline_s - time.monotonic() < 0.1


@pytest.mark.fault(15)
def test_fault_15_a_read_that_was_given_up_ends() -> None:
    before = set(threading.enumerate())
    with server(_drip_body) as (store, calls):
        with reads_until(time.monotonic() + 0.3, time.monotonic), pytest.raises(StoreUnavailableError):
            store.get("a")
        [reading] = [thread for thread in threading.enumerate() if thread not in before and "read of" in thread.name]
        reading.join(5)
        assert not reading.is_alive()
        assert len(calls) == 1


@pytest.mark.fault(15)
def test_fault_15_a_store_has_a_limit_of_its_own() -> None:
    with server(_drip_body, total_timeout_s=0.3) as (store, _), pytest.raises(StoreUnavailableError):
        store.get("a")


@pytest.mark.fault(15)
def test_fault_15_past_the_deadline_the_bucket_is_not_asked() -> None:
    with server(_drip_body) as (store, calls):
        with reads_until(time.monotonic(), time.monotonic), pytest.raises(StoreUnavailableError):
            store.get("a")
        assert not calls


@pytest.mark.fault(17)
def test_fault_17_a_write_whose_answer_was_lost_recognises_itself() -> None:
    """The first PUT took effect, its answer was lost; botocore sends it again and meets its own object."""
    body = b'{"update_id": "unique"}'

    def answer(connection: socket.socket, call: int) -> None:
        if call == 2:
            connection.sendall(
                b"HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/xml\r\nContent-Length: 58\r\n\r\n"
                b"<Error><Code>PreconditionFailed</Code><Message/></Error>  "
            )
        elif call == 3:
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: "e"\r\n\r\n%s' % (len(body), body))

    with server(answer) as (store, calls):
        assert store.put("a", body, if_match='"before"') == '"e"'
        assert len(calls) == 3


def test_a_write_that_met_somebody_elses_object_has_lost() -> None:
    def answer(connection: socket.socket, call: int) -> None:
        connection.sendall(
            b"HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/xml\r\nContent-Length: 58\r\n\r\n"
            b"<Error><Code>PreconditionFailed</Code><Message/></Error>  "
        )

    with server(answer) as (store, calls), pytest.raises(PreconditionFailedError):
        store.put("a", b"mine", if_absent=True)
    assert len(calls) == 1
