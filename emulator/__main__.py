"""``python -m emulator``: the command line. Parses, dispatches, turns errors into exit codes.

Exit codes: 0 done, 1 failed, 2 misused, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from emulator.bucket.command import BucketOptions, serve_bucket
from emulator.bucket.errors import BucketError
from emulator.options import parse_parameter_overrides, read_env_vars, read_event
from emulator.project import ProjectError
from emulator.service import PortTakenError, say

DEFAULT_DATA_DIR = Path(".peerloan/bucket")
DEFAULT_STATE_DIR = Path(".peerloan/lambda")
_EXAMPLES = """examples:
  python -m emulator                             the template's API on port 3000 and a bucket on port 9000
  python -m emulator start-api -p 0              the API alone, on a free port
  python -m emulator bucket --data-dir data      the bucket alone
  python -m emulator invoke MyFunction -e event.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help"}):
        words.insert(0, "start")
    options = _parser().parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    # The transform counts what it does for a service that is not there, and says so when it is done.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    try:
        command: Callable[[argparse.Namespace], Coroutine[Any, Any, None]] = options.run
        if getattr(options, "life_fd", None) is not None:
            from emulator.lambda_service.bootstrap import die_with_emulator

            die_with_emulator(options.life_fd)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(command(options))
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
    await serve_bucket(
        BucketOptions(
            hosts=options.host or ["127.0.0.1"],
            port=options.port,
            port_flag=options.port_flag,
            data_dir=options.data_dir,
            buckets=options.bucket,
            ready_file=options.ready_file,
        )
    )


async def _run_start_api(options: argparse.Namespace) -> None:
    from emulator.api_command import ApiOptions, read_project, serve_api

    chosen = _project_options(options)
    api = ApiOptions(options.host, options.port, options.ready_file)
    await serve_api(read_project(chosen), chosen, api)


async def _run_everything(options: argparse.Namespace) -> None:
    from emulator.api_command import ApiOptions
    from emulator.everything_command import BucketProcessError, BucketProcessOptions, serve_everything

    bucket = BucketProcessOptions(tuple(options.bucket_host or ["127.0.0.1"]), options.bucket_port, options.data_dir)
    api = ApiOptions(options.host, options.port, options.ready_file)
    try:
        await serve_everything(_project_options(options), api, bucket)
    except BucketProcessError as error:
        raise BucketError(str(error)) from error


async def _run_invoke(options: argparse.Namespace) -> None:
    from emulator.api_command import invoke_once, read_project

    chosen = _project_options(options)
    event = read_event(options.event, sys.stdin.buffer)
    payload = await invoke_once(read_project(chosen), chosen, options.function, event)
    sys.stdout.write(payload.decode("utf-8", "replace") + "\n")
    sys.stdout.flush()


def _project_options(options: argparse.Namespace) -> Any:
    from emulator.api_command import ProjectOptions
    from emulator.lambda_service.service import Limits

    return ProjectOptions(
        template=options.template,
        parameters=parse_parameter_overrides(options.parameter_overrides),
        env_vars=read_env_vars(options.env_vars),
        s3_endpoint=options.s3_endpoint,
        limits=Limits(options.concurrency, options.idle_timeout, options.init_limit),
        state_dir=getattr(options, "state_dir", None),
        watch_code=not getattr(options, "no_watch", False),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulator",
        description="Lambda, its HTTP API and an S3-style bucket on this machine, without Docker.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    start = commands.add_parser("start", help="the bucket and the API together (the default)")
    _add_project_options(start)
    _add_api_options(start)
    _add_life_option(start)
    start.add_argument("--bucket-host", action="append", help="address of the bucket; may be repeated")
    start.add_argument("--bucket-port", type=int, default=9000, help="port of the bucket (9000)")
    start.add_argument("--data-dir", type=Path, default=DEFAULT_DATA_DIR, help="where the bucket keeps its objects")
    start.set_defaults(run=_run_everything)
    api = commands.add_parser("start-api", help="the API alone")
    _add_project_options(api)
    _add_api_options(api)
    _add_life_option(api)
    api.set_defaults(run=_run_start_api)
    invoke = commands.add_parser("invoke", help="call a function once; its answer goes to stdout, its log to stderr")
    invoke.add_argument("function", nargs="?", help="logical id; may be left out where there is only one")
    invoke.add_argument("-e", "--event", help="a file with the event, or - for stdin; without it the event is {}")
    _add_project_options(invoke)
    invoke.set_defaults(run=_run_invoke)
    bucket = commands.add_parser("bucket", help="the bucket alone")
    bucket.add_argument("--host", action="append", help="address to listen on; may be repeated (127.0.0.1)")
    bucket.add_argument("--port", "-p", type=int, default=9000, help="0 takes a free one (9000)")
    bucket.add_argument("--data-dir", type=Path, default=DEFAULT_DATA_DIR, help="where objects are kept")
    bucket.add_argument("--bucket", action="append", default=[], help="a bucket to create if it is not there")
    bucket.add_argument("--ready-file", type=Path, help="written once requests are answered: {url, pid}")
    bucket.add_argument("--port-flag", default="--port", help=argparse.SUPPRESS)
    _add_life_option(bucket)
    bucket.set_defaults(run=_run_bucket)
    return parser


def _add_project_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-t", "--template", "--template-file", type=Path, default=Path("template.yaml"))
    parser.add_argument("--parameter-overrides", nargs="+", default=[], metavar="K=V")
    parser.add_argument("-n", "--env-vars", type=Path, help="JSON as `sam local` takes it")
    parser.add_argument("--s3-endpoint", help="AWS_ENDPOINT_URL_S3 of functions to which the template gives none")
    parser.add_argument("--concurrency", type=int, default=1000, help="requests in flight that the account may have")
    parser.add_argument("--idle-timeout", type=float, default=600, help="seconds until an idle environment ends (600)")
    parser.add_argument("--init-limit", type=float, default=10, help="seconds that initialising may take (10)")


def _add_life_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--life-fd", type=int, help="read end of a pipe: end at once when its other end is closed")


def _add_api_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("-p", "--port", type=int, default=3000, help="0 takes a free one (3000)")
    parser.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, help="where versions and aliases are kept")
    parser.add_argument("--no-watch", action="store_true", help="do not deploy code that changes meanwhile")
    parser.add_argument("--ready-file", type=Path, help="written once requests are answered: {url, pid}")


if __name__ == "__main__":
    sys.exit(main())
