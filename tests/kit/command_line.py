"""Runs the command line in the test's own process: another one would spend seconds on importing scikit-learn."""

from __future__ import annotations

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout

from peerloan.__main__ import app


def run_peerloan(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command; return what a process of its own would have printed, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            app(words)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
