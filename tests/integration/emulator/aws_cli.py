"""The unchanged AWS CLI, with only ``--endpoint-url``: ``make aws-cli-test`` puts it on the path."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any


def find_second_version() -> str | None:
    """Return the first command on the path that is the AWS CLI's second version, which can't be had from PyPI."""
    for folder in os.environ["PATH"].split(os.pathsep):
        command = shutil.which("aws", path=folder)
        if command and subprocess.check_output([command, "--version"], text=True).startswith("aws-cli/2"):
            return command
    return None


class AwsCli:
    """The command, in a folder of its own."""

    def __init__(self, folder: Path, endpoint_url: str, command: str | None = None) -> None:
        self._folder = folder
        self._endpoint_url = endpoint_url
        self._command = command or shutil.which("aws")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        assert self._command, "the AWS CLI is not on the path: make aws-cli-test"
        environ = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1", "HOME": str(self._folder)}
        return subprocess.run(
            [self._command, "--endpoint-url", self._endpoint_url, *words],
            cwd=self._folder, env=environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def __call__(self, *words: str) -> Any:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout

    def refused(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode != 0
        return done.stderr
