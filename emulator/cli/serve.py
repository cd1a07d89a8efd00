"""The commands that run functions: behind the HTTP API, behind Lambda's own API, both, or called once."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.browser_guard import BrowserGuard
from emulator.cli.admin_pages import AdminPages
from emulator.cli.code_watcher import CodeWatcher
from emulator.cli.options import machine_variables_of, with_variables
from emulator.cli.terminal import naming_the_flag, say, stop_on_signals, url_of, write_ready_file
from emulator.http_api.gateway import Gateway
from emulator.lambda_service.data_plane.faults import Fault
from emulator.lambda_service.data_plane.invoke_service import LambdaService, Limits, open_service
from emulator.lambda_service.data_plane.retries import RetryWaits
from emulator.lambda_service.sandbox.logs import LogSink
from emulator.metrics import RequestMeter
from emulator.supervision import BackgroundTasks
from emulator.template.http_api_spec import DEFAULT_STAGE, HttpApi, without_authorizers
from emulator.template.project import ACCOUNT_ID, REGION, FunctionSpec, Project, ProjectError
from emulator.template.read import load_project

_STDERR = 2


@dataclass(frozen=True, slots=True)
class ProjectOptions:
    """Which project, with which values.

    Parameters
    ----------
    template : Path
        Source or built.
    parameters : mapping
        Over the template's defaults.
    env_vars : mapping
        By function, as `read_env_vars` returns them.
    functions : tuple of str
        The logical ids or names to run; all where there is none.
    s3_endpoint : str or None
        For functions that the template gives none, and for code that lies in a bucket.
    region, profile : str or None
        Over those of this process's environment.
    log_file : Path or None
        What functions print goes there; None is stderr.
    limits : Limits
        Concurrency and time.
    retry_waits : RetryWaits
        Between the attempts of asynchronous invocations.
    faults : tuple of (str, Fault)
        On purpose, from the start; by function.
    state_dir : Path or None
        Where versions and aliases are kept over a restart; None keeps none.
    watch_code : bool
        Whether changed code is deployed while the emulator runs.
    authorizers : bool
        Whether the HTTP API's authorizers are asked.
    private : tuple of Path
        Folders and files of the emulator's own, which are no function's code wherever they are.
    """

    template: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    env_vars: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    s3_endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    log_file: Path | None = None
    limits: Limits = field(default_factory=Limits)
    retry_waits: RetryWaits = field(default_factory=RetryWaits)
    faults: tuple[tuple[str, Fault], ...] = ()
    state_dir: Path | None = None
    watch_code: bool = True
    authorizers: bool = True
    private: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the APIs listen.

    Parameters
    ----------
    host : str
        For both.
    api_port : int or None
        Of the HTTP API; several of one template take ports that follow. None: it isn't served.
    lambda_port : int or None
        Of Lambda's API. None: it isn't served.
    lambda_flag : str
        The option that moves it, for messages.
    ready_file : Path or None
        Written once all answer.
    allowed_hosts : tuple of str
        Names of this machine that the ``Host`` of a request for Lambda's API or ``/_emulator/`` may have.
    """

    host: str = "127.0.0.1"
    api_port: int | None = 3000
    lambda_port: int | None = None
    lambda_flag: str = "--lambda-port"
    ready_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()


def read_project(options: ProjectOptions) -> Project:
    """Load the template and apply the options to it."""
    project = load_project(options.template, options.parameters, region=_region(_machine(options)))
    if not options.authorizers:
        project = dataclasses.replace(project, apis=tuple(map(without_authorizers, project.apis)))
    if options.functions:
        project = dataclasses.replace(project, functions=_named(project, options.functions))
    return with_variables(project, options.env_vars, options.s3_endpoint)


async def serve(project: Project, options: ProjectOptions, listening: Listening) -> None:
    """Serve until SIGINT or SIGTERM, then end every process.

    Raises
    ------
    PortTakenError
        A port is taken.
    ProjectError
        The HTTP API is asked for and the template has none.
    """
    if listening.api_port is not None and not project.apis:
        raise ProjectError(f"{options.template} has no HTTP API with a route; start-lambda serves its functions")
    stopping = stop_on_signals(asyncio.get_running_loop())
    for note in project.notes:
        say(f"emulator: {note}")
    async with _service(project, options) as service, contextlib.AsyncExitStack() as servers:
        meter = RequestMeter(time.monotonic)
        guard = BrowserGuard([listening.host, *listening.allowed_hosts])
        admin = AdminPages(service, meter, guard)
        urls = await _start_gateways(project, service, admin, meter, options, listening, servers)
        lambda_url = await _start_lambda(service, admin, guard, options, listening, servers)
        service.faults.replace_all(options.faults)
        service.start()
        if options.watch_code:
            watcher = CodeWatcher(service, project.functions, options.template, options.private)
            watching = BackgroundTasks()
            servers.push_async_callback(watching.cancel)
            watching.keep_running(watcher.run, "watch the code")
        await _first_of(service.deployed(), stopping.wait())
        if urls:
            _say_routes(project.apis, urls)
        if lambda_url is not None:
            _say_lambda(lambda_url)
        # What starting has left stays: a full collection would go through all of it, 50 ms in the middle of requests.
        gc.collect()
        gc.freeze()
        write_ready_file(
            listening.ready_file, url=urls[0] if urls else lambda_url, urls=urls, lambda_url=lambda_url, pid=os.getpid()
        )
        await stopping.wait()


async def invoke_once(project: Project, options: ProjectOptions, function: str | None, event: bytes) -> bytes:
    """Call one function once, as ``$LATEST``, and return its answer or its error.

    Raises
    ------
    ProjectError
        The function is not named and there are several, or there is none of that name.
    """
    if function is None and len(project.functions) == 1:
        function = next(iter(project.functions))
    spec = next(iter(_named(project, [function or ""]).values()))
    async with _service(project, options) as service:
        result = await service.submit(spec.name, event)
        return result.payload


async def _start_gateways(
    project: Project,
    service: LambdaService,
    admin: AdminPages,
    meter: RequestMeter,
    options: ProjectOptions,
    listening: Listening,
    servers: contextlib.AsyncExitStack,
) -> list[str]:
    if listening.api_port is None:
        return []
    names = {logical_id: spec.name for logical_id, spec in project.functions.items()}
    urls = []
    for number, api in enumerate(project.apis):
        gateway = Gateway(api, names, service, ACCOUNT_ID, admin=admin, meter=meter, region=_region(_machine(options)))
        servers.push_async_callback(gateway.stop)
        wanted = listening.api_port + number if listening.api_port else 0
        with naming_the_flag(listening.host, wanted, "-p"):
            urls.append(url_of(listening.host, await gateway.start(listening.host, wanted)))
    return urls


async def _start_lambda(
    service: LambdaService,
    admin: AdminPages,
    guard: BrowserGuard,
    options: ProjectOptions,
    listening: Listening,
    servers: contextlib.AsyncExitStack,
) -> str | None:
    if listening.lambda_port is None:
        return None
    # botocore, which knows the API, takes a fifth of a second to import: only for those who want it.
    from emulator.lambda_service.control_api.server import ControlApi

    control = ControlApi(service, admin=admin, s3_endpoint=options.s3_endpoint, waits=options.retry_waits, guard=guard)
    servers.push_async_callback(control.stop)
    with naming_the_flag(listening.host, listening.lambda_port, listening.lambda_flag):
        return url_of(listening.host, await control.start(listening.host, listening.lambda_port))


async def _first_of(*works: Coroutine[Any, Any, object]) -> None:
    """Wait until one of them is done, and let go of the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    for task in done:
        task.result()


def _say_routes(apis: Collection[HttpApi], urls: Collection[str]) -> None:
    """Say what is served, in the lines that scripts for SAM CLI wait for."""
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
        say(f" * Running on {url}")


def _say_lambda(url: str) -> None:
    say("Starting the Local Lambda Service. You can now invoke your Lambda Functions through the endpoint.")
    say(f" * Running on {url}")


@contextlib.asynccontextmanager
async def _service(project: Project, options: ProjectOptions) -> AsyncIterator[LambdaService]:
    """Yield the functions; afterwards no process of theirs is left, and all that they printed is written."""
    machine = _machine(options)
    with contextlib.ExitStack() as files:
        descriptor = _STDERR
        if options.log_file is not None:
            try:
                descriptor = files.enter_context(options.log_file.open("ab")).fileno()
            except OSError as error:
                raise ProjectError(f"--log-file {options.log_file}: {error.strerror}") from error
        sink = LogSink(descriptor)
        files.callback(sink.close)
        service = open_service(
            project.functions,
            sink,
            machine,
            region=_region(machine),
            account_id=ACCOUNT_ID,
            limits=options.limits,
            state_dir=options.state_dir,
            private=options.private,
        )
        try:
            yield service
        finally:
            await service.close()


def _named(project: Project, wanted: Collection[str]) -> dict[str, FunctionSpec]:
    """Return the functions of these names or logical ids, by logical id."""
    by_name = {**{spec.name: spec for spec in project.functions.values()}, **project.functions}
    if not all(name in by_name for name in wanted):
        raise ProjectError(f"name one of the functions: {', '.join(project.functions)}")
    return {by_name[name].logical_id: by_name[name] for name in wanted}


def _machine(options: ProjectOptions) -> dict[str, str]:
    return machine_variables_of(options.region, options.profile)


def _region(machine: Mapping[str, str]) -> str:
    return machine.get("AWS_REGION") or machine.get("AWS_DEFAULT_REGION") or REGION
