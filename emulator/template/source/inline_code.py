"""Keeps a template's inline code in folders, since functions run from a folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from emulator.kept_results import environment_folder

# Lambda's own name for it.
_MODULE = "index.py"
# CloudFormation adds it to inline code that names it.
_RESPONSE = "cfnresponse"


def inline_folder(code: str) -> Path:
    """Return a folder of this code and, if it names it, of `cfnresponse`; the same code has the same folder.

    Raises
    ------
    ValueError
        The folder can't be made, or belongs to somebody else.
    """
    cache = environment_folder()
    root = (
        cache.with_name("emulator-inline") if cache else Path(tempfile.gettempdir(), f"emulator-inline-{os.getuid()}")
    )
    folder = root / hashlib.sha256(code.encode()).hexdigest()
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if root.stat().st_uid != os.getuid():
            raise ValueError(f"{root}, for inline code, belongs to another user")
        folder.mkdir(exist_ok=True)
        files = {_MODULE: code}
        if _RESPONSE in code:
            files[f"{_RESPONSE}.py"] = Path(__file__).with_name(f"{_RESPONSE}.py").read_text(encoding="utf-8")
        for name, content in files.items():
            partial = folder.with_suffix(f".{os.getpid()}")
            partial.write_text(content, encoding="utf-8")
            partial.replace(folder / name)
    except OSError as error:
        raise ValueError(f"{folder}, for inline code, can't be written: {error.strerror}") from error
    return folder
