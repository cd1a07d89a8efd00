"""``start-api`` and ``invoke``: a template's functions, behind its HTTP API or called once."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emulator.gateway import Gateway
from emulator.lambda_service.logs import LogSink
from emulator.lambda_service.service import LambdaService, Limits, machine_variables
from emulator.options import with_variables
from emulator.project import Project, ProjectError
from emulator.service import naming_the_flag, say, stop_on_signals, url_of, write_ready_file
from emulator.template import load_project
from emulator.template_reader import ACCOUNT_ID, REGION


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
    s3_endpoint : str or None
        For functions that the template gives none.
    limits : Limits
        Concurrency and time.
    """

    template: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    env_vars: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    s3_endpoint: str | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """Where the HTTP API listens; several APIs of one template take ports that follow."""

    host: str = "127.0.0.1"
    port: int = 3000
    ready_file: Path | None = None


def read_project(options: ProjectOptions) -> Project:
    """Load the template and apply the options to it."""
    machine = machine_variables()
    region = machine.get("AWS_REGION") or machine.get("AWS_DEFAULT_REGION") or REGION
    project = load_project(options.template, options.parameters, region=region)
    return with_variables(project, options.env_vars, options.s3_endpoint)


async def serve_api(project: Project, options: ProjectOptions, api: ApiOptions) -> None:
    """Serve until SIGINT or SIGTERM, then end every process.

    Raises
    ------
    PortTakenError
        The port is taken.
    ProjectError
        The template has no HTTP API.
    """
    if not project.apis:
        raise ProjectError(f"{options.template} has no HTTP API with a route")
    stopping = stop_on_signals(asyncio.get_running_loop())
    for note in project.notes:
        say(f"emulator: {note}")
    sink = LogSink(2)
    service = _service(project, options, sink)
    names = {logical_id: spec.name for logical_id, spec in project.functions.items()}
    gateways = [Gateway(one, names, service, ACCOUNT_ID) for one in project.apis]
    try:
        urls = []
        for number, gateway in enumerate(gateways):
            wanted = api.port + number if api.port else 0
            with naming_the_flag(api.host, wanted, "-p"):
                urls.append(url_of(api.host, await gateway.start(api.host, wanted)))
        service.start()
        for one, url in zip(project.apis, urls, strict=True):
            for route in one.routes:
                say(f"Mounting {route.function} at {url}/{route.path.lstrip('/')} [{route.method}]")
            say(f"Running on {url}")
        # What starting has left stays: a full collection would go through all of it, 50 ms in the middle of requests.
        gc.collect()
        gc.freeze()
        write_ready_file(api.ready_file, url=urls[0], urls=urls, pid=os.getpid())
        await stopping.wait()
    finally:
        await asyncio.gather(*(gateway.stop() for gateway in gateways))
        await service.close()
        sink.close()


async def invoke_once(project: Project, options: ProjectOptions, function: str | None, event: bytes) -> bytes:
    """Call one function once, as ``$LATEST``, and return its answer or its error.

    Raises
    ------
    ProjectError
        The function is not named and there are several, or there is none of that name.
    """
    if function is None and len(project.functions) == 1:
        function = next(iter(project.functions))
    named = {**{spec.name: spec for spec in project.functions.values()}, **project.functions}
    if function is None or function not in named:
        raise ProjectError(f"name one of the functions: {', '.join(project.functions)}")
    sink = LogSink(2)
    service = _service(project, options, sink)
    try:
        result = await service.submit(named[function].name, event)
        return result.payload
    finally:
        await service.close()
        sink.close()


def _service(project: Project, options: ProjectOptions, sink: LogSink) -> LambdaService:
    machine = machine_variables()
    region = machine.get("AWS_REGION") or machine.get("AWS_DEFAULT_REGION") or REGION
    return LambdaService(project.functions, sink, machine, region=region, account_id=ACCOUNT_ID, limits=options.limits)
