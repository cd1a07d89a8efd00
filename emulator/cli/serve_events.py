"""Runs what calls functions without a request: schedules, buckets' notifications, and both by hand."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
from aiohttp import web

from emulator.cli.flags import DEFAULT_STATE_DIR, Options
from emulator.cli.terminal import say
from emulator.event_sources.bucket_events import BucketEvents, NotOurBucketError
from emulator.event_sources.bucket_positions import FILE as POSITIONS_FILE
from emulator.event_sources.bucket_positions import BucketPositions
from emulator.event_sources.fire import FireError, FoundObject, ManualEvents, read_request
from emulator.event_sources.function_caller import FunctionCaller
from emulator.event_sources.notifications import Notifications
from emulator.event_sources.schedules import ScheduleCalls, Schedules
from emulator.lambda_service.data_plane.event_queue.destinations import FOLDER, Destinations, file_of, is_function
from emulator.lambda_service.data_plane.event_queue.retries import AsyncInvocations
from emulator.lambda_service.data_plane.event_queue.spool import EventSpool
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.lambda_service.data_plane.running_version import new_request_id, utc_now
from emulator.lambda_service.errors import LambdaApiError
from emulator.s3_client import make_s3_client
from emulator.strict_json import read_json
from emulator.supervision import BackgroundTasks
from emulator.template.project import ACCOUNT_ID, Project


class EventSources:
    """The event sources of one template, made before its functions are ready."""

    def __init__(self, project: Project, options: Options, service: LambdaService, region: str) -> None:
        self._project = project
        self._options = options
        self._state_dir = options.state_dir or DEFAULT_STATE_DIR
        destinations = Destinations(self._state_dir, self._call_destination, utc_now)
        self._service = service
        self.records = self._state_dir / FOLDER
        # Without a state folder, all ends with the process.
        spool = None if options.state_dir is None else EventSpool(options.state_dir, time.time)
        self.queue = AsyncInvocations(
            options.async_retry_waits, clock=time.monotonic, on_end=destinations.send, spool=spool
        )
        names = {logical_id: spec.name for logical_id, spec in project.functions.items()}
        caller = FunctionCaller(service, names, self.queue)
        self._calls = ScheduleCalls(
            caller, account_id=ACCOUNT_ID, region=region, new_id=new_request_id, bury=destinations.write
        )
        self._schedules = [schedule for schedule in project.schedules if schedule.function in names]
        mine = [notification for notification in project.notifications if notification.function in names]
        self._notifications = Notifications(mine, caller, ACCOUNT_ID, region, new_request_id)
        self._manual = ManualEvents(self._schedules, self._calls, self._notifications, self._find_object, utc_now)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Call functions on schedules and on changes of objects inside the block."""
        for line in self._destination_lines():
            say(f"emulator: {line}")
        self.queue.restore(self._service.event)
        interval_s = self._options.schedule_interval
        schedules = Schedules(self._schedules, self._calls.call, longest_rate_s=interval_s, clock=utc_now)
        schedules.start()
        async with self._taking_changes():
            try:
                yield
            finally:
                await schedules.close()
                await self._calls.close()

    async def fire(self, request: web.BaseRequest) -> web.Response:
        """Answer ``POST /_emulator/fire``."""
        try:
            fired = await self._manual.fire(read_request(read_json(await request.read())))
        except FireError as error:
            return _refusal(str(error), 400)
        except ValueError as error:
            return _refusal(f"the body must be JSON: {error}", 400)
        except LambdaApiError as error:
            return _refusal(error.message, error.status)
        return web.json_response({"fired": [{"function": one.function, "requestId": one.request_id} for one in fired]})

    @contextlib.asynccontextmanager
    async def _taking_changes(self) -> AsyncIterator[None]:
        """Take the changes of the buckets that have notifications from the bucket's process."""
        endpoint, buckets = self._options.s3_endpoint, self._notifications.buckets
        if endpoint is None or not buckets:
            if buckets:
                say(f"emulator: {', '.join(buckets)}: changes call no function; name the bucket with --s3-endpoint")
            yield
            return
        state_dir = self._options.state_dir
        positions = BucketPositions(None if state_dir is None else state_dir / POSITIONS_FILE)
        changes = BucketEvents(endpoint, buckets, self._notifications.deliver, positions)
        # Before the emulator says that it is ready: each change from then on counts.
        with contextlib.suppress(NotOurBucketError, aiohttp.ClientError, TimeoutError, OSError):
            await changes.subscribe()
        tasks = BackgroundTasks()
        tasks.keep_running(changes.run, "take the changes of buckets")
        try:
            yield
        finally:
            await tasks.cancel()
            await changes.close()

    def _call_destination(self, arn: str, payload: bytes, trace_id: str) -> None:
        self.queue.accept(self._service.event(arn, payload, trace_id=trace_id))

    def _destination_lines(self) -> Iterator[str]:
        """Yield a line for each queue, topic, bus or bucket of which a file takes the place."""
        arns: dict[str, list[str]] = {}
        for logical_id, spec in self._project.functions.items():
            dead_letters = spec.properties.get("DeadLetterConfig") or {}
            targets = [dead_letters.get("TargetArn")]
            for settings in spec.event_invoke.values():
                targets += [target["Destination"] for target in settings.get("DestinationConfig", {}).values()]
            for arn in filter(None, targets):
                arns.setdefault(str(arn), []).append(logical_id)
        for schedule in self._schedules:
            if schedule.dead_letter is not None:
                arns.setdefault(schedule.dead_letter, []).append(schedule.logical_id)
        for arn, sources in arns.items():
            if not is_function(arn):
                names = ", ".join(dict.fromkeys(sources))
                yield f"{names}: what goes to {arn} is written to {file_of(self._state_dir, arn)}"

    async def _find_object(self, bucket: str, key: str) -> FoundObject | None:
        endpoint = self._options.s3_endpoint
        if endpoint is None:
            raise FireError("no bucket is known in which the object could be: name it with --s3-endpoint")
        return await asyncio.to_thread(_head_object, endpoint, bucket, key)


def _head_object(endpoint: str, bucket: str, key: str) -> FoundObject | None:
    # Imported here: botocore takes a fifth of a second to import.
    from botocore.exceptions import BotoCoreError, ClientError

    client = make_s3_client(endpoint, connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
    try:
        answer = client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            return None
        raise FireError(f"{bucket}/{key} can't be looked up: {error}") from error
    except BotoCoreError as error:
        raise FireError(f"{bucket}/{key} can't be looked up: {error}") from error
    finally:
        client.close()
    version_id = answer.get("VersionId")
    etag = str(answer["ETag"]).strip('"')
    return FoundObject(int(answer["ContentLength"]), etag, None if version_id == "null" else version_id)


def _refusal(message: str, status: int) -> web.Response:
    return web.json_response({"message": message, "fired": []}, status=status)
