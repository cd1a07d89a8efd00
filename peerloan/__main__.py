"""``peerloan``: the wiring of the command line. Clocks, random sources and the environment are made here."""

from __future__ import annotations

import gc
import getpass
import io
import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from model_registry.names import DEFAULT_MODEL
from peerloan.command_table import CommandGroup

_NEW_OBJECTS_PER_COLLECTION = 50_000

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def peerloan(
    ctx: typer.Context,
    bucket: Annotated[
        str | None, typer.Option(help="The model bucket (MODEL_BUCKET). Named alone, it is on AWS.")
    ] = None,
    log_bucket: Annotated[
        str | None, typer.Option(help="The prediction log's bucket (LOG_BUCKET). On AWS it must be named.")
    ] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Where the bucket is, if not on AWS (AWS_ENDPOINT_URL_S3).")
    ] = None,
    model: Annotated[str, typer.Option(help="The model's name.")] = DEFAULT_MODEL,
    state_dir: Annotated[
        Path | None, typer.Option(help="The local stack's folder (PEERLOAN_STATE_DIR); .peerloan by default.")
    ] = None,
) -> None:
    """Serve, publish, shift and watch late-payer models. Without options it works on the local stack."""
    # Imported here: `peerloan --help` needs none of it.
    from peerloan.workplace import Workplace

    workplace = Workplace(
        environ=os.environ, clock=lambda: datetime.now(UTC), new_id=lambda: uuid.uuid4().hex, who=_who()
    )
    ctx.obj = workplace.at(
        bucket=bucket, endpoint_url=endpoint_url, model=model, state_dir=state_dir, log_bucket=log_bucket
    )


def main() -> None:
    """Run the command line: exit 0 for done, 1 for not done, 2 for a command that can't be right."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file's name may have bytes that aren't UTF-8; printing it must not fail.
            stream.reconfigure(errors="backslashreplace")
    # Most of a short command's objects are botocore's description of S3, and live until the end. Looking for garbage
    # among them, now and then and once more at the end, took a quarter of the time of `peerloan alias get`.
    gc.set_threshold(_NEW_OBJECTS_PER_COLLECTION)
    try:
        app()
    finally:
        gc.freeze()


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


if __name__ == "__main__":
    main()
