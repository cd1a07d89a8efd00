"""Signatures of manifests: only a trusted publisher's pickle is ever opened in the function.

A manifest holds the sha256 of the pickle and of the serving form, and the probe records, so its signature covers all of
them. The trusted public keys come from the server's settings, never from the artifact. Ed25519 as in RFC 8032, by
``cryptography``; that package is imported only when something is signed or verified.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from model_artifact.errors import UntrustedVersionError
from model_registry.manifest import Manifest, Signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_KEY_BYTES = 32
_KEY_ID_DIGITS = 16
# The y coordinates of the curve's points of small order (RFC 7748, section 7): anybody can sign for such a key.
_PRIME = 2**255 - 19
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _PRIME - 1,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)


class Signer:
    """A publisher's private key, which signs manifests."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self.public_key = base64.b64encode(private_key.public_key().public_bytes_raw()).decode()
        self.key_id = key_id(self.public_key)

    @classmethod
    def generate(cls) -> Signer:
        """Make a new key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> Signer:
        """Read a key as ``to_pem`` wrote it; raise ``ValueError`` for anything else."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            private_key = load_pem_private_key(pem, password=None)
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError(str(error)) from error
        if not isinstance(private_key, Ed25519PrivateKey):
            raise ValueError("it isn't an Ed25519 key")
        return cls(private_key)

    def to_pem(self) -> bytes:
        """Return the private key as unencrypted PKCS #8."""
        from cryptography.hazmat.primitives import serialization

        return self._private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, manifest: Manifest) -> Manifest:
        """Return the manifest with this publisher's signature."""
        value = self._private_key.sign(manifest.signed_bytes()).hex()
        return replace(manifest, signature=Signature(self.key_id, value))


@dataclass(frozen=True)
class Trust:
    """Which publishers a server trusts, and whether arrays need a signature too.

    ``public_keys`` maps a key's id to its 32 raw bytes.
    """

    public_keys: Mapping[str, bytes] = field(default_factory=dict)
    require_signature: bool = False

    @classmethod
    def parse(cls, public_keys: str, *, require_signature: bool = False) -> Trust:
        """Read public keys, separated by commas, as ``peerloan keys export`` prints them.

        Raises
        ------
        ValueError
            If one of them isn't a public key.
        """
        texts = [text.strip() for text in public_keys.split(",") if text.strip()]
        return cls({key_id(text): _raw(text) for text in texts}, require_signature)

    def covers(self, manifest: Manifest) -> bool:
        """Return whether a trusted publisher has signed the manifest as it is."""
        try:
            self.check(manifest)
        except UntrustedVersionError:
            return False
        return True

    def check(self, manifest: Manifest) -> None:
        """Raise ``UntrustedVersionError`` unless a trusted publisher has signed the manifest as it is."""
        signature = manifest.signature
        if signature is None:
            raise UntrustedVersionError(manifest.version, "nobody has signed it")
        public_key = self.public_keys.get(signature.key_id)
        if public_key is None:
            raise UntrustedVersionError(manifest.version, f"the key {signature.key_id} isn't among the trusted ones")
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(
                bytes.fromhex(signature.value), manifest.signed_bytes()
            )
        except InvalidSignature:
            raise UntrustedVersionError(
                manifest.version, f"its signature by the key {signature.key_id} isn't of this manifest"
            ) from None


def key_id(public_key: str) -> str:
    """Return a public key's id, the first 16 hex digits of its sha256; raise ``ValueError`` if it isn't a key."""
    return hashlib.sha256(_raw(public_key)).hexdigest()[:_KEY_ID_DIGITS]


def _raw(public_key: str) -> bytes:
    try:
        raw = base64.b64decode(public_key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    is_key = len(raw) == _KEY_BYTES and int.from_bytes(raw, "little") % 2**255 % _PRIME not in _SMALL_ORDER
    if not is_key or base64.b64encode(raw).decode() != public_key:
        raise ValueError(f"{public_key!r} isn't a public key: write it as 'peerloan keys export' prints it")
    return raw
