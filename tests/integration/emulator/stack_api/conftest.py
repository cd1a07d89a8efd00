"""A project such as `sam init` makes, with Lambda's API and its HTTP API on free ports."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.integration.emulator.conftest import Running
from tests.integration.emulator.lambda_client import ONE_ATTEMPT


@dataclass
class RunningStack:
    """The emulator with the project."""

    running: Running
    folder: Path
    """Has the template and samconfig.toml."""
    aws_url: str
    """Lambda's port, for every service."""

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.aws_url, config=ONE_ATTEMPT)

    def invoke(self, function: str = "Hello", **event: Any) -> None:
        client = self.client("lambda")
        assert "FunctionError" not in client.invoke(FunctionName=function, Payload=json.dumps(event))


@pytest.fixture(scope="module")
def stack(start_for_module: Callable[..., Running], functions: Path) -> RunningStack:
    template = functions / "stack" / "template.yaml"
    running = start_for_module("start-api", "-p", "0", "--lambda-port", "0", "-t", str(template))
    ready = json.loads((running.log_path.parent / "ready-0.json").read_text())
    return RunningStack(running, template.parent, ready["lambda_url"])
