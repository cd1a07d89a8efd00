"""Gives an empty bucket its first model: trains it, publishes it and points the default alias at it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from model_registry.errors import AliasNotFoundError
from model_registry.names import DEFAULT_ALIAS
from model_registry.reader import RegistryReader
from peerloan.errors import CommandError, NoLiveVersionError
from peerloan.handover import publish_folder
from peerloan.output import note
from peerloan.workplace import Workplace

# The signals that end a command: Ctrl-C, and kill.
_ENDING = (signal.SIGINT, signal.SIGTERM)


def ensure_model(workplace: Workplace) -> int:
    """Return the version that the default alias points at. In an empty bucket, train and publish the basic model first.

    Several versions without the alias raise ``NoLiveVersionError``.
    """
    writer = workplace.writer()
    with contextlib.suppress(AliasNotFoundError):
        return writer.reader.get_alias(DEFAULT_ALIAS).alias.version
    version = find_only_version(writer.reader)
    if version is None:
        note("The bucket is empty: training the basic model.")
        folder = workplace.state_dir / "basic"
        train_into(workplace, folder, "basic")
        version = publish_folder(workplace, folder).manifest.version
    writer.assign(DEFAULT_ALIAS, version, reason="first model")
    note(f"Alias {DEFAULT_ALIAS} points at version {version}.")
    return version


def train_into(workplace: Workplace, folder: Path, name: str, *options: str) -> None:
    """Train a model as a step of another command. The training's summary goes to stderr: stdout has that command's."""
    command = [sys.executable, "-m", "training", name, "--out", str(folder), *options]
    process = _start(command, workplace.environ)
    try:
        returncode = process.wait()
    finally:
        process.kill()  # Does nothing if it has ended.
        process.wait()
    if returncode:
        raise CommandError("Training failed; see above.")


def _start(command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that Ctrl-C reaches only this process, which then ends the other.

    A signal during the start takes effect once the process is known. Before that, nobody could end the process.
    """
    signals: list[int] = []
    handlers = {number: signal.signal(number, lambda *arguments: signals.append(arguments[0])) for number in _ENDING}
    try:
        process = subprocess.Popen(command, env=dict(environ), stdout=sys.stderr, start_new_session=True)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if signals:
        process.kill()
        process.wait()
        raise KeyboardInterrupt
    return process


def find_only_version(reader: RegistryReader) -> int | None:
    """Return the version to begin with where the default alias isn't set, or None if nothing is published.

    A start that was cut off between publishing and setting the alias leaves exactly one version. Several raise
    ``NoLiveVersionError``: a person must choose the one that serves.
    """
    published = reader.list_versions()
    if len(published) > 1:
        raise NoLiveVersionError(DEFAULT_ALIAS, published)
    return published[0] if published else None
