"""What a process prints reaches its log whole: every line, and each line alone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from emulator.lambda_service.sandbox.logs import MAX_LINE_BYTES, LogPipe, LogTail

Scenario = Callable[[LogPipe, "Output"], Coroutine[Any, Any, None]]


class Output:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.data = b""
        self.behind = False

    def write(self, data: bytes) -> None:
        assert data.endswith(b"\n")
        self.data += data

    def is_behind(self) -> bool:
        return self.behind

    @property
    def lines(self) -> list[bytes]:
        return self.data.split(b"\n")[:-1]


def run(scenario: Scenario) -> None:
    async def whole() -> None:
        output = Output()
        pipe = LogPipe(output)
        try:
            await scenario(pipe, output)
        finally:
            os.close(pipe.write_fd)
            pipe.finish()

    asyncio.run(whole())


@pytest.mark.fidelity("unfinished-line")
def test_a_line_without_an_end_belongs_to_its_invocation() -> None:
    async def scenario(pipe: LogPipe, output: Output) -> None:
        pipe.tail = first = LogTail()
        os.write(pipe.write_fd, b"first\nwithout end")
        pipe.end_line()
        pipe.tail = second = LogTail()
        os.write(pipe.write_fd, b"second")
        pipe.end_line()
        pipe.end_line()
        assert (first.value, second.value) == (b"first\nwithout end\n", b"second\n")
        assert output.lines == [b"first", b"without end", b"second"]

    run(scenario)


@pytest.mark.fidelity("log-event-limit")
@pytest.mark.parametrize("is_ended", [True, False])
def test_a_line_over_the_limit_is_divided_and_loses_nothing(is_ended: bool) -> None:
    line = b"x" * (MAX_LINE_BYTES - 1) + "é".encode() * (MAX_LINE_BYTES // 2) + b"end"

    async def scenario(pipe: LogPipe, output: Output) -> None:
        def write() -> None:
            rest = memoryview(line + (b"\nnext\n" if is_ended else b""))
            while rest:
                rest = rest[os.write(pipe.write_fd, rest) :]

        await asyncio.to_thread(write)
        pipe.end_line()
        pieces = output.lines[:-1] if is_ended else output.lines
        assert b"".join(pieces) == line
        assert [len(piece) for piece in pieces] == [MAX_LINE_BYTES - 1, MAX_LINE_BYTES, 3]
        for piece in pieces:
            piece.decode()

    run(scenario)


def test_a_line_at_the_limit_stays_whole() -> None:
    async def scenario(pipe: LogPipe, output: Output) -> None:
        for size in (MAX_LINE_BYTES, MAX_LINE_BYTES + 1):
            await asyncio.to_thread(os.write, pipe.write_fd, b"y" * size + b"\n")
            pipe.end_line()
        assert [len(line) for line in output.lines] == [MAX_LINE_BYTES, MAX_LINE_BYTES, 1]

    run(scenario)


@pytest.mark.fidelity("flooding-handler")
def test_whoever_prints_faster_than_is_written_waits_and_loses_nothing() -> None:
    async def scenario(pipe: LogPipe, output: Output) -> None:
        output.behind = True
        lines = b"".join(b"%d\n" % number for number in range(100_000))
        writing = asyncio.ensure_future(asyncio.to_thread(write_all, pipe.write_fd, lines))
        while not await asyncio.to_thread(is_full, pipe.write_fd):
            pass
        # The end of an invocation takes what is in the pipe, and returns.
        pipe.drain()
        assert not writing.done()
        output.behind = False
        await writing
        pipe.end_line()
        assert output.data == lines

    run(scenario)


def write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def is_full(descriptor: int) -> bool:
    import select

    return not select.select([], [descriptor], [], 0.01)[1]
