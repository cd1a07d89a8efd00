"""``python -m emulator``: the command line. Parses, dispatches, turns errors into exit codes."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from emulator.bucket.command import BucketOptions, serve_bucket
from emulator.bucket.errors import BucketError
from emulator.service import PortTakenError, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 1 failed, 2 misused."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    try:
        asyncio.run(
            serve_bucket(
                BucketOptions(
                    options.host or ["127.0.0.1"],
                    options.port,
                    "--port",
                    options.data_dir,
                    options.bucket,
                    options.ready_file,
                )
            )
        )
    except (BucketError, PortTakenError) as error:
        say(f"emulator: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m emulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    bucket = commands.add_parser("bucket")
    bucket.add_argument("--host", action="append")
    bucket.add_argument("--port", "-p", type=int, default=9000)
    bucket.add_argument("--data-dir", type=Path, default=Path(".peerloan/bucket"))
    bucket.add_argument("--bucket", action="append", default=[])
    bucket.add_argument("--ready-file", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
