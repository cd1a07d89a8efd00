"""Writes an audit's folder, with an index of its files; a folder of something else is never touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from model_registry import documents
from model_registry.manifest import Artifact
from peerloan.auditing.records import AuditRecords
from peerloan.errors import UsageError
from peerloan.files import make_folder, write_whole, writing

INDEX: Final = "index.json"
_FORMAT: Final = 1
_KIND: Final = "audit"


def check_folder(folder: Path, records: AuditRecords) -> None:
    """Raise ``UsageError`` unless the folder is new, empty, or an audit of the same alias and period."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file. Name another folder with --out.")
    if any(folder.iterdir()) and _identity(_read_index(folder)) != _identity(_head(records)):
        raise UsageError(
            f"{folder} holds something else than an audit of {records.model}, alias {records.alias}, "
            f"{records.period}. Name another folder with --out."
        )


def write_folder(
    folder: Path, records: AuditRecords, files: Mapping[str, bytes], lacking: Mapping[str, str]
) -> Artifact:
    """Write the files and the index, which is written last; return the index's size and SHA-256.

    A folder whose index isn't complete was cut off: writing again completes it. Files that an earlier audit of the
    period had and this one hasn't are removed; files that nobody lists stay.
    """
    make_folder(folder)
    earlier = _listed(_read_index(folder))
    _write_index(folder, records, dict.fromkeys(sorted(earlier | files.keys()), b""), lacking, is_complete=False)
    for path, content in sorted(files.items()):
        make_folder((folder / path).parent)
        write_whole(folder / path, content)
    for path in sorted(earlier - files.keys()):
        with writing(folder / path):
            (folder / path).unlink(missing_ok=True)
    return _write_index(folder, records, files, lacking, is_complete=True)


def _write_index(
    folder: Path, records: AuditRecords, files: Mapping[str, bytes], lacking: Mapping[str, str], *, is_complete: bool
) -> Artifact:
    listed = []
    for path, content in sorted(files.items()):
        digest = Artifact.of(content)
        listed.append({"path": path, "size_bytes": digest.size_bytes, "sha256": digest.sha256})
    missing = [{"path": path, "reason": reason} for path, reason in sorted(lacking.items())]
    body = documents.dump_object({**_head(records), "complete": is_complete, "files": listed, "missing": missing})
    write_whole(folder / INDEX, body)
    return Artifact.of(body)


def _head(records: AuditRecords) -> dict[str, Any]:
    period = records.period
    return {
        "format": _FORMAT,
        "kind": _KIND,
        "model": records.model,
        "alias": records.alias,
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
    }


def _read_index(folder: Path) -> dict[str, Any]:
    """Return the index; empty if the folder has none that can be read."""
    try:
        return documents.parse_object((folder / INDEX).read_bytes())
    except (OSError, ValueError):
        return {}


def _identity(index: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(index.get(name) for name in ("kind", "model", "alias", "from", "to"))


def _listed(index: Mapping[str, Any]) -> set[str]:
    """Return the paths of an index that lie within its folder: an index may have been edited."""
    files = index.get("files", ())
    paths = (
        {str(file.get("path", "")) for file in files if isinstance(file, dict)} if isinstance(files, list) else set()
    )
    return {path for path in paths if path and not Path(path).is_absolute() and ".." not in Path(path).parts}
