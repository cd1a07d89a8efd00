"""The commands that run functions: serve the HTTP API, Lambda's own API or both, or call a function once."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import random
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from emulator.browser_guard import BrowserGuard
from emulator.cli.admin_pages import AdminPages
from emulator.cli.aws_services import make_services
from emulator.cli.code_watcher import CodeWatcher
from emulator.cli.debugging import find_debugger
from emulator.cli.flags import DEFAULT_DATA_DIR, DEFAULT_STATE_DIR, Options
from emulator.cli.function_logs import open_logs
from emulator.cli.reset import Reset
from emulator.cli.serve_events import EventSources
from emulator.cli.settings.options import (
    parse_parameter_overrides,
    read_env_vars,
    read_event,
    read_values,
    with_variables,
)
from emulator.cli.terminal import port_errors_name, say, stop_on_signals, url_of, write_ready_file
from emulator.http_api.gateway import Gateway
from emulator.http_server import ADMIN_PATH, Gate, HttpServer
from emulator.kept_results import KeptResults, environment_folder
from emulator.lambda_service.data_plane.debugging import Debugger
from emulator.lambda_service.data_plane.event_queue.retries import AsyncInvocations
from emulator.lambda_service.data_plane.invoke_service import LambdaService, Limits, open_service
from emulator.lambda_service.function_version import local_credentials
from emulator.lambda_service.log_groups.sink import LogSink
from emulator.metrics import RequestMeter
from emulator.supervision import BackgroundTasks, first_of
from emulator.template.errors import ProjectError
from emulator.template.http_api_spec import DEFAULT_STAGE, HttpApi, without_authorizers
from emulator.template.left_out import summary
from emulator.template.project import ACCOUNT_ID, REGION, FunctionSpec, Project
from emulator.template.read import load_project

if TYPE_CHECKING:
    from emulator.lambda_service.control_api.server import ControlApi, OtherServices

_LOOPBACK = "127.0.0.1"


def read_project(options: Options, machine: Mapping[str, str]) -> Project:
    """Load the template and apply the options to it; `machine` holds the machine's environment variables."""
    overrides, env_vars = parse_parameter_overrides(options.parameter_overrides), read_env_vars(options.env_vars)
    transformed = KeptResults(environment_folder())
    project = load_project(
        options.template,
        overrides,
        region=_region(machine),
        transformed=transformed,
        strict=options.strict,
        values=read_values(options.values),
    )
    if options.disable_authorizer:
        project = dataclasses.replace(project, apis=tuple(map(without_authorizers, project.apis)))
    if options.functions:
        named = _functions_named(project, options.functions)
        project = dataclasses.replace(project, functions=named, unavailable={})
    return with_variables(project, env_vars, options.s3_endpoint)


async def serve(project: Project, options: Options, machine: Mapping[str, str]) -> None:
    """Serve the APIs that have a port until SIGINT or SIGTERM, then end every process."""
    for note in [*summary(project.left_out), *project.notes]:
        say(f"emulator: {note}")
    if options.api_port is not None and not project.apis:
        raise ProjectError(f"{options.template} has no HTTP API with a route: use start-lambda to serve its functions")
    debugger = find_debugger(project, options)
    stopping = stop_on_signals(asyncio.get_running_loop())
    async with (
        open_logs(project, options) as logs,
        _service(project, options, machine, logs.sink, debugger) as service,
        contextlib.AsyncExitStack() as servers,
    ):
        sources = EventSources(project, options, service, _region(machine))
        events = sources.queue
        servers.push_async_callback(events.close)
        meter = RequestMeter(time.monotonic, options.count_header)
        guard = BrowserGuard([options.host, *options.allow_host])
        gate = Gate()
        reset = Reset(service, events, logs, meter, options.own_bucket, sources.records, gate)
        admin = AdminPages(service, meter, guard, logs, options.state_dir, project, reset.run)
        admin.add("fire", {"POST": sources.fire})
        urls: list[str] = []
        if options.api_port is not None:
            for number, gateway in enumerate(_gateways(project, service, admin, meter, machine)):
                port = options.api_port + number if options.api_port else 0
                gateway.gate = gate
                urls.append(await _listen(gateway, servers, options.host, port, "-p"))
        others = make_services(project, options, logs.sink.store, _region(machine), urls)
        control = _control_api(options, service, events, admin, guard, others)
        control.gate = gate
        lambda_url = None
        if options.lambda_port is not None:
            lambda_url = await _listen(control, servers, options.host, options.lambda_port, options.lambda_flag)
        # Without a port, Lambda's API is there for the functions alone.
        service.set_endpoint(lambda_url or await _listen(control, servers, _LOOPBACK, 0, ""))
        service.faults.replace_all(options.faults)
        service.start()
        if not options.no_watch:
            servers.push_async_callback(_watch_code(project, options, service).cancel)
        await first_of(service.deployed(), stopping.wait())
        if stopping.is_set():
            return
        await servers.enter_async_context(sources.running())
        service.start_debugged()
        _announce(project, options, urls, lambda_url)
        await stopping.wait()


async def invoke_once(project: Project, options: Options, machine: Mapping[str, str], stdin: IO[bytes]) -> bytes:
    """Call one function once, as ``$LATEST``, and return its answer or its error.

    Without a name the template must have only one function.
    """
    event, function = read_event(options.event, stdin), options.function
    if function is None and len(project.functions) == 1:
        function = next(iter(project.functions))
    spec = next(iter(_functions_named(project, [function or ""]).values()))
    for part in project.left_out:
        if part.logical_id == spec.logical_id:
            say(f"emulator: {part}")
    debugger = find_debugger(project, options.replaced(function=spec.name))
    async with (
        open_logs(project, options) as logs,
        _service(project, options, machine, logs.sink, debugger) as service,
    ):
        result = await service.submit(spec.name, event)
        return result.payload


def _gateways(
    project: Project, service: LambdaService, admin: AdminPages, meter: RequestMeter, machine: Mapping[str, str]
) -> list[Gateway]:
    names, region, credentials = project.function_names, _region(machine), local_credentials(machine)
    options: Any = {"admin": admin.answer, "meter": meter, "region": region, "credentials": credentials}
    return [Gateway(api, names, service, ACCOUNT_ID, **options) for api in project.apis]


def _watch_code(project: Project, options: Options, service: LambdaService) -> BackgroundTasks:
    """Deploy code that is saved from now on, until the returned tasks are cancelled."""
    watcher = CodeWatcher(service, project.functions, options.template, _private_paths(options))
    watching = BackgroundTasks()
    watching.keep_running(watcher.run, "watch the code")
    return watching


def _control_api(
    options: Options,
    service: LambdaService,
    events: AsyncInvocations,
    admin: AdminPages,
    guard: BrowserGuard,
    others: OtherServices,
) -> ControlApi:
    # Imported here, since botocore, which describes the API, takes a fifth of a second to import.
    from emulator.lambda_service.control_api.server import ControlApi

    return ControlApi(service, events, admin=admin.answer, s3_endpoint=options.s3_endpoint, guard=guard, others=others)


async def _listen(server: HttpServer, servers: contextlib.AsyncExitStack, host: str, port: int, flag: str) -> str:
    """Start a server that `servers` will stop, and return its URL."""
    servers.push_async_callback(server.stop)
    with port_errors_name(host, port, flag):
        return url_of(host, await server.start(host, port))


def _announce(project: Project, options: Options, urls: Sequence[str], lambda_url: str | None) -> None:
    """Say on stderr and in the ready file that requests are answered."""
    url = urls[0] if urls else lambda_url
    say(f"emulator: environments, versions and logs, live: {url}{ADMIN_PATH}")
    if urls:
        _say_routes(project.apis, urls)
    if lambda_url is not None:
        _say_lambda(lambda_url)
    # Objects made at the start live as long as the process. Freezing them saves 50 ms in each later collection.
    gc.collect()
    gc.freeze()
    write_ready_file(options.ready_file, url=url, urls=urls, lambda_url=lambda_url, pid=os.getpid())


def _say_routes(apis: Collection[HttpApi], urls: Collection[str]) -> None:
    """Print the routes and URLs in SAM CLI's words, since scripts wait for these lines."""
    for api, url in zip(apis, urls, strict=True):
        methods: dict[tuple[str, str], list[str]] = {}
        for stage in api.stages:
            prefix = "" if stage.name == DEFAULT_STAGE else f"{stage.name}/"
            for route in stage.routes:
                methods.setdefault((route.function, prefix + route.path.lstrip("/")), []).append(route.method)
        for (function, path), verbs in methods.items():
            say(f"Mounting {function} at {url}/{path} [{', '.join(sorted(verbs))}]")
    say("You can now browse to the above endpoints to invoke your functions.")
    for url in urls:
        _say_running(url)


def _say_lambda(url: str) -> None:
    say("Starting the Local Lambda Service. You can now invoke your Lambda Functions through the endpoint.")
    _say_running(url)


def _say_running(url: str) -> None:
    say(f" * Running on {url}")
    say("Press CTRL+C to quit")


@contextlib.asynccontextmanager
async def _service(
    project: Project, options: Options, machine: Mapping[str, str], sink: LogSink, debugger: Debugger | None
) -> AsyncIterator[LambdaService]:
    """Yield the Lambda service; on exit, end the functions' processes."""
    service = open_service(
        project.functions,
        sink,
        machine,
        region=_region(machine),
        account_id=ACCOUNT_ID,
        limits=Limits(
            options.concurrency,
            options.idle_timeout,
            options.init_limit,
            options.deployment_interval,
            options.update_time,
        ),
        state_dir=options.state_dir,
        private=_private_paths(options),
        unavailable=project.unavailable,
        strict=options.strict,
        draw=random.random,
        debugger=debugger,
    )
    try:
        yield service
    finally:
        await service.close()


def _private_paths(options: Options) -> tuple[Path, ...]:
    """Return the paths that the emulator writes to, and the default ones that another emulator here may write to."""
    configured = (options.state_dir, options.data_dir, options.log_file, options.ready_file)
    return (DEFAULT_STATE_DIR, DEFAULT_DATA_DIR, *(path for path in configured if path is not None))


def _functions_named(project: Project, names: Collection[str]) -> dict[str, FunctionSpec]:
    """Return the functions of these names or logical ids, by logical id."""
    by_name = {**{spec.name: spec for spec in project.functions.values()}, **project.functions}
    for function in project.unavailable.values():
        if function.name in names or function.logical_id in names:
            raise ProjectError(str(function.left_out))
    unknown = [name for name in names if name not in by_name]
    if unknown:
        problem = f"'{unknown[0]}' isn't a function of the template; name" if unknown[0] else "name"
        raise ProjectError(f"{problem} one of the functions: {', '.join(project.functions)}")
    return {by_name[name].logical_id: by_name[name] for name in names}


def _region(machine: Mapping[str, str]) -> str:
    return machine.get("AWS_REGION") or machine.get("AWS_DEFAULT_REGION") or REGION
