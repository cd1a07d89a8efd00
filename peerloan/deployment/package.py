"""The function's code as the zip file that Lambda unpacks, and the limits on it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from peerloan.errors import DeploymentError

# The largest package that Lambda takes in a request; a larger one goes through a bucket.
MAX_DIRECT_BYTES = 50 * 2**20
# The largest function, unpacked and with its layers.
MAX_UNPACKED_BYTES = 250 * 2**20

_EARLIEST = (1980, 1, 1, 0, 0, 0)


def code_files(folder: Path) -> list[Path]:
    """Return the files of a folder that are packed, in the package's order: all but compiled Python.

    Raises
    ------
    DeploymentError
        If the folder holds no file, more than Lambda takes, or a name that a zip file can't hold.
    """
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.relative_to(folder).parts
    )
    if not files:
        raise DeploymentError(f"{folder} has no code in it. Name the function's folder, as sam build makes it.")
    for path in files:
        try:
            path.relative_to(folder).as_posix().encode()
        except UnicodeEncodeError as error:
            raise DeploymentError(f"The name of {path} isn't UTF-8. Rename the file, or remove it.") from error
    size_bytes = unpacked_bytes(files)
    if size_bytes > MAX_UNPACKED_BYTES:
        raise DeploymentError(
            f"{folder} has {size_bytes / 2**20:.0f} MB, and Lambda takes 250, layers included. Leave libraries out, or "
            "deploy a container image: docs/models.md."
        )
    return files


def unpacked_bytes(files: list[Path]) -> int:
    """Return the size of files before they are packed."""
    return sum(path.stat().st_size for path in files)


def make_package(folder: Path, files: list[Path]) -> bytes:
    """Return a folder's files as a zip file; the same files give the same bytes on every machine."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(entry, path.read_bytes())
    return target.getvalue()
