"""Texts as AWS's services have them: elements of XML, times, and names of buckets. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

# Source: Amazon S3 user guide, "General purpose bucket naming rules".
NEW_BUCKET_NAME = re.compile(
    r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3|--x-s3|--table-s3|\.mrap)$)"
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)
# XML has none of these, not even escaped: a client can't read a document with one.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile(r"[&<>\"\x00-\x1f\x7f]")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def xml_node(name: str, content: Any, *, item_name: str | None = None, is_readable: bool = True) -> str:
    """Return an element of XML.

    Parameters
    ----------
    content : object
        A mapping's items are the element's children; a list is one element for each item; None is no element.
    item_name : str, optional
        Makes a list one element, with a child of this name for each item.
    is_readable : bool
        Replaces characters that XML doesn't have. Without it they are escaped, and few clients read the document.
    """

    def node(name: str, content: Any) -> str:
        if content is None:
            return ""
        if isinstance(content, list):
            nodes = "".join(node(item_name or name, item) for item in content)
            return f"<{name}>{nodes}</{name}>" if item_name else nodes
        if isinstance(content, Mapping):
            inner = "".join(node(child, value) for child, value in content.items())
        elif isinstance(content, bool):
            inner = str(content).lower()
        else:
            text = in_milliseconds(content) if isinstance(content, dt.datetime) else str(content)
            text = _NOT_IN_XML.sub("\ufffd", text) if is_readable else text
            inner = _ESCAPED.sub(lambda match: _NAMED.get(match[0], f"&#{ord(match[0])};"), text)
        return f"<{name}>{inner}</{name}>"

    return node(name, content)


def in_milliseconds(moment: dt.datetime) -> str:
    """Return a moment in UTC as AWS writes it where milliseconds count: ``2026-01-02T03:04:05.678Z``."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
