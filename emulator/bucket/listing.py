"""Lists of keys a page at a time: prefixes, delimiters, limits, tokens and the encoding of names."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote_plus

from emulator.bucket.answers import invalid_argument

_MOST = 1000
_TOKEN_MARK = b"1:"


def walk(
    keys: Sequence[str], prefix: str, delimiter: str, after: str, *, inclusive: bool = False
) -> Iterator[tuple[str, bool]]:
    """Yield the keys after one of them, and common prefixes in place of the keys that share one, each with whether
    it is one.

    Parameters
    ----------
    keys : sequence of str
        Sorted.
    inclusive : bool
        Begin with the key ``after`` itself. If ``after`` is a common prefix, what it stands for is passed over.
    """
    start = bisect_left(keys, after) if inclusive else bisect_right(keys, after)
    if (
        delimiter
        and after.startswith(prefix)
        and after.find(delimiter, len(prefix)) == len(after) - len(delimiter) >= 0
    ):
        start = _end_of_prefix(keys, after, start)
    position = max(start, bisect_left(keys, prefix))
    while position < len(keys) and keys[position].startswith(prefix):
        key = keys[position]
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            yield key, False
            position += 1
        else:
            common = key[: end + len(delimiter)]
            yield common, True
            position = _end_of_prefix(keys, common, position)


def _end_of_prefix(keys: Sequence[str], prefix: str, start: int) -> int:
    """Return the position after the keys from ``start`` on that share a prefix."""
    return bisect_left(keys, True, start, key=lambda key: not key.startswith(prefix))


class ListRequest:
    """What every list of names takes: a limit, a prefix, a delimiter and an encoding of the names in the answer.

    Raises
    ------
    S3Error
        InvalidArgument: the limit isn't a number of S3's range, or the encoding isn't ``url``.
    """

    def __init__(self, query: Mapping[str, str], limit_name: str = "max-keys") -> None:
        self.limit = read_limit(query, limit_name)
        self.prefix = query.get("prefix", "")
        self.delimiter = query.get("delimiter", "")
        self._encoding = query.get("encoding-type") or None
        if self._encoding not in {None, "url"}:
            message = "Invalid Encoding Method specified in Request"
            raise invalid_argument(message, "encoding-type", self._encoding)

    def encode(self, text: str) -> str:
        """Return a name as the answer has it."""
        return quote_plus(text, safe="/*-._") if self._encoding else text

    def fields(self, limit_name: str = "MaxKeys") -> dict[str, object]:
        """Return the elements of the answer that repeat the request."""
        return {
            "Prefix": self.encode(self.prefix),
            "Delimiter": self.encode(self.delimiter) or None,
            "EncodingType": self._encoding,
            limit_name: self.limit,
        }


def read_limit(query: Mapping[str, str], name: str) -> int:
    """Return how many items a page may have: at most a thousand.

    Raises
    ------
    S3Error
        InvalidArgument: it isn't a number of S3's range.
    """
    value = query.get(name) or str(_MOST)
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 10:
        raise invalid_argument(f"Provided {name} not an integer or within integer range", name, value)
    if not 0 <= int(value) <= 2**31 - 1:
        raise invalid_argument(f"Argument {name} must be an integer between 0 and 2147483647", name, value)
    return min(int(value), _MOST)


def make_token(item: str) -> str:
    """Return the token of the page after an item."""
    return base64.urlsafe_b64encode(_TOKEN_MARK + item.encode()).decode()


def read_token(query: Mapping[str, str]) -> str | None:
    """Return the item that a request's token stands for, or None without one.

    Raises
    ------
    S3Error
        InvalidArgument: the bucket didn't make it.
    """
    token = query.get("continuation-token")
    if token is None:
        return None
    try:
        content = base64.b64decode(token, altchars=b"-_", validate=True)
        if content.startswith(_TOKEN_MARK):
            return content.removeprefix(_TOKEN_MARK).decode()
    except (binascii.Error, ValueError):
        pass
    raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
