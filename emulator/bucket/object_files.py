"""The format of one file in the data folder: a line of JSON about the content, then the content.

Format 1. The first line is ``{"format": 1, "size_bytes": …, "sha256": …, "facts": {…}}``; the rest of the file
is the body, byte for byte, so that ``tail -n +2`` gives an object back without this program. The hash covers
the facts (as canonical JSON) and the body, so that a flipped bit in an ETag is noticed as well as one in a model.
A new field that readers may ignore needs no new format number. Any other change needs one, and a branch in
`decode_record`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.bucket.errors import CorruptRecordError
from emulator.strict_json import read_json

FORMAT = 1
_MAX_HEADER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """A body, and the facts that belong to it in JSON's types."""

    facts: Mapping[str, Any]
    body: bytes


def encode_record(record: Record) -> list[bytes]:
    """Return the chunks of a record's file: the header line and the body."""
    header = {
        "format": FORMAT,
        "size_bytes": len(record.body),
        "sha256": _hash(record.facts, record.body),
        "facts": record.facts,
    }
    return [json.dumps(header, sort_keys=True).encode() + b"\n", record.body]


def decode_record(path: Path, content: bytes) -> Record:
    """Return the record in a file's content; the path is for messages.

    Raises
    ------
    CorruptRecordError
        The header is missing or has another format, or the body has another size or hash.
    """
    end = content.find(b"\n", 0, _MAX_HEADER_BYTES)
    if end < 0:
        raise CorruptRecordError(path, "it has no header line")
    try:
        header = read_json(content[:end])
    except ValueError as error:
        raise CorruptRecordError(path, f"its header is not JSON ({error})") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CorruptRecordError(path, f"its header is not of format {FORMAT}")
    facts, body = header.get("facts"), content[end + 1 :]
    if not isinstance(facts, dict):
        raise CorruptRecordError(path, "its header has no facts")
    if header.get("size_bytes") != len(body):
        raise CorruptRecordError(path, f"it holds {len(body)} bytes instead of {header.get('size_bytes')}")
    if header.get("sha256") != _hash(facts, body):
        raise CorruptRecordError(path, "its content does not match its SHA-256")
    return Record(facts, body)


def _hash(facts: Mapping[str, Any], body: bytes) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    digest.update(b"\n")
    digest.update(body)
    return digest.hexdigest()
