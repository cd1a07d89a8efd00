"""Parses JSON from outside strictly. Imports the standard library only.

Python's own parser accepts NaN, Infinity, and a repeated key (the last value wins). This parser refuses them. It also
has clear messages for texts that are nested too deeply, and for numbers that are too long for Python.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

_MAX_QUOTED_NAME = 64


class StrictJsonError(ValueError):
    """The text isn't JSON, or can be read in two ways. The message goes on after "it" or "the body"."""


def parse(text: str) -> Any:
    """Return the value of a JSON text.

    Raises ``StrictJsonError`` if it isn't JSON, has a key twice in one object, holds NaN or Infinity, is nested too
    deeply, or has a number with too many digits.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise StrictJsonError(f"isn't JSON: {error.msg.partition(':')[0]} at {place}") from None
    except RecursionError:
        raise StrictJsonError("is nested too deeply") from None
    except StrictJsonError:
        raise
    except ValueError:
        # Python refuses to convert integers of thousands of digits.
        raise StrictJsonError("holds a number with too many digits") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) == len(pairs):
        return document
    # Counted once: a body may have hundreds of thousands of keys.
    counts = Counter(name for name, _ in pairs)
    repeated = next(name for name, count in counts.items() if count > 1)
    key = f"the key {repeated!r}" if len(repeated) <= _MAX_QUOTED_NAME else "a key"
    raise StrictJsonError(f"has {key} twice in one object; write each key once")


def _refuse_constant(constant: str) -> NoReturn:
    raise StrictJsonError(f"isn't JSON: it holds {constant}; write null where a value is missing")
