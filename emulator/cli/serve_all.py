"""Runs the bucket as a process of its own beside the HTTP API and Lambda's API, for ``python -m emulator``."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator

from emulator.bucket.errors import BucketError
from emulator.cli.options import with_variables
from emulator.cli.serve import Listening, ProjectOptions, read_project, serve
from emulator.cli.serve_bucket import BucketOptions
from emulator.lambda_service.sandbox.processes import watch_exit

_BUCKET_START_LIMIT_S = 30.0
_BUCKET_STOP_LIMIT_S = 1.5


class BucketProcessError(BucketError):
    """The bucket's process ended; its own message says why."""


async def serve_everything(options: ProjectOptions, listening: Listening, bucket: BucketOptions) -> None:
    """Serve the bucket and the APIs until SIGINT or SIGTERM. Without an HTTP API in the template, Lambda's API alone.

    Raises
    ------
    BucketProcessError
        The bucket can't be started, or ended by itself.
    """
    project = read_project(options)
    if not project.apis:
        listening = dataclasses.replace(listening, api_port=None)
    async with _bucket_process(dataclasses.replace(bucket, buckets=project.buckets)) as (url, ended):
        if options.s3_endpoint is None:
            options = dataclasses.replace(options, s3_endpoint=url)
            project = with_variables(project, {}, url)
        serving = asyncio.create_task(serve(project, options, listening))
        watching = asyncio.create_task(ended.wait())
        try:
            await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            serving.cancel()
            watching.cancel()
            await asyncio.wait({serving, watching})
        if serving.cancelled():
            raise BucketProcessError("the bucket's process has ended by itself; stopping")
        serving.result()


@contextlib.asynccontextmanager
async def _bucket_process(options: BucketOptions) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Run the bucket; yield its URL and an event for its end. It ends with this process, after ``kill -9`` too."""
    life_read, life_write = os.pipe()
    # A pipe leaves nothing behind, however this process ends; a file would.
    ready_read, ready_write = os.pipe()
    command = [sys.executable, "-m", "emulator", "bucket", "--port", str(options.port)]
    command += [f"--port-flag={options.port_flag}", "--data-dir", str(options.data_dir)]
    command += ["--ready-file", f"/dev/fd/{ready_write}", "--life-fd", str(life_read)]
    command += [word for host in options.hosts for word in ("--host", host)]
    command += [word for bucket in options.buckets for word in ("--bucket", bucket)]
    command += [word for name in options.allowed_hosts for word in ("--allow-host", name)]
    # In a session of its own, so that Ctrl-C doesn't end the bucket before the functions.
    process = subprocess.Popen(
        command, pass_fds=(life_read, ready_write), stdin=subprocess.DEVNULL, start_new_session=True
    )
    os.close(life_read)
    os.close(ready_write)
    ended = asyncio.Event()
    watch_exit(process.pid, ended.set, otherwise=process.wait)
    try:
        yield await _wait_ready(ready_read), ended
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, _BUCKET_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(life_write)


async def _wait_ready(ready_read: int) -> str:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ready_read, "rb", buffering=0)
    )
    try:
        async with asyncio.timeout(_BUCKET_START_LIMIT_S):
            line = await reader.readline()
    except TimeoutError:
        raise BucketProcessError(f"the bucket was not ready within {_BUCKET_START_LIMIT_S:.0f} s") from None
    finally:
        transport.close()
    if not line:
        raise BucketProcessError("the bucket could not be started")
    return str(json.loads(line)["url"])
