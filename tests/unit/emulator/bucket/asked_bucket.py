"""A store over a folder that can be told to fail, asked as over HTTP and without a socket."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import StreamReader
from multidict import CIMultiDict

from emulator.bucket.disk import Disk
from emulator.bucket.dispatch import answer_request
from emulator.bucket.object_files import ObjectFile, ObjectFileWriter
from emulator.bucket.store import Store
from emulator.object_events import ObjectEvent


@dataclass
class Answer:
    """An answer with its whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class FailingDisk(Disk):
    """A disk that is full, or slow, when told."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.error: Exception | None = None
        self.may_write = threading.Event()
        self.may_write.set()
        self.is_writing = threading.Event()
        self.read: list[str] = []

    def _read(self, path: Path) -> ObjectFile | None:
        self.read.append(path.name.partition(".")[0])
        return super()._read(path)

    def _write(self, path: Path, facts: Mapping[str, object]) -> None:
        self._wait()
        super()._write(path, facts)

    def _keep(self, writer: ObjectFileWriter, path: Path, facts: Mapping[str, object]) -> ObjectFile:
        self._wait()
        return super()._keep(writer, path, facts)

    def _wait(self) -> None:
        self.is_writing.set()
        assert self.may_write.wait(5)
        if self.error is not None:
            raise self.error


class Bucket:
    """A store over a folder, asked as over HTTP."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.disk = FailingDisk(folder)
        self.disk.prepare()
        self.events: list[ObjectEvent] = []
        self.store = Store(self.disk, lambda: dt.datetime.now(dt.UTC), self.events.append)
        self.store.load()

    def create(self, name: str) -> None:
        self.runner.run(self.store.create_bucket(name))

    def again(self) -> Bucket:
        """Return the same folder as a program finds it that is started anew."""
        return Bucket(self.disk.root, self.runner)

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        return self.runner.run(self.answer(method, target, body, **headers))

    async def answer(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        sent = CIMultiDict({"Content-Length": str(len(body))} | headers)
        stream = StreamReader(_Protocol(), 2**16, loop=asyncio.get_running_loop())
        stream.feed_data(body)
        stream.feed_eof()
        answer = await answer_request(self.store, method, target, sent, stream, _invite)
        span, descriptor = answer.span, answer.descriptor
        if descriptor is None or span is None:
            return Answer(answer.status, answer.headers, answer.body)
        content = os.pread(descriptor, span.size_bytes, span.file.body_offset + span.start)
        os.close(descriptor)
        return Answer(answer.status, answer.headers, content)


async def _invite() -> None:
    """Do nothing: the body is there."""


class _Protocol:
    """What a stream needs of its connection."""

    _reading_paused = False

    def resume_reading(self, *, resume_parser: bool = True) -> None:
        """Do nothing: the body is there."""

    def pause_reading(self) -> None:
        """Do nothing: the body is there."""
