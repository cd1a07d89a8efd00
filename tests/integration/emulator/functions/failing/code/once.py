"""Fails to initialise until the file named by TMPDIR/initialised exists, which the failure makes."""

import os
from pathlib import Path

marker = Path(os.environ["TMPDIR"]) / "initialised"
if not marker.exists():
    marker.touch()
    raise RuntimeError("not the first time")


def handler(event, context):
    return "now it works"
