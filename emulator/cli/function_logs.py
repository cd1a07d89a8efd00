"""Where the functions' output goes while a command runs: to stderr or a file, and to the template's buckets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

from emulator.cli.flags import Options
from emulator.cli.terminal import say
from emulator.event_sources.log_delivery import LogDelivery
from emulator.lambda_service.log_groups.log_file import LogFile
from emulator.lambda_service.log_groups.sink import LogSink
from emulator.lambda_service.log_groups.store import LogStore
from emulator.template.errors import ProjectError
from emulator.template.project import Project

_STDERR = 2
# In the state folder.
_STORE_FOLDER = "logs"
# Of the two seconds that stopping may take.
_LAST_DELIVERY_LIMIT_S = 1.0


class FunctionLogs(NamedTuple):
    """The outputs of one command."""

    sink: LogSink
    delivery: LogDelivery | None


@contextlib.asynccontextmanager
async def open_logs(project: Project, options: Options) -> AsyncIterator[FunctionLogs]:
    """Yield the outputs; on exit, write and deliver what remains."""
    with contextlib.ExitStack() as closing:
        target: int | LogFile = _STDERR
        if options.log_file is not None:
            try:
                target = LogFile(options.log_file)
            except OSError as error:
                raise ProjectError(f"--log-file {options.log_file}: {error.strerror}") from error
            closing.callback(target.close)
        store = None
        if options.state_dir is not None:
            store = LogStore(options.state_dir / _STORE_FOLDER)
            closing.callback(store.close)
        delivery = _delivery(project, options)
        sink = LogSink(target, None if delivery is None else delivery.subscribers, store)
        closing.callback(sink.close)
        try:
            yield FunctionLogs(sink, delivery)
        finally:
            if delivery is not None:
                await asyncio.to_thread(delivery.close, _LAST_DELIVERY_LIMIT_S)


def _delivery(project: Project, options: Options) -> LogDelivery | None:
    if not project.subscriptions:
        return None
    if options.s3_endpoint is None:
        names = ", ".join(subscription.logical_id for subscription in project.subscriptions)
        say(f"emulator: {names}: the log isn't delivered; name the bucket's server with --s3-endpoint")
        return None
    # Imported here: botocore takes a fifth of a second to import.
    from emulator.event_sources.bucket_writer import BucketWriter

    return LogDelivery(project.subscriptions, BucketWriter(options.s3_endpoint), options.delivery_interval)
