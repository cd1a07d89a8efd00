"""The revision of the sources that the local stack runs, as ``make deploy`` has one of what it has built."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

# What the API's function is made of. A parameter's value counts as well, as on AWS.
_SOURCES = ("functions/predict", "layers/shared", "template.yaml")


def source_revision(project: Path, parameters: Iterable[str]) -> str:
    """Return the SHA-256, in hexadecimal, of the function's sources and of the template's parameters.

    Parameters
    ----------
    project : Path
        The folder of ``template.yaml``.
    parameters : iterable of str
        ``NAME=VALUE`` of those that are given.
    """
    digest = hashlib.sha256()
    for path in sorted(path for source in _SOURCES for path in (project / source, *(project / source).rglob("*"))):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            # The length before the content, so that no two different folders are the same sequence of bytes.
            content = path.read_bytes()
            digest.update(f"{path.relative_to(project).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    for parameter in sorted(parameters):
        digest.update(f"{parameter}\0".encode())
    return digest.hexdigest()
