"""Fails to initialise until a file is there, which the failure makes, in the environment's own /tmp."""

import tempfile
from pathlib import Path

marker = Path(tempfile.gettempdir()) / "initialised"
if not marker.exists():
    marker.touch()
    raise RuntimeError("not the first time")


def handler(event, context):
    return "now it works"
