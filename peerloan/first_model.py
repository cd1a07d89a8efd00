"""From an empty bucket to an alias that points at a model: training, publishing and pointing as steps of a command."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from model_registry.candidate import Candidate
from model_registry.errors import AliasNotFoundError
from model_registry.names import DEFAULT_ALIAS
from model_registry.reader import RegistryReader
from model_registry.writer import Publication
from peerloan.errors import CommandError, NoLiveVersionError
from peerloan.output import note
from peerloan.workplace import Workplace

# What ends a command at the terminal, and from outside.
_ENDING = (signal.SIGINT, signal.SIGTERM)


def publish_folder(
    workplace: Workplace, source: Path, gates: Callable[[Candidate], Candidate] | None = None
) -> Publication:
    """Publish what ``train`` wrote, or a bare pickle; ``gates`` may refuse it, or write down that they did not."""
    # Imported here: it brings pandas, which takes longer than most commands.
    from training.candidate_folder import read_candidate

    candidate = read_candidate(source)
    return workplace.writer().publish(gates(candidate) if gates else candidate)


def ensure_model(workplace: Workplace) -> int:
    """Return the version that the default alias points at, having trained and published the basic model if needed.

    Raises
    ------
    NoLiveVersionError
        As ``find_only_version`` says.
    """
    writer = workplace.writer()
    try:
        return writer.reader.get_alias(DEFAULT_ALIAS).alias.version
    except AliasNotFoundError:
        pass
    version = find_only_version(writer.reader)
    if version is None:
        note("The bucket is empty: training the basic model.")
        folder = workplace.state_dir / "basic"
        train_into(folder, "basic")
        version = publish_folder(workplace, folder).manifest.version
    writer.assign(DEFAULT_ALIAS, version, reason="first model")
    note(f"Alias {DEFAULT_ALIAS} points at version {version}.")
    return version


def train_into(folder: Path, name: str, *options: str) -> None:
    """Train a model as a step of something else: its summary is no result, so it goes to stderr."""
    command = [sys.executable, "-m", "training", name, "--out", str(folder), *options]
    process = _start(command)
    try:
        returncode = process.wait()
    finally:
        process.kill()  # Nothing happens to one that has ended.
        process.wait()
    if returncode:
        raise CommandError("Training failed; see above.")


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: Ctrl-C reaches this process alone, which ends it and says so.

    A signal that comes while it starts would leave a process that nobody knows; it is raised when it is known.
    """
    came: list[int] = []
    handlers = {number: signal.signal(number, lambda *which: came.append(which[0])) for number in _ENDING}
    try:
        process = subprocess.Popen(command, stdout=sys.stderr, start_new_session=True)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if came:
        process.kill()
        process.wait()
        raise KeyboardInterrupt
    return process


def find_only_version(reader: RegistryReader) -> int | None:
    """Return the version to begin with where the default alias is not set, or None where none was ever published.

    Exactly one is what a start that was cut off between publishing and pointing leaves, and is taken.

    Raises
    ------
    NoLiveVersionError
        If there are several: which one is to serve is for a person to say.
    """
    published = reader.list_versions()
    if len(published) > 1:
        raise NoLiveVersionError(DEFAULT_ALIAS, published)
    return published[0] if published else None
