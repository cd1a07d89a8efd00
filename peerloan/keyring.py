"""The keys in a state folder: the publishers', and the one that hashes loan ids in the function's log.

``NAME.pem`` is a private key that signs (PKCS #8), ``NAME.pub`` somebody else's public key, which is trusted.
``loan-hash.key`` is the text of ``LOAN_HASH_KEY``. Private keys can be read by their owner alone.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from model_artifact.opening.signature import Signer, Trust, key_id
from model_registry.names import check_alias_name
from model_watch.loan_hash import LoanHasher
from peerloan.errors import UsageError
from peerloan.files import make_folder, sync_file, write_whole, writing

_LOAN_HASH_KEY = "loan-hash.key"


@dataclass(frozen=True)
class Key:
    """A trusted key; ``can_sign`` says whether its private half is here."""

    name: str
    public_key: str
    can_sign: bool

    @property
    def key_id(self) -> str:
        """The id that signatures name."""
        return key_id(self.public_key)


class Keyring:
    """The keys in a folder.

    Parameters
    ----------
    folder : Path
        Made with the first key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list_keys(self) -> list[Key]:
        """Return the keys by name; raise ``UsageError`` for a file that isn't a key."""
        paths = sorted([*self._folder.glob("*.pem"), *self._folder.glob("*.pub")])
        return [Key(path.stem, self._public_key(path), path.suffix == ".pem") for path in paths]

    def trust(self) -> Trust:
        """Return the trust in all of these keys."""
        return Trust.parse(self.public_keys())

    def public_keys(self) -> str:
        """Return the public keys in the form of ``TRUSTED_PUBLISHERS``."""
        return ",".join(key.public_key for key in self.list_keys())

    def find_signer(self, name: str) -> Signer | None:
        """Return the private key of a name, or None."""
        path = self._path(name, ".pem")
        return _read_signer(path) if path.exists() else None

    def create(self, name: str) -> Key:
        """Make a pair of keys; raise ``UsageError`` if the name is taken."""
        signer = Signer.generate()
        self._write(name, ".pem", signer.to_pem())
        return Key(name, signer.public_key, can_sign=True)

    def add(self, name: str, public_key: str) -> Key:
        """Trust somebody else's public key; raise ``UsageError`` if it isn't one, or the name is taken."""
        try:
            key_id(public_key)
        except ValueError as error:
            raise UsageError(f"{error}.") from error
        self._write(name, ".pub", public_key.encode() + b"\n")
        return Key(name, public_key, can_sign=False)

    def revoke(self, name: str) -> Path:
        """Put a key aside, and return the file that still holds it; raise ``UsageError`` if there isn't one."""
        for suffix in (".pem", ".pub"):
            path = self._path(name, suffix)
            if path.exists():
                aside = path.with_name(path.name + ".revoked")
                with writing(aside):
                    path.replace(aside)
                return aside
        raise UsageError(f"The key {name!r} doesn't exist. List them: peerloan keys list")

    def find_loan_hash_key(self) -> str | None:
        """Return the key of loan ids' hashes, or None; raise ``UsageError`` if its file doesn't hold one."""
        path = self._folder / _LOAN_HASH_KEY
        if not path.exists():
            return None
        key = path.read_text("ascii", "replace").strip()
        try:
            LoanHasher(key)
        except ValueError as error:
            raise UsageError(
                f"{path} can't be used: {error} Restore it; or delete it, and loans that the log has so far can't be "
                "found in it any more."
            ) from None
        return key

    def make_loan_hash_key(self) -> str:
        """Return the key of loan ids' hashes, which is made at the first time; raises as ``find_loan_hash_key``."""
        key = self.find_loan_hash_key()
        if key is None:
            key = secrets.token_urlsafe(32)
            make_folder(self._folder)
            write_whole(self._folder / _LOAN_HASH_KEY, key.encode() + b"\n", is_private=True)
        return key

    def _write(self, name: str, suffix: str, content: bytes) -> None:
        if any(self._path(name, ending).exists() for ending in (".pem", ".pub")):
            raise UsageError(f"There is a key {name!r} already. Choose another name, or revoke it first.")
        make_folder(self._folder)
        if suffix == ".pub" and content.decode().strip() in self.public_keys().split(","):
            raise UsageError("This public key is there already, under another name: peerloan keys list")
        path = self._path(name, suffix)
        with writing(path):
            # Exclusive: of two commands at once, one wins. Nobody else can read it, from its first byte on.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                sync_file(file)

    def _path(self, name: str, suffix: str) -> Path:
        return self._folder / f"{check_alias_name(name)}{suffix}"

    def _public_key(self, path: Path) -> str:
        return _read_signer(path).public_key if path.suffix == ".pem" else path.read_text("ascii", "replace").strip()


def _read_signer(path: Path) -> Signer:
    try:
        return Signer.from_pem(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} isn't a private key ({error}). Restore it, or move it away.") from error
