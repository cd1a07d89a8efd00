"""Runs the bucket as a process of its own beside the HTTP API and Lambda's API, for ``python -m emulator``."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

from emulator.bucket.errors import BucketError
from emulator.child import ChildStartError, EmulatorChild
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
    """Run the bucket; yield its URL and an event for its end."""
    arguments = ["--port", str(options.port), f"--port-flag={options.port_flag}", "--data-dir", str(options.data_dir)]
    arguments += [word for host in options.hosts for word in ("--host", host)]
    arguments += [word for bucket in options.buckets for word in ("--bucket", bucket)]
    arguments += [word for name in options.allowed_hosts for word in ("--allow-host", name)]
    child = EmulatorChild("bucket", arguments)
    ended = asyncio.Event()
    watch_exit(child.process.pid, ended.set, otherwise=child.process.wait)
    try:
        facts = await asyncio.to_thread(child.wait_ready, _BUCKET_START_LIMIT_S)
        yield str(facts["url"]), ended
    except ChildStartError as error:
        raise BucketProcessError(f"the bucket {error}") from error
    finally:
        await asyncio.to_thread(child.stop, _BUCKET_STOP_LIMIT_S)
