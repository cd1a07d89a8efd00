"""Reads a file of a publisher's own reasons: texts for some codes, and codes that are never given.

[DTI_HIGH]
text = "Your monthly debts are high for your income."

[HOME_OWNERSHIP_OTHER]
exclude = true
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_artifact.reasons import WORDED_CODES_VERSION
from model_artifact.reasons.codes import TEXTS
from model_registry.manifest import Reasons, Wording
from training.errors import WordingRefusedError

# All codes with the longest texts have 10 kB.
MAX_FILE_BYTES = 64 << 10


def read_wording(path: Path) -> Wording:
    """Read a TOML file with a table for each code, which has a ``text`` in words, or ``exclude = true``.

    Line ends in a text become spaces. Raises ``WordingRefusedError`` if the file can't be read, names a code that
    doesn't exist, says anything else of one, or leaves no code.
    """
    document = _parse(path)
    unknown = [code for code in document if code not in TEXTS]
    if unknown:
        raise WordingRefusedError(path, f"{', '.join(unknown)}: no such code. The codes are {', '.join(TEXTS)}")
    texts, excluded = {}, []
    for code, entry in document.items():
        match entry:
            case {"text": str(text), **others} if not others:
                texts[code] = " ".join(text.split())
            case {"exclude": True, **others} if not others:
                excluded.append(code)
            case _:
                raise WordingRefusedError(path, f'[{code}] takes either text = "…" or exclude = true, and nothing else')
    if not document or len(excluded) == len(TEXTS):
        raise WordingRefusedError(path, f"it {'leaves no code' if document else 'names no code'}")
    try:
        return Wording(texts, tuple(excluded))
    except ValueError as error:
        raise WordingRefusedError(path, str(error)) from error


def worded(reasons: Reasons | None, wording: Wording | None) -> Reasons | None:
    """Return a version's reasons with a publisher's wording, where there are both."""
    if reasons is None or wording is None:
        return reasons
    return replace(reasons, codes_version=WORDED_CODES_VERSION, wording=wording)


def _parse(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            body = file.read(MAX_FILE_BYTES + 1)
        if len(body) > MAX_FILE_BYTES:
            raise WordingRefusedError(path, f"it has more than {MAX_FILE_BYTES:,} bytes")
        return tomllib.loads(body.decode("utf-8"))
    except OSError as error:
        raise WordingRefusedError(path, f"it can't be read: {error.strerror}") from error
    except ValueError as error:
        raise WordingRefusedError(path, f"it isn't TOML in UTF-8: {error}") from error
