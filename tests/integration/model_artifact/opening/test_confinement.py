"""What code in a pickle can't do outside of its process, even where it calls the C library itself."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from model_artifact.opening.child_process import warm_processes
from model_artifact.opening.confinement import LIMITS
from model_artifact.opening.inspection import inspect_candidate
from model_artifact.opening.model_process import ModelProcess
from model_kit import Calls, dumped, small_boosted
from model_registry.errors import CandidateRefusedError
from processes import wait_until
from training.probe_records import PROBE_RECORDS

# The audit hook doesn't see what happens behind a function of the C library.
C_LIBRARY = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"


@pytest.fixture(autouse=True, params=["alone", "forked"])
def way_to_start(request: pytest.FixtureRequest) -> Iterator[str]:
    """What holds for a process that starts alone holds for a fork of one that has imported much before."""
    if request.param == "forked":
        yield request.param
        return
    with warm_processes(is_warm=False):
        yield request.param


@functools.cache
def _limits() -> tuple[str, ...] | None:
    return inspect_candidate(dumped(small_boosted()), PROBE_RECORDS).limits


def _code(code: str) -> bytes:
    return dumped(Calls(exec, C_LIBRARY + code, {}))


def _open(code: str, *needs: str) -> None:
    """Open a pickle that runs code; skip the test if this system can't limit what the test is about."""
    limits = _limits()
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
    if "files" in (_limits() or ()):
        assert "it was read" not in str(caught.value)


@pytest.mark.fault(13)
def test_fault_13_a_pickle_reads_no_key_beside_the_modules_that_it_may_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way_to_start: str
) -> None:
    # ``python -m`` and notebooks import from the current folder, which has the state folder with the keys.
    (tmp_path / "of_ones_own.py").write_text("NAME = 'imported'")
    keys = tmp_path / ".peerloan/keys"
    keys.mkdir(parents=True)
    (keys / "publisher.pem").write_text("content")
    (tmp_path / "credentials").write_text("content")
    monkeypatch.syspath_prepend(tmp_path)
    secrets = [bytes(keys / "publisher.pem"), bytes(tmp_path / "credentials")]
    code = f"""
import of_ones_own
raise ValueError(of_ones_own.NAME + ''.join(' read' for path in {secrets!r} if libc.open(path, 0) >= 0))
"""
    # A server of its own: one that runs has the path of its start.
    with warm_processes(is_warm=way_to_start == "forked"), pytest.raises(CandidateRefusedError) as caught:
        inspect_candidate(_code(code), PROBE_RECORDS, is_name_checked=False)
    assert "imported" in str(caught.value)
    if "files" in (_limits() or ()):
        assert "read" not in str(caught.value)


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


# By number, as on x86_64 and aarch64: what these do, a file's rights and Landlock don't know of.
CALLS = """
import platform
column = ("x86_64", "aarch64").index(platform.machine())
def call(numbers, *arguments):
    libc.syscall(numbers[column], *arguments)
"""


@pytest.mark.fault(13)
def test_fault_13_a_pickle_changes_no_files_mode_times_or_attributes(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("content")
    mine.chmod(0o600)
    before = mine.stat()
    path = bytes(mine)
    _open(
        f"{CALLS}\n"
        f"libc.chmod({path!r}, 0o777)\n"
        f"call((268, 53), -100, {path!r}, 0o777)\n"
        f"call((452, 452), -100, {path!r}, 0o777, 0)\n"
        f"call((280, 88), -100, {path!r}, None, 0)\n"
        f"call((188, 5), {path!r}, b'user.canary', b'1', 1, 0)",
        "processes",
    )
    assert mine.stat() == before
    assert not hasattr(os, "listxattr") or os.listxattr(mine) == []


@pytest.mark.fault(13)
def test_fault_13_a_pickle_touches_no_other_process() -> None:
    resource = pytest.importorskip("resource")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as victim:
        try:
            pid = victim.pid
            before = _state_of(resource, pid)
            _open(
                f"{CALLS}\n"
                f"call((302, 261), {pid}, 7, ctypes.byref((ctypes.c_uint64 * 2)(5, 5)), None)\n"
                f"libc.setpriority(0, {pid}, 19)\n"
                f"call((203, 122), {pid}, 8, ctypes.byref(ctypes.c_uint64(1)))\n"
                f"call((144, 119), {pid}, 5, ctypes.byref(ctypes.c_int(0)))\n"
                "import os; near, far = os.pipe()\n"
                f"for command, argument in ((8, {pid}), (10, 9), (4, 0o20000)): libc.fcntl(near, command, argument)\n"
                "os.write(far, b'a')\n"
                f"for of in (libc.kill, lambda p, s: call((129, 138), p, s, None)): of({pid}, 9)",
                "processes",
            )
            assert _state_of(resource, pid) == before
            assert victim.poll() is None
        finally:
            victim.kill()


def _state_of(resource: ModuleType, pid: int) -> tuple[object, ...]:
    limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    return limit, os.getpriority(os.PRIO_PROCESS, pid), os.sched_getaffinity(pid), os.sched_getscheduler(pid)


@pytest.mark.fault(13)
def test_fault_13_a_pickle_leaves_nothing_in_the_kernel() -> None:
    key = 0x5EED0000 + os.getpid() % 0x10000
    _open(
        f"{CALLS}\n"
        f"call((29, 194), {key}, 4096, 0o1600)\n"
        f"call((68, 186), {key}, 0o1600)\n"
        f"call((64, 190), {key}, 1, 0o1600)",
        "processes",
    )
    left = [line.split()[:2] for kind in ("shm", "msg", "sem") for line in _system_v(kind) if str(key) in line.split()]
    assert left == []


def _system_v(kind: str) -> list[str]:
    return Path(f"/proc/sysvipc/{kind}").read_text().splitlines()


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
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from model_artifact.opening.child_process import warm_processes
from model_artifact.opening.confinement import refuse_calls
from model_artifact.opening.inspection import inspect_candidate
from training.probe_records import PROBE_RECORDS
refuse_calls({"prctl": (157, 167), "unshare": (272, 97), "landlock": (444, 444)})
with warm_processes(is_warm=sys.argv[2] == "forked"):
    found = inspect_candidate(Path(sys.argv[1]).read_bytes(), PROBE_RECORDS)
print(json.dumps([found.limits, found.serving_form is not None]))
"""


def test_where_the_kernel_limits_nothing_a_pickle_is_opened_all_the_same(tmp_path: Path, way_to_start: str) -> None:
    (tmp_path / "model.pkl").write_bytes(dumped(small_boosted()))
    command = [sys.executable, "-c", WITHOUT, str(tmp_path / "model.pkl"), way_to_start, *sys.path]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=300).stdout
    assert json.loads(answer) == [["memory", "time"], True]


def test_what_this_system_limits_is_told() -> None:
    limits = inspect_candidate(dumped(small_boosted()), PROBE_RECORDS).limits
    assert limits is not None
    assert set(limits) <= set(LIMITS)
