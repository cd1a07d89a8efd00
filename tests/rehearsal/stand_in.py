"""A stand-in for AWS, and a copy of what is built that `make deploy`'s script deploys to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[2]
STACK = "peerloan-late-payers"
REGION = "us-east-1"
DEPLOYMENT_LIMIT_S = 300


@dataclass(frozen=True)
class Deployed:
    """What a deployment left: the stack's outputs, and the code that `live` points to."""

    outputs: Mapping[str, str]
    version: str
    configuration: Mapping[str, Any]


@dataclass(frozen=True)
class Project:
    """A folder with the built project, the stand-in's address, and the environment of commands that talk to it."""

    folder: Path
    url: str
    environ: Mapping[str, str]

    def client(self, service: str) -> Any:
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )

    def deploy(self, *words: str) -> Deployed:
        """Deploy what is built as `make deploy YES=1` does, and return what there is now."""
        command = [sys.executable, str(ROOT / "env-setup/deploy.py"), "--yes", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False,
            timeout=DEPLOYMENT_LIMIT_S,
        )  # fmt: skip
        assert done.returncode == 0, "\n".join([*self._failures(), done.stderr[-2000:]])
        (stack,) = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        functions = self.client("lambda")
        # CloudFormation waits for this itself; MiniStack's ends while the version is pending.
        ready = {"Delay": 1, "MaxAttempts": 60}
        functions.get_waiter("function_active_v2").wait(FunctionName=outputs["PredictFunction"], WaiterConfig=ready)
        configuration = functions.get_function_configuration(FunctionName=outputs["PredictFunction"])
        return Deployed(outputs, configuration["Version"], configuration)

    def _failures(self) -> list[str]:
        """Return why resources of the stack failed, as CloudFormation says."""
        try:
            events = self.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
        except ClientError as error:
            return [str(error)]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        return [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed]

    def change(self, name: str, addition: str) -> None:
        """Add text to a file of the build. The file is replaced: what it was linked to stays as it is."""
        path = self.folder / ".aws-sam/build" / name
        text = path.read_text()
        path.unlink()
        path.write_text(text + addition)

    def serving_version(self, function: str) -> str | None:
        """Invoke a function with the API's event of one loan; return the model version that scored it."""
        event = (ROOT / "events/late-payer.json").read_bytes()
        answer = json.load(self.client("lambda").invoke(FunctionName=function, Payload=event)["Payload"])
        return answer["headers"].get("X-Model-Version")  # type: ignore[no-any-return]

    def peerloan(self, bucket: str, *words: str) -> None:
        """Run a command of `peerloan` on a bucket of the stand-in."""
        command = [sys.executable, "-m", "peerloan", "--endpoint-url", self.url, "--bucket", bucket, *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr


def copy_of_the_build(folder: Path) -> None:
    """Copy samconfig.toml and the build into a folder; the build's files are linked, since they are 260 MB."""
    shutil.copy(ROOT / "samconfig.toml", folder)
    shutil.copytree(ROOT / ".aws-sam/build", folder / ".aws-sam/build", copy_function=os.link)


def write_sam(folder: Path, sam: str) -> None:
    """Write the `sam` that ``sam_for_ministack`` describes; SAM CLI's own environment has what it imports."""
    python = Path(sam).with_name("python")
    script = folder / "sam"
    script.write_text(f'#!/bin/sh\nexec "{python}" "{Path(__file__).with_name("sam_for_ministack.py")}" "{sam}" "$@"\n')
    script.chmod(0o755)
