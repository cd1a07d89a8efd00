"""Detects functions that call themselves over and over, as Lambda does: by a list in the trace header. Pure.

AWS's SDKs send the header of the invocation that they run in with each request. A function that its own call reaches,
directly or by an object that it writes, therefore gets the list of the calls before.
Source: Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops". The list's form is
assumed.
"""

from __future__ import annotations

import re
import zlib
from urllib.parse import unquote

# A function is stopped before it runs more often than this in one chain of calls.
MAX_CALLS_IN_CHAIN = 16
_LINEAGE = re.compile(r"(?:^|;)Lineage=([^;]*)")
_ENTRY = re.compile(r"([0-9a-f]{8}):(\d{1,9})")


def count_call(trace_id: str, request_id: str, arn: str) -> tuple[str, int]:
    """Return the trace header that a function gets for a call, and how often the chain has reached it by then.

    Parameters
    ----------
    trace_id : str
        The header that came with the call; empty without one.
    request_id : str
        The call's id, of which a new trace is made.
    arn : str
        The function's.
    """
    # botocore quotes the header.
    trace_id = unquote(trace_id)
    match = _LINEAGE.search(trace_id)
    counts = {name: int(times) for name, times in _ENTRY.findall(match[1])} if match is not None else {}
    name = f"{zlib.crc32(arn.encode()):08x}"
    counts[name] = counts.get(name, 0) + 1
    digits = request_id.replace("-", "")
    start = _LINEAGE.sub("", trace_id) or f"Root=1-{digits[:8]}-{digits[8:]};Parent={digits[:16]};Sampled=0"
    return f"{start};Lineage={'|'.join(f'{name}:{times}' for name, times in counts.items())}", counts[name]
