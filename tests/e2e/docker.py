"""The few things that the tests ask Docker itself, by its command line."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def base_image() -> str:
    """Return the image that SAM CLI runs Python 3.13 functions on."""
    return f"public.ecr.aws/lambda/python:3.13-{_ARCHITECTURES[platform.machine().lower()]}"


def is_base_image_our_own() -> bool:
    """Return whether the base image is here and was built here, so that no registry can be asked about it."""
    label = '{{index .Config.Labels "com.peerloan.lambda-base-image"}}'
    answer = _docker("image", "inspect", "--format", label, base_image(), check=False)
    return answer.strip() not in ("", "<no value>")


def container_ids() -> set[str]:
    """Return the ids of all containers, running or not."""
    return set(_docker("ps", "--all", "--quiet", "--no-trunc").split())


def containers_that_mount(folder: Path) -> set[str]:
    """Return the ids of the containers that have something of a folder in them."""
    found = set()
    for container_id in container_ids():
        sources = _docker(
            "inspect", "--format", "{{range .Mounts}}{{println .Source}}{{end}}", container_id, check=False
        )
        if any(Path(source).is_relative_to(folder) for source in sources.splitlines()):
            found.add(container_id)
    return found


def process_id(container_id: str) -> int:
    """Return the id of a container's first process, as this machine numbers it."""
    return int(_docker("inspect", "--format", "{{.State.Pid}}", container_id))


def remove_container(container_id: str) -> None:
    """Remove a container, running or not. A missing container isn't an error."""
    _docker("rm", "--force", container_id, check=False)


def _docker(*arguments: str, check: bool = True) -> str:
    return subprocess.run(["docker", *arguments], check=check, capture_output=True, text=True).stdout
