"""``python -m emulator bucket``: serves a data folder as an S3-style bucket until a signal comes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from emulator.browser_guard import BrowserGuard
from emulator.bucket.disk import Disk
from emulator.bucket.errors import BucketError, DataFolderInUseError
from emulator.cli.flags import DEFAULT_DATA_DIR, Options
from emulator.cli.terminal import port_errors_name, say, stop_on_signals, url_of, write_ready_file
from emulator.durable_files import lock_folder, make_folder

if TYPE_CHECKING:
    from emulator.bucket.write_through import WriteThrough

DEFAULT_HOSTS = ("127.0.0.1",)
_OPEN_FILES_IF_UNLIMITED = 10_240


async def serve_bucket(options: Options) -> None:
    """Serve until SIGINT or SIGTERM; write the URL into the ready file once requests are answered."""
    # Imported here: moto takes 0.6 s to import, and the other commands don't need it.
    from emulator.bucket.server import BucketServer

    # moto warns of each replaced object whose memory Python, not moto, has freed.
    warnings.filterwarnings("ignore", "S3 key was not disposed of in time", ResourceWarning)
    _allow_open_files()
    hosts, folder = options.bucket_host or DEFAULT_HOSTS, options.data_dir or DEFAULT_DATA_DIR
    disk = Disk(folder)
    # Before the lock, which is a file: another program's folder must stay as it is.
    disk.check()
    make_folder(folder)
    lock = lock_folder(folder)
    if lock is None:
        raise DataFolderInUseError(folder)
    with lock:
        store = _open_store(disk, options.bucket)
        server = BucketServer(store, BrowserGuard([*hosts, *options.allow_host]))
        stopping = stop_on_signals(asyncio.get_running_loop())
        try:
            with port_errors_name(", ".join(hosts), options.bucket_port, options.port_flag):
                for host in hosts:
                    # A port of 0 is drawn once and used for every host.
                    await server.start(host, server.port or options.bucket_port)
            for host in hosts:
                say(f"Bucket running on {url_of(host, server.port)} (data in {folder})")
            write_ready_file(options.ready_file, url=url_of(hosts[0], server.port), pid=os.getpid())
            await stopping.wait()
        finally:
            await server.stop()


def _allow_open_files() -> None:
    """Raise the limit of open files: moto keeps one open for each object version of 16 MiB or more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS reports no limit, and refuses more than this.
    limit = _OPEN_FILES_IF_UNLIMITED if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < limit:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _open_store(disk: Disk, buckets: Iterable[str]) -> WriteThrough:
    """Load a locked data folder, report damaged files, and create the named buckets."""
    from emulator.bucket.moto_memory import MotoMemory
    from emulator.bucket.write_through import WriteThrough

    disk.prepare()
    store = WriteThrough(disk, MotoMemory())
    store.load()
    for error in disk.corrupt:
        say(f"bucket: {error}; it is set aside in {disk.root / 'set-aside'} and not served")
    for bucket in store.rebuilt:
        say(f"bucket: the settings of {bucket!r} were lost; it is served with its objects and default settings")
    for bucket in buckets:
        answer = store.create_bucket(bucket)
        if answer.status != 200:
            raise BucketError(f"can't create the bucket {bucket!r}: {answer.body.decode(errors='replace')}")
    return store
