"""What code in a pickle can't do outside of its process, even where it calls the C library itself."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from model_artifact.opening.confinement import LIMITS
from model_artifact.opening.inspection import inspect_candidate
from model_artifact.opening.model_process import ModelProcess
from model_kit import Calls, dumped, small_boosted
from model_registry.errors import CandidateRefusedError
from processes import wait_until
from training.probe_records import PROBE_RECORDS

# The audit hook doesn't see what happens behind a function of the C library.
C_LIBRARY = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"


def _code(code: str) -> bytes:
    return dumped(Calls(exec, C_LIBRARY + code, {}))


def _open(code: str, *needs: str) -> None:
    """Open a pickle that runs code; skip the test if this system can't limit what the test is about."""
    limits = inspect_candidate(dumped(small_boosted()), PROBE_RECORDS).limits
    if limits is None or not set(needs) <= set(limits):
        pytest.skip(f"this system can't limit {', '.join(needs)}")
    with contextlib.suppress(CandidateRefusedError):
        inspect_candidate(_code(code), PROBE_RECORDS, is_name_checked=False)


@pytest.mark.fault(13)
def test_fault_13_a_pickle_writes_no_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("content")
    _open(
        f"libc.close(libc.open({str(tmp_path / 'canary').encode()!r}, 0o101, 0o644))\n"
        f"libc.truncate({bytes(mine)!r}, 0)\n"
        f"libc.unlink({bytes(mine)!r})",
        "files",
    )
    assert mine.read_text() == "content"
    assert not (tmp_path / "canary").exists()


@pytest.mark.fault(13)
def test_fault_13_a_pickle_reads_no_file_of_the_user(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("content")
    copy = f"f = libc.open({bytes(secret)!r}, 0)\nif f >= 0: raise ValueError('it was read')"
    with pytest.raises(CandidateRefusedError) as caught:
        inspect_candidate(_code(copy), PROBE_RECORDS, is_name_checked=False)
    if "files" in (inspect_candidate(dumped(small_boosted()), PROBE_RECORDS).limits or ()):
        assert "it was read" not in str(caught.value)


@pytest.mark.fault(13)
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_fault_13_a_pickle_connects_to_nothing_of_this_machine(family: socket.AddressFamily, tmp_path: Path) -> None:
    with socket.socket(family) as listener:
        listener.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / "socket"))
        listener.listen()
        if family == socket.AF_INET:
            port = listener.getsockname()[1].to_bytes(2, "big")
            address = family.to_bytes(2, sys.byteorder) + port + bytes([127, 0, 0, 1]) + bytes(8)
        else:
            address = family.to_bytes(2, sys.byteorder) + bytes(tmp_path / "socket") + b"\0"
        _open(f"s = libc.socket({int(family)}, 1, 0); libc.connect(s, {address!r}, {len(address)})", "network")
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def _named(name: str) -> list[Path]:
    """Return the processes of a name."""
    found = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if comm.read_text().strip() == name:
                found.append(comm.parent)
    return found


# Leaves its session, as far as it may, and goes on for ten minutes.
LEAVES = """
if libc.fork() == 0:
    libc.setsid(); libc.setpgid(0, 0)
    libc.prctl(15, NAME, 0, 0, 0)
    libc.sleep(600)
"""


@pytest.mark.fault(13)
def test_fault_13_a_process_that_a_pickle_starts_does_not_outlive_it() -> None:
    name = f"left-{os.getpid()}"
    _open(LEAVES.replace("NAME", repr(name.encode())), "processes")
    assert _named(name) == []


@pytest.mark.fault(13)
def test_fault_13_a_process_that_a_trusted_pickle_starts_ends_with_it() -> None:
    name = f"kept-{os.getpid()}"
    code = _code(LEAVES.replace("NAME", repr(name.encode())))
    with ModelProcess(code, is_trusted=True) as process, contextlib.suppress(Exception):
        process.wait()
    assert wait_until(lambda: not _named(name))


# A machine whose kernel has none of it: prctl, unshare, and Landlock's first call are refused, as in some containers.
WITHOUT = """
import json, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from model_artifact.opening.confinement import refuse_calls
from model_artifact.opening.inspection import inspect_candidate
from training.probe_records import PROBE_RECORDS
refuse_calls({"prctl": (157, 167), "unshare": (272, 97), "landlock": (444, 444)}, may_fork=True)
found = inspect_candidate(Path(sys.argv[1]).read_bytes(), PROBE_RECORDS)
print(json.dumps([found.limits, found.serving_form is not None]))
"""


def test_where_the_kernel_limits_nothing_a_pickle_is_opened_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(dumped(small_boosted()))
    command = [sys.executable, "-c", WITHOUT, str(tmp_path / "model.pkl"), *sys.path]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=300).stdout
    assert json.loads(answer) == [["memory", "time"], True]


def test_what_this_system_limits_is_told() -> None:
    limits = inspect_candidate(dumped(small_boosted()), PROBE_RECORDS).limits
    assert limits is not None
    assert set(limits) <= set(LIMITS)
