"""Copies of code, each under the digest of its content, so that editing files never changes what is published.

Cut off anywhere, a copy is whole or missing: it is made beside its place and renamed into it, and renamed out of it
before it is removed. Files aren't synced one by one, which would take seconds for a package of thousands; what a
failing machine may lose of them is noticed by `CodeStore.holds` at the next start, and what was changed by
`CodeStore.check` when the code is used first.

Beside each copy lies its listing, one line a file. The digest is the SHA-256 of the listing:

    app.py NUL 444 NUL 1034 NUL 9b1c…                               path, mode, size in bytes, SHA-256
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO

from emulator.lambda_service.control_plane.account import Code

# Where code can be fetched as a zip file; the control API makes an address of it.
CODE_PATH = "/_code/"
_CHUNK_BYTES = 1024 * 1024
# A line of a listing; the name may hold line ends.
_ENTRY = re.compile(rb"(?P<name>.*?)\0(?P<mode>[0-7]+)\0\d+\0[0-9a-f]{64}\n", re.DOTALL)
_SCRAP = ".scrap-"
_LISTING = ".files"
# Left behind by tools and editors, and never part of a package. `sam build` leaves most of it out as well.
_IGNORED = re.compile(
    r"__pycache__|\.git|\.hg|\.svn|\.aws-sam|\.venv|\.tox|\.nox|\.(?:mypy|pytest|ruff)_cache|\.hypothesis|\.idea|\.vscode"
    r"|\.DS_Store|.*\.py[co]|.*~|\.#.*|#.*#|\..*\.sw[a-z]{1,2}|.*___jb_(?:tmp|old)___|4913"
)


class CodeError(Exception):
    """A folder can't be read, or a copy was changed."""


def code_location(digest: str) -> str:
    """Return the path of code by its digest."""
    return f"{CODE_PATH}{digest}.zip"


def is_ignored(name: str) -> bool:
    """Return whether a file or folder of this name isn't part of the code, so that its changes don't matter."""
    return _IGNORED.fullmatch(name) is not None


class CodeStore:
    """Folders by the digest of their content, in `root`, which is made when first needed. Only the store writes there.

    The folders and files in `private` are the emulator's own, and never part of any code.
    """

    def __init__(self, root: Path, private: Iterable[Path] = ()) -> None:
        self._root = root
        self._private = frozenset(map(os.path.realpath, (root, *private)))
        self._scraps = 0
        # The copies that this process has made or checked.
        self._checked: set[str] = set()

    def folder(self, digest: str) -> Path:
        """Return the folder of a copy."""
        return self._root / digest

    def holds(self, digest: str, size_bytes: int) -> bool:
        """Return whether a copy exists and none of its files is missing or cut off, by their sizes.

        Additional files don't count as damage: here, unlike on AWS, a function can write to its own folder.
        """
        folder = self.folder(digest)
        return folder.is_dir() and sum(path.stat().st_size for path, _ in _files(folder)) >= size_bytes

    def check(self, digest: str) -> None:
        """Raise `CodeError` if a file of a copy was changed since; each copy is read once in a process's life.

        Call it in a thread: it reads every file.
        """
        if digest in self._checked:
            return
        folder = self.folder(digest)
        try:
            stored, listing = _read_folder(folder)
            if stored.digest != digest and not self._read_listing(digest) <= _lines(listing):
                raise CodeError(f"files in {folder} were changed or removed after they were copied")
        except OSError as error:
            raise CodeError(f"{folder} can't be read: {error}") from error
        self._checked.add(digest)

    def is_copy_of(self, digest: str, source: Path) -> bool:
        """Return whether a copy has the content that a folder has now."""
        try:
            return source.is_dir() and _read_folder(source, self._private)[0].digest == digest
        except OSError:
            return False

    def put(self, source: Path) -> Code:
        """Copy a folder unless its content is there already; raise `CodeError` if it can't be read.

        Links are followed, as zip does, and files that are ignored are left out.
        """
        if not source.is_dir():
            raise CodeError(f"the folder {source} doesn't exist")
        try:
            stored, _ = _read_folder(source, self._private)
            return stored if self.holds(stored.digest, stored.size_bytes) else self._copy(source)
        except OSError as error:
            raise CodeError(f"{source} can't be copied: {error}") from error

    def write_zip(self, digest: str, target: IO[bytes]) -> None:
        """Write a copy as a zip file, which has the same bytes each time; raise `CodeError` if the copy was changed.

        Files that a function has added to its folder since aren't part of it.
        """
        self.check(digest)
        folder = self.folder(digest)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for match in _ENTRY.finditer(self._listing(digest).read_bytes()):
                name = match["name"].decode("utf-8", "surrogateescape")
                # Without a date it is the zip format's first day.
                entry = zipfile.ZipInfo(name)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = (stat.S_IFREG | 0o644 | (int(match["mode"], 8) & 0o111)) << 16
                with (folder / name).open("rb") as source, archive.open(entry, "w", force_zip64=False) as file:
                    shutil.copyfileobj(source, file, _CHUNK_BYTES)

    def remove_unused(self, used: Collection[str]) -> None:
        """Remove every copy but these, and the half-made ones of an earlier process."""
        if not self._root.is_dir():
            return
        for entry in list(self._root.iterdir()):
            if entry.name.removesuffix(_LISTING) not in used:
                self._discard(entry)

    def _copy(self, source: Path) -> Code:
        scrap = self._new_scrap()
        scrap.mkdir(parents=True)
        try:
            for path, relative in _files(source, self._private):
                target = scrap / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                target.chmod(_mode(path))
            # The digest is that of the copy: the source may be changing meanwhile.
            stored, listing = _read_folder(scrap)
            place = self.folder(stored.digest)
            if place.exists():
                if self.holds(stored.digest, stored.size_bytes):
                    return stored
                self._discard(place)
            scrap.rename(place)
            self._listing(stored.digest).write_bytes(listing)
            self._checked.add(stored.digest)
            return stored
        finally:
            shutil.rmtree(scrap, ignore_errors=True)

    def _listing(self, digest: str) -> Path:
        return self._root / (digest + _LISTING)

    def _read_listing(self, digest: str) -> set[bytes]:
        """Return the lines of a copy's listing; raise `CodeError` if it is missing or another one's."""
        path = self._listing(digest)
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != digest:
            raise CodeError(f"files in {self.folder(digest)} were changed, added or removed after they were copied")
        return _lines(content)

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


def _read_folder(folder: Path, private: Collection[str] = frozenset()) -> tuple[Code, bytes]:
    """Return a folder's content, and its listing."""
    listing, size_bytes = bytearray(), 0
    for path, relative in _files(folder, private):
        with path.open("rb", buffering=0) as file:
            digest, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
        listing += f"{relative}\0{_mode(path):o}\0{size}\0{digest}\n".encode("utf-8", "surrogateescape")
        size_bytes += size
    sha256 = hashlib.sha256(listing)
    code = Code(sha256.hexdigest(), size_bytes, base64.b64encode(sha256.digest()).decode(), size_bytes)
    return code, bytes(listing)


def _lines(listing: bytes) -> set[bytes]:
    # Not an entry each: a file's name may hold a line end.
    return set(listing.split(b"\n"))


def _mode(path: Path) -> int:
    """Return a file's mode in the store: the right to execute counts, as in a zip; nobody may write."""
    return 0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444


def _files(folder: Path, private: Collection[str] = frozenset()) -> Iterator[tuple[Path, str]]:
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
