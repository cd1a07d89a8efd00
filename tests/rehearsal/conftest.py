"""MiniStack on a free port of loopback, and the built project beside it; both end with the tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import BackgroundCommand, free_port
from tests.rehearsal.stand_in import REGION, ROOT, Deployed, Project, copy_of_the_build, write_sam

MINISTACK = ROOT / ".ministack-venv/bin/python"


@pytest.fixture(scope="session")
def project() -> Iterator[Project]:
    """The built project, and a stand-in for AWS that has nothing yet."""
    sam = shutil.which("sam")
    if sam is None or not MINISTACK.exists() or not (ROOT / ".aws-sam/build/template.yaml").exists():
        pytest.fail("SAM CLI, MiniStack or the build is missing: run make rehearse")
    (ROOT / "build").mkdir(exist_ok=True)
    # Beside the build, so that its files can be linked.
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=ROOT / "build") as name:
        folder = Path(name)
        copy_of_the_build(folder)
        write_sam(folder, sam)
        plain = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
        environ = {
            **plain, **credentials,
            "AWS_ENDPOINT_URL": url, "PATH": f"{folder}:{plain['PATH']}", "SAM_CLI_TELEMETRY": "0",
        }  # fmt: skip
        settings = {
            "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "LAMBDA_EXECUTOR": "local", "IOT_MTLS_ENABLED": "0",
            "MINISTACK_REGION": REGION, "TMPDIR": str(folder),
        }  # fmt: skip
        with BackgroundCommand(
            [str(MINISTACK), "-m", "ministack"],
            environ={**plain, **credentials, **settings}, cwd=folder, log=folder / "ministack.log",
        ) as stand_in:  # fmt: skip
            stand_in.wait_until_answering(f"{url}/_ministack/health", timeout_s=60)
            yield Project(folder, url, environ)


@pytest.fixture(scope="session")
def first(project: Project) -> Deployed:
    """The first deployment."""
    return project.deploy()
