"""Makes folders that several tests read, once in a run of the tests, in the process that needs them first."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that ``make`` has filled, in this process or another one of the run. Tests mustn't change it.

    Parameters
    ----------
    factory : pytest.TempPathFactory
        Says where the run's temporary folders are.
    name : str
        The folder's name.
    make : callable
        Fills the empty folder that it is given. Other processes wait until it has returned.
    """
    run_folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run_folder = run_folder.parent
    folder = run_folder / "made-once" / name
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)  # What is left where `make` failed in another process.
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder
