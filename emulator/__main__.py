"""``python -m emulator``: runs the command that the command line names, and turns errors into exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence

from emulator.bucket.errors import BucketError
from emulator.cli.flags import Options, parse
from emulator.cli.serve_bucket import serve_bucket
from emulator.cli.terminal import ListenError, say, without_garbage_collection
from emulator.template.errors import ProjectError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help"}):
        words.insert(0, "start")
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    # SAM's transform would warn that it can't report its usage figures.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    try:
        options = parse(words)
        if options.ignored:
            say(f"emulator: these flags have no effect without Docker: {', '.join(options.ignored)}")
        if options.life_fd is not None:
            from emulator.lambda_service.sandbox.bootstrap import die_with_emulator

            die_with_emulator(options.life_fd)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(options))
    except KeyboardInterrupt:
        return 130
    except (BucketError, ListenError, ProjectError) as error:
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


async def _run(options: Options) -> None:
    """Run a command; only the modules that it needs are imported."""
    if options.command == "bucket":
        await serve_bucket(options)
        return
    with without_garbage_collection():
        from emulator.cli import serve, serve_all
        from emulator.cli.options import machine_variables

        # Read once: a profile may run a program for its credentials, or sign in.
        machine = machine_variables(options.region, options.profile)
        project = serve.read_project(options, machine)
    if options.command == "start":
        await serve_all.serve_everything(project, options, machine)
    elif options.command == "invoke":
        payload = await serve.invoke_once(project, options, machine, sys.stdin.buffer)
        sys.stdout.write(payload.decode("utf-8", "replace") + "\n")
        sys.stdout.flush()
    else:
        await serve.serve(project, options, machine)


if __name__ == "__main__":
    sys.exit(main())
