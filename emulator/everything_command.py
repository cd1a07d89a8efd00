"""``python -m emulator``: the bucket as a process of its own, and the HTTP API in this one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from emulator.api_command import ApiOptions, ProjectOptions, read_project, serve_api
from emulator.options import with_variables

_BUCKET_START_LIMIT_S = 30.0
_BUCKET_STOP_LIMIT_S = 1.5


class BucketProcessError(Exception):
    """The bucket's process ended; it has said why itself."""


@dataclass(frozen=True, slots=True)
class BucketProcessOptions:
    """Where the bucket listens and keeps its data."""

    hosts: tuple[str, ...]
    port: int
    data_dir: Path


async def serve_everything(options: ProjectOptions, api: ApiOptions, bucket: BucketProcessOptions) -> None:
    """Serve bucket and API until SIGINT or SIGTERM.

    Raises
    ------
    BucketProcessError
        The bucket can't be started.
    """
    project = read_project(options)
    async with _bucket_process(bucket, project.buckets) as url:
        if options.s3_endpoint is None:
            project = with_variables(project, {}, url)
        await serve_api(project, options, api)


@contextlib.asynccontextmanager
async def _bucket_process(options: BucketProcessOptions, buckets: tuple[str, ...]) -> AsyncIterator[str]:
    """Run the bucket; it ends with this process, whatever happens to that."""
    life_read, life_write = os.pipe()
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = [sys.executable, "-m", "emulator", "bucket", "--port", str(options.port)]
        command += ["--port-flag=--bucket-port", "--data-dir", str(options.data_dir), "--ready-file", str(ready)]
        command += ["--life-fd", str(life_read)]
        command += [word for host in options.hosts for word in ("--host", host)]
        command += [word for bucket in buckets for word in ("--bucket", bucket)]
        # In a session of its own, so that Ctrl-C reaches it through this process, after the functions have ended.
        process = subprocess.Popen(command, pass_fds=(life_read,), stdin=subprocess.DEVNULL, start_new_session=True)
        os.close(life_read)
        try:
            yield await _wait_ready(process, ready)
        finally:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, _BUCKET_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(life_write)


async def _wait_ready(process: subprocess.Popen[bytes], ready: Path) -> str:
    deadline = asyncio.get_running_loop().time() + _BUCKET_START_LIMIT_S
    while asyncio.get_running_loop().time() < deadline:
        if ready.exists():
            return str(json.loads(ready.read_text(encoding="utf-8"))["url"])
        if process.poll() is not None:
            raise BucketProcessError("the bucket could not be started")
        await asyncio.sleep(0.01)
    raise BucketProcessError(f"the bucket was not ready within {_BUCKET_START_LIMIT_S:.0f} s")
