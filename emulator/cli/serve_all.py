"""``python -m emulator``: serves the HTTP API and Lambda's API, and the bucket in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

from emulator.bucket.errors import BucketError
from emulator.child import ChildStartError, EmulatorChild
from emulator.cli.flags import Options
from emulator.cli.serve import serve
from emulator.cli.settings.options import with_variables
from emulator.lambda_service.sandbox.processes import watch_exit
from emulator.supervision import first_of
from emulator.template.project import Project

_BUCKET_START_LIMIT_S = 30.0
_BUCKET_STOP_LIMIT_S = 1.5


class BucketProcessError(BucketError):
    """The bucket's process ended; its own message says why."""


async def serve_everything(project: Project, options: Options, machine: Mapping[str, str]) -> None:
    """Serve the bucket and the APIs until SIGINT or SIGTERM. A template without an HTTP API gets only Lambda's API."""
    if not project.apis:
        options = options.replaced(api_port=None)
    async with _bucket_process(options, project.buckets) as (url, ended):
        options = options.replaced(own_bucket=url)
        if options.s3_endpoint is None:
            options = options.replaced(s3_endpoint=url)
            project = with_variables(project, {}, url)
        await first_of(serve(project, options, machine), _fail_once(ended))


async def _fail_once(ended: asyncio.Event) -> None:
    await ended.wait()
    raise BucketProcessError("the bucket's process has ended unexpectedly, so the emulator stops, too")


@contextlib.asynccontextmanager
async def _bucket_process(options: Options, buckets: Iterable[str]) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Run the bucket; yield its URL and an event for its end."""
    arguments = [f"--port={options.bucket_port}", f"--port-flag={options.port_flag}", f"--data-dir={options.data_dir}"]
    arguments += [f"--host={host}" for host in options.bucket_host or ()]
    arguments += [f"--bucket={bucket}" for bucket in buckets]
    arguments += [f"--allow-host={name}" for name in options.allow_host]
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
