"""``POST /_emulator/reset``: a fresh emulator for the next test, without starting a process of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientError, ClientSession

from emulator.cli.function_logs import FunctionLogs
from emulator.durable_files import remove_folder
from emulator.http_server import RESET_PATH, Gate
from emulator.lambda_service.data_plane.event_queue.retries import AsyncInvocations
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.metrics import RequestMeter
from emulator.template.errors import ProjectError

# For an object of the log's delivery that is being written.
_DELIVERY_LIMIT_S = 5.0


class ResetError(ProjectError):
    """The bucket can't be emptied; the rest is reset."""


@dataclass
class Reset:
    """Everything that a start would find empty.

    Parameters
    ----------
    bucket_url : str or None
        The bucket, if this emulator has started it.
    records : Path
        The folder of the files that stand for queues and topics.
    gate : Gate
        That of all servers.
    """

    service: LambdaService
    events: AsyncInvocations
    logs: FunctionLogs
    meter: RequestMeter
    bucket_url: str | None
    records: Path
    gate: Gate

    async def run(self) -> None:
        """Set Lambda's state back to the template, and forget all else: events, logs, faults, counts and objects.

        Environments end at once, so that nothing of before happens after it; a request in progress fails, and one that
        comes meanwhile waits.

        Raises
        ------
        LambdaApiError
            The state can't be written: all stays as it was.
        ResetError
            The bucket doesn't answer.
        """
        async with self.gate.closed():
            await self.service.reset()
            await self.events.clear()
            await asyncio.to_thread(remove_folder, self.records)
            self.service.faults.clear()
            self.meter.clear()
            if self.logs.sink.store is not None:
                await asyncio.to_thread(self.logs.sink.store.clear)
            if self.logs.delivery is not None:
                await asyncio.to_thread(self.logs.delivery.forget, _DELIVERY_LIMIT_S)
            if self.bucket_url is not None:
                await _reset_bucket(self.bucket_url)


async def _reset_bucket(url: str) -> None:
    try:
        async with ClientSession() as session, session.post(url + RESET_PATH) as answer:
            if answer.ok:
                return
            reason = await answer.text()
    except ClientError as error:
        reason = str(error)
    raise ResetError(f"the bucket at {url} isn't emptied: {reason}")
