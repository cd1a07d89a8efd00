"""``python -m emulator bucket``: serves a data folder as an S3-style bucket until a signal comes."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from emulator.browser_guard import BrowserGuard
from emulator.bucket.disk import Disk
from emulator.bucket.errors import BucketError, DataFolderInUseError
from emulator.bucket.object_feed import ObjectFeed
from emulator.cli.bucket_pages import BucketPages
from emulator.cli.flags import DEFAULT_DATA_DIR, Options
from emulator.cli.terminal import (
    port_errors_name,
    say,
    stop_on_signals,
    url_of,
    without_garbage_collection,
    write_ready_file,
)
from emulator.durable_files import lock_folder, make_folder
from emulator.object_events import ObjectEvent

if TYPE_CHECKING:
    from emulator.bucket.store import Store

DEFAULT_HOSTS = ("127.0.0.1",)


async def serve_bucket(options: Options) -> None:
    """Serve until SIGINT or SIGTERM; write the URL into the ready file once requests are answered."""
    # Imported here: the other commands don't need it.
    with without_garbage_collection():
        from emulator.bucket.server import BucketServer

    hosts, folder = options.bucket_host or DEFAULT_HOSTS, options.data_dir or DEFAULT_DATA_DIR
    disk = Disk(folder)
    try:
        # Before the lock, which is a file: another program's folder must stay as it is.
        disk.check()
        make_folder(folder)
        lock = lock_folder(folder)
    except OSError as error:
        raise BucketError(f"the data folder {folder} can't be used: {error.strerror}") from error
    if lock is None:
        raise DataFolderInUseError(folder)
    with lock:
        guard = BrowserGuard([*hosts, *options.allow_host])
        feed = ObjectFeed()
        store = await _open_store(disk, options.bucket, feed.publish)
        feed.catch_up = store.changes_after
        pages = BucketPages(store, feed, guard, options.bucket)
        server = BucketServer(store, guard, pages.answer)
        server.gate = pages.gate
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
            feed.close()
            await server.stop()


async def _open_store(disk: Disk, buckets: Iterable[str], publish: Callable[[ObjectEvent], object]) -> Store:
    """Load a locked data folder, report damaged files, and create the named buckets."""
    from emulator.bucket.answers import S3Error
    from emulator.bucket.store import Store

    disk.prepare()
    store = Store(disk, lambda: dt.datetime.now(dt.UTC), publish)
    store.load()
    for error in disk.corrupt:
        say(f"bucket: {error}; it is set aside in {disk.root / 'set-aside'} and not served")
    for bucket in store.rebuilt:
        say(f"bucket: the settings of {bucket!r} were lost; it is served with its objects and default settings")
    for bucket in buckets:
        try:
            await store.create_bucket(bucket)
        except (S3Error, OSError) as error:
            raise BucketError(f"can't create the bucket {bucket!r}: {error}") from error
    return store
