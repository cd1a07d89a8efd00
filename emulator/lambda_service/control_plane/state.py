"""Keeps an account on disk: one file, which is always replaced as a whole, and a folder of code beside it.

After a crash the file holds the state before a change or after it. A file that can't be read is never overwritten:
the emulator refuses to start and says what to do.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from emulator.durable_files import TEMPORARY_SUFFIX, lock_folder, make_folder, write_durably
from emulator.lambda_service.control_plane.account import Account, from_json
from emulator.lambda_service.control_plane.code_store import CodeStore
from emulator.strict_json import read_json
from emulator.template.errors import ProjectError

FORMAT = 1
_FILE = "state.json"
_LOCK = "lock"
_CODE = "code"
# All that the emulator's folder may hold before its state has been written for the first time. A command that issues
# tokens may make the last one, the issuer's keys, before the emulator starts.
_FIRST_FILES = frozenset({_LOCK, _CODE, _FILE + TEMPORARY_SUFFIX, "oidc-keys.pem"})


class StateError(ProjectError):
    """The state can't be used; nothing of it has been changed."""


class StateFolder:
    """A folder that one emulator at a time keeps its account in.

    It is made if it is missing. None takes a temporary one, which `close` removes. The folders and files in `private`
    are never part of a function's code, as this folder isn't.
    """

    def __init__(self, root: Path | None, private: Iterable[Path] = ()) -> None:
        self._temporary = None if root is not None else tempfile.TemporaryDirectory(prefix="emulator-")
        self.root = Path(self._temporary.name) if self._temporary is not None else root or Path()
        self.code = CodeStore(self.root / _CODE, private=(self.root, *private))
        self._lock: IO[bytes] | None = None

    def open(self) -> Account:
        """Take the folder and read what is in it.

        Raises
        ------
        StateError
            Another emulator has it; it is somebody else's; the state is damaged or of a later format.
        """
        try:
            self._make()
            self._lock = lock_folder(self.root)
        except OSError as error:
            raise StateError(f"{self.root} can't be used for the functions' state: {error.strerror}") from error
        if self._lock is None:
            raise StateError(f"another emulator keeps its functions in {self.root}: let it serve Lambda's API as well "
                             "(start-api with --lambda-port 3001), stop it, or name another folder with --state-dir; "
                             "each folder has versions and aliases of its own")  # fmt: skip
        try:
            account = self._read()
            self._check_code(account)
        except BaseException:
            self.close()
            raise
        self.code.remove_unused(account.codes())
        return account

    def write(self, account: Account) -> None:
        """Keep an account on disk before this returns; after an ``OSError`` the state before is still there."""
        content = json.dumps({"format": FORMAT, **dataclasses.asdict(account)}, indent=1)
        write_durably(self.root / _FILE, [content.encode(), b"\n"])

    def close(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._temporary is not None:
            self._temporary.cleanup()

    def _make(self) -> None:
        make_folder(self.root)
        names = {entry.name for entry in self.root.iterdir()}
        if _FILE not in names and not names <= _FIRST_FILES:
            raise StateError(f"{self.root} holds other files: name an empty folder, or a new one, with --state-dir")

    def _read(self) -> Account:
        path = self.root / _FILE
        remedy = f"move {self.root} away to start with an empty account, or restore a copy of it"
        try:
            content = read_json(path.read_bytes())
            format_number = content["format"]
        except FileNotFoundError:
            return Account()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"{path} is damaged ({error}): {remedy}") from error
        if format_number != FORMAT:
            raise StateError(
                f"{path} has format {format_number!r}, and this emulator reads format {FORMAT}: run the emulator that "
                f"wrote it, or move {self.root} away to start with an empty account"
            )
        try:
            return from_json(content)
        except ValueError as error:
            raise StateError(f"{path} is damaged ({error}): {remedy}") from error

    def _check_code(self, account: Account) -> None:
        for code in account.codes().values():
            if not self.code.holds(code.digest, code.size_bytes):
                users = [
                    f"{function.name}:{version.version}"
                    for function in account.functions.values()
                    for version in function.all_versions()
                    if code in version.codes()
                ]
                raise StateError(
                    f"the code of {', '.join(users)} is damaged or missing in {self.code.folder(code.digest)}: "
                    f"restore a copy of it, or move {self.root} away to start with an empty account"
                )
