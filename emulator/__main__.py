"""``python -m emulator``: runs the command that the command line names, and turns errors into exit codes.

Exit codes: 0 done, 1 failed, 2 misused, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.bucket.errors import BucketError
from emulator.cli.flags import DEFAULT_DATA_DIR, DEFAULT_STATE_DIR, make_parser
from emulator.cli.serve_bucket import BucketOptions, serve_bucket
from emulator.cli.terminal import PortTakenError, say
from emulator.template.project import ProjectError

_LOOPBACK = ("127.0.0.1",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help"}):
        words.insert(0, "start")
    options = make_parser().parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    # SAM's transform logs that it can't report its usage figures.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    if options.ignored:
        say(f"emulator: no effect without Docker: {', '.join(options.ignored)}")
    try:
        if getattr(options, "life_fd", None) is not None:
            from emulator.lambda_service.sandbox.bootstrap import die_with_emulator

            die_with_emulator(options.life_fd)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_COMMANDS[options.command](options))
    except KeyboardInterrupt:
        return 130
    except (BucketError, PortTakenError, ProjectError) as error:
        say(f"emulator: {error}")
        return 1
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _run_bucket(options: argparse.Namespace) -> None:
    hosts, flag = options.host or _LOOPBACK, options.port_flag
    bucket = BucketOptions(hosts, options.port, flag, options.data_dir, options.bucket, options.allow_host)
    await serve_bucket(bucket, options.ready_file)


async def _run_start_api(options: argparse.Namespace) -> None:
    await _serve(options, api_port=options.port, lambda_port=options.lambda_port)


async def _run_start_lambda(options: argparse.Namespace) -> None:
    await _serve(options, api_port=None, lambda_port=options.port, lambda_flag="-p")


async def _serve(options: argparse.Namespace, **ports: Any) -> None:
    from emulator.cli.serve import read_project, serve

    project_options = _project_options(options)
    await serve(read_project(project_options), project_options, _listening(options, **ports))


async def _run_everything(options: argparse.Namespace) -> None:
    from emulator.cli.serve_all import serve_everything

    hosts, port = options.bucket_host or _LOOPBACK, options.bucket_port
    bucket = BucketOptions(hosts, port, "--bucket-port", options.data_dir, allowed_hosts=options.allow_host)
    listening = _listening(options, api_port=options.port, lambda_port=options.lambda_port)
    await serve_everything(_project_options(options), listening, bucket)


async def _run_invoke(options: argparse.Namespace) -> None:
    from emulator.cli.options import read_event
    from emulator.cli.serve import invoke_once, read_project

    project_options = _project_options(options)
    event = read_event(options.event, sys.stdin.buffer)
    payload = await invoke_once(read_project(project_options), project_options, options.function, event)
    sys.stdout.write(payload.decode("utf-8", "replace") + "\n")
    sys.stdout.flush()


def _listening(options: argparse.Namespace, **ports: Any) -> Any:
    from emulator.cli.serve import Listening

    return Listening(options.host, **ports, ready_file=options.ready_file, allowed_hosts=tuple(options.allow_host))


def _project_options(options: argparse.Namespace) -> Any:
    # Imported here, so that the bucket starts sooner without them.
    from emulator.cli.options import parse_parameter_overrides, parse_retry_waits, read_env_vars, read_faults_file
    from emulator.cli.serve import ProjectOptions
    from emulator.lambda_service.data_plane.invoke_service import Limits

    return ProjectOptions(
        template=options.template,
        parameters=parse_parameter_overrides(options.parameter_overrides),
        env_vars=read_env_vars(options.env_vars),
        functions=tuple(getattr(options, "functions", ())),
        s3_endpoint=options.s3_endpoint,
        region=options.region,
        profile=options.profile,
        log_file=options.log_file,
        limits=Limits(options.concurrency, options.idle_timeout, options.init_limit),
        faults=read_faults_file(getattr(options, "faults", None)),
        state_dir=getattr(options, "state_dir", None),
        watch_code=not getattr(options, "no_watch", False),
        authorizers=not getattr(options, "disable_authorizer", False),
        private=_private_paths(options),
        retry_waits=parse_retry_waits(getattr(options, "async_retry_waits", "60,120")),
    )


def _private_paths(options: argparse.Namespace) -> tuple[Path, ...]:
    """Return the places that the emulator writes to, the default ones of other emulators in this project included."""
    named = (getattr(options, name, None) for name in ("state_dir", "data_dir", "log_file", "ready_file"))
    return (DEFAULT_STATE_DIR, DEFAULT_DATA_DIR, *(path for path in named if path is not None))


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], Coroutine[Any, Any, None]]] = {
    "start": _run_everything,
    "start-api": _run_start_api,
    "start-lambda": _run_start_lambda,
    "invoke": _run_invoke,
    "bucket": _run_bucket,
}


if __name__ == "__main__":
    sys.exit(main())
