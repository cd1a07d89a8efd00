"""``python -m emulator``: runs the command that the command line names, and turns errors into exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from emulator.bucket.errors import BucketError
from emulator.cli.flags import DEFAULT_STATE_DIR, DEFAULT_TEMPLATE, RUNNING_COMMANDS, Options, parse
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
        options = _read_options(words)
        if options.life_fd is not None:
            from emulator.lambda_service.sandbox.bootstrap import die_with_emulator

            die_with_emulator(options.life_fd)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(options))
    except KeyboardInterrupt:
        return 130
    except (BucketError, ListenError, ProjectError) as error:
        # The word by which SAM CLI's callers know an error.
        say(f"Error: {error}")
        return 1
    return 0


def _read_options(words: Sequence[str]) -> Options:
    """Return the options of a command, with those of SAM CLI's settings for one that runs functions."""
    if words[0] in RUNNING_COMMANDS:
        from emulator.cli.settings.sam_settings import with_sam_settings

        words, notes = with_sam_settings(words, os.environ)
        for note in notes:
            say(f"emulator: {note}")
    options = parse(words)
    if options.ignored:
        say(f"emulator: these flags have no effect without Docker: {', '.join(options.ignored)}")
    if words[0] in RUNNING_COMMANDS and options.template == DEFAULT_TEMPLATE:
        from emulator.template.source.files import BUILT_TEMPLATE, find_template

        options = options.replaced(template=find_template(Path()))
        if options.template == BUILT_TEMPLATE:
            say(f"emulator: runs what `sam build` built, {BUILT_TEMPLATE}; -t template.yaml runs the source")
    return options


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
        from emulator.cli.serve_bucket import serve_bucket

        await serve_bucket(options)
        return
    if options.command == "rotate-token-key":
        from emulator.http_api.oidc_issuer import KEY_FILE, rotate_key

        key_file = (options.state_dir or DEFAULT_STATE_DIR) / KEY_FILE
        try:
            rotate_key(key_file)
        except OSError as error:
            raise ProjectError(f"{key_file} can't be written: {error.strerror}") from error
        say("emulator: a new key signs tokens; those of the key before it go on until they expire")
        return
    if options.command == "fire":
        from emulator.cli.fire import fire

        for line in fire(options):
            sys.stdout.write(line + "\n")
        return
    with without_garbage_collection():
        from emulator.cli import serve, serve_all
        from emulator.cli.settings.options import machine_variables

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
