"""``-d PORT``: finds the function that runs under a debugger, and checks that it can."""

from __future__ import annotations

import importlib.util
import socket
import sys

from emulator.cli.flags import Options
from emulator.cli.terminal import port_errors_name, say
from emulator.lambda_service.data_plane.debugging import DEBUGGER_HOST, Debugger
from emulator.template.errors import ProjectError
from emulator.template.project import FunctionSpec, Project

_LAST_PORT = 65_535


def find_debugger(project: Project, options: Options) -> Debugger | None:
    """Return what ``-d`` asks for, or None without ``-d``.

    Raises
    ------
    ProjectError
        debugpy isn't installed, or the port or the function isn't one.
    ListenError
        The port is taken.
    """
    port = options.debug_port
    if port is None:
        if options.debug_function is not None:
            say("emulator: --debug-function has no effect without -d PORT")
        return None
    if not 0 < port <= _LAST_PORT:
        raise ProjectError(f"-d takes a port from 1 to {_LAST_PORT}, not {port}")
    spec = _function(project, options.debug_function or options.function)
    if importlib.util.find_spec("debugpy") is None:
        raise ProjectError(f"-d needs debugpy, which isn't installed: {sys.executable} -m pip install debugpy")
    with port_errors_name(DEBUGGER_HOST, port, "-d"), socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        attempt.bind((DEBUGGER_HOST, port))
    return Debugger(spec, port)


def _function(project: Project, name: str | None) -> FunctionSpec:
    functions = project.functions
    if name is None and len(functions) == 1:
        return next(iter(functions.values()))
    for logical_id, spec in functions.items():
        if name in {logical_id, spec.name}:
            return spec
    if name is None:
        raise ProjectError(
            f"-d: several functions could run under the debugger; name one with --debug-function: "
            f"{', '.join(functions)}"
        )
    raise ProjectError(f"--debug-function {name}: name one of the functions: {', '.join(functions)}")
