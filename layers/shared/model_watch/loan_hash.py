"""Hashes of loan ids: the same id has the same hash, and only who has the key can tell which id it is. Pure.

BLAKE2b with a key (RFC 7693), 12 bytes, written as 16 characters of URL-safe base64. Ids are short and can be guessed,
so a hash without a key would hide nothing.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b
from struct import unpack

DIGEST_BYTES = 12
HASH_LENGTH = 16
# BLAKE2b's longest key has 64 bytes. 32 characters of base64 are 192 random bits.
_KEY = re.compile(r"[A-Za-z0-9+/=_-]{32,64}")
KEY_REQUIREMENT = "32 to 64 characters of base64, from: openssl rand -base64 32"


class LoanHasher:
    """Hashes loan ids, and other keys of a request, with one key.

    Raises ``ValueError`` unless ``key`` is 32 to 64 characters of base64. The message doesn't repeat the key.
    """

    def __init__(self, key: str) -> None:
        if not _KEY.fullmatch(key):
            raise ValueError(f"A key for hashes of loan ids is {KEY_REQUIREMENT}.")
        self._keyed = blake2b(key=key.encode("ascii"), digest_size=DIGEST_BYTES)

    def hash(self, text: str) -> str:
        """Return a text's hash of 16 characters."""
        return urlsafe_b64encode(self._digests([text])[0]).decode("ascii")

    def hash_all(self, texts: Sequence[str | None]) -> list[bytes | None]:
        """Return each text's hash in ASCII, and None for None. ``hash`` is faster for one text."""
        digests = self._digests([text for text in texts if text is not None])
        # 12 bytes are 16 characters without padding, so all digests can be encoded at once.
        encoded = urlsafe_b64encode(b"".join(digests))
        hashes = unpack(f"{HASH_LENGTH}s" * len(digests), encoded)
        if len(hashes) == len(texts):
            return list(hashes)
        rest = iter(hashes)
        return [None if text is None else next(rest) for text in texts]

    def _digests(self, texts: Sequence[str]) -> list[bytes]:
        # Copying the state saves taking the key in again. An Idempotency-Key may hold half a surrogate pair.
        copy_keyed = self._keyed.copy
        digests = []
        for text in texts:
            state = copy_keyed()
            state.update(text.encode("utf-8", "surrogatepass"))
            digests.append(state.digest())
        return digests
