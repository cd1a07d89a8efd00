"""What the buckets hold, in memory: the facts of every version and part, and where their files are. Pure."""

from __future__ import annotations

import base64
import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.bucket.object_files import ObjectFile

_STATUS = re.compile(rb"Status>\s*(Enabled|Suspended)\s*<")


@dataclass(slots=True)
class Upload:
    """An unfinished multipart upload: its parts by number."""

    facts: Mapping[str, Any]
    parts: dict[int, ObjectFile]


@dataclass(slots=True)
class Bucket:
    """What a bucket holds: its own facts, its objects' versions (oldest first) and its unfinished uploads."""

    facts: dict[str, Any]
    keys: list[str] = field(default_factory=list)
    versions: dict[str, list[ObjectFile]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    @property
    def versioning(self) -> str:
        """``Enabled``, ``Suspended``, or an empty text if it was never switched on."""
        status = _STATUS.search(base64.b64decode(self.facts["sub_resources"].get("versioning", "")))
        return status[1].decode() if status else ""

    def current(self, key: str) -> ObjectFile | None:
        """Return what a GET gives: the newest version, unless that is a delete marker."""
        newest = self.versions[key][-1] if key in self.versions else None
        return None if newest is None or newest.facts["delete_marker"] else newest

    def visible_keys(self) -> list[str]:
        """Return the keys that a list gives, sorted."""
        return [key for key in self.keys if self.current(key) is not None] if self.versioning else self.keys

    def replace_versions(self, key: str, files: Iterable[ObjectFile]) -> None:
        """Make an object's versions these; none removes the object."""
        ordered = sorted(files, key=lambda file: int(file.facts["sequence"]))
        if ordered and key not in self.versions:
            insort(self.keys, key)
        elif not ordered and key in self.versions:
            del self.keys[bisect_left(self.keys, key)]
            del self.versions[key]
        if ordered:
            self.versions[key] = ordered


def with_versioning(facts: Mapping[str, Any], status: str) -> dict[str, Any]:
    """Return a bucket's facts with another status of versioning.

    It is kept as S3's document. Beside it, a folder may have other settings that earlier programs kept.
    """
    document = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
    kept = {**facts["sub_resources"], "versioning": base64.b64encode(document.encode()).decode()}
    return {**facts, "sub_resources": kept}
