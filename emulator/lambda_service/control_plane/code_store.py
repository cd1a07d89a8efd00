"""Copies of code, each under the digest of its content, so that editing files never changes what is published.

Cut off anywhere, a copy is whole or not there: it is made beside its place and renamed into it, and renamed out
of it before it is removed. Files are not synced one by one, which would take seconds for a package of
thousands; what a failing machine may lose of them is noticed by `CodeStore.holds` at the next start.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_CHUNK_BYTES = 1 << 20
_SCRAP = ".scrap-"
# Never part of a package: what tools and editors leave beside sources. `sam build` leaves most of it out as well.
_IGNORED = re.compile(
    r"__pycache__|\.git|\.hg|\.svn|\.aws-sam|\.venv|\.tox|\.nox|\.(?:mypy|pytest|ruff)_cache|\.hypothesis|\.idea|\.vscode"
    r"|\.DS_Store|.*\.py[co]|.*~|\.#.*|#.*#|\..*\.sw[a-z]{1,2}|.*___jb_(?:tmp|old)___|4913"
)


class CodeError(Exception):
    """A folder can't be read."""


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A folder's content: its SHA-256 in hexadecimal digits, and the size of its files."""

    digest: str
    size_bytes: int


def is_ignored(name: str) -> bool:
    """Return whether a file or folder of this name is no part of a package, and a change of it no change."""
    return _IGNORED.fullmatch(name) is not None


class CodeStore:
    """Folders by the digest of their content.

    Parameters
    ----------
    root : Path
        Where the copies are; made when first needed. Nobody else writes here.
    private : iterable of Path
        Folders and files that are no part of any code, even inside of it: what the emulator itself writes.
    """

    def __init__(self, root: Path, private: Iterable[Path] = ()) -> None:
        self._root = root
        self._private = frozenset(map(os.path.realpath, (root, *private)))
        self._scraps = 0

    def folder(self, digest: str) -> Path:
        """Return where a copy is."""
        return self._root / digest

    def holds(self, digest: str, size_bytes: int) -> bool:
        """Return whether a copy is there and nothing of it is missing or cut off.

        More than was copied is no damage: here, unlike on AWS, a function can write to its own folder.
        """
        folder = self.folder(digest)
        return folder.is_dir() and sum(path.stat().st_size for path, _ in _files(folder, frozenset())) >= size_bytes

    def put(self, source: Path) -> StoredCode:
        """Copy a folder unless its content is there already.

        Links are followed, as zip does, and files that are ignored are left out.

        Raises
        ------
        CodeError
            There is no such folder, or it can't be read.
        """
        if not source.is_dir():
            raise CodeError(f"there is no folder {source}")
        try:
            found = self._walk(source, None)
            if self.holds(found.digest, found.size_bytes):
                return found
            return self._copy(source)
        except OSError as error:
            raise CodeError(f"{source} can't be copied: {error}") from error

    def remove_unused(self, used: Collection[str]) -> None:
        """Remove every copy but these, and what an earlier process left half made."""
        if not self._root.is_dir():
            return
        for entry in list(self._root.iterdir()):
            if entry.name not in used:
                self._discard(entry)

    def _copy(self, source: Path) -> StoredCode:
        scrap = self._new_scrap()
        scrap.mkdir(parents=True)
        try:
            # The digest is that of what was copied: somebody may be writing to the source meanwhile.
            stored = self._walk(source, scrap)
            place = self.folder(stored.digest)
            if place.exists():
                if self.holds(stored.digest, stored.size_bytes):
                    return stored
                self._discard(place)
            scrap.rename(place)
            return stored
        finally:
            shutil.rmtree(scrap, ignore_errors=True)

    def _walk(self, source: Path, target: Path | None) -> StoredCode:
        """Return what a folder holds, copying it on the way if there is a target."""
        whole, size = hashlib.sha256(), 0
        for path, relative in _files(source, self._private):
            copy = None
            if target is not None:
                copy = target / relative
                copy.parent.mkdir(parents=True, exist_ok=True)
            digest, mode, bytes_read = _read_through(path, copy)
            whole.update(f"{relative}\0{mode:o}\0{bytes_read}\0{digest}\n".encode("utf-8", "surrogateescape"))
            size += bytes_read
        return StoredCode(whole.hexdigest(), size)

    def _discard(self, entry: Path) -> None:
        scrap = entry
        if not entry.name.startswith(_SCRAP):
            scrap = self._new_scrap()
            entry.rename(scrap)
        if scrap.is_dir():
            shutil.rmtree(scrap)
        else:
            scrap.unlink()

    def _new_scrap(self) -> Path:
        self._scraps += 1
        return self._root / f"{_SCRAP}{os.getpid()}-{self._scraps}"


def _files(folder: Path, private: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Yield a folder's files with their relative paths, in one order on every machine, each folder once."""
    seen: set[str] = set()
    for where, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        if real in seen or real in private:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_ignored(name))
        for name in sorted(names):
            path = Path(where, name)
            if not is_ignored(name) and f"{real}/{name}" not in private and path.is_file():
                yield path, path.relative_to(folder).as_posix()


def _read_through(path: Path, copy: Path | None) -> tuple[str, int, int]:
    """Return a file's digest, its mode for everybody and its size, copying it if there is a place to."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        # Who may execute it counts, as in a zip; who may write it doesn't: nobody shall.
        mode = 0o555 if os.fstat(file.fileno()).st_mode & stat.S_IXUSR else 0o444
        target = None if copy is None else os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                if target is not None:
                    _write_all(target, chunk)
        finally:
            if target is not None:
                os.close(target)
    return digest.hexdigest(), mode, size


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
