"""Parses JSON from outside the emulator strictly; every fault is a ``ValueError``."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def read_json(document: bytes | str) -> Any:
    """Parse a JSON document; unlike Python's parser, refuse NaN and Infinity.

    Raises
    ------
    ValueError
        It isn't JSON, isn't UTF-8, or is nested too deeply.
    """
    try:
        return _decode(document if isinstance(document, str) else document.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} isn't JSON")


_decode = json.JSONDecoder(parse_constant=_refuse).decode
