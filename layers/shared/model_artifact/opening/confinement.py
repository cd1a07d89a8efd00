"""Limits that the kernel sets on the process of a pickle, for good; what a system hasn't is left out.

Each function is for a process with one thread, before it imports anything large: Landlock and seccomp hold for the
thread that calls them and whatever it starts.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from model_artifact.opening.system_calls import FOR_UNTRUSTED, LEAVES_GROUP, Calls, filter_program

# What ``confine_untrusted`` may limit, in the words of its answer.
LIMITS = ("memory", "time", "network", "files", "processes")

MEMORY_LIMIT_BYTES = 4 << 30
# Pipes and sockets hold memory that the limit above doesn't count.
_MAX_DESCRIPTORS = 1024

# Beside the interpreter's own folders and those that it imports from.
_READABLE = ("/usr", "/lib", "/lib64", "/opt", "/nix/store", "/etc/ld.so.cache", "/dev/null", "/dev/urandom")
_READABLE_OF_SYSTEM = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/sys/fs/cgroup")

# Folders of ``sys.path`` that have nothing but packages and what belongs to them, and the modules of the others.
_PACKAGE_FOLDERS = ("site-packages", "dist-packages")
_MODULE_SUFFIXES = (".py", ".so")

# prctl(2), unshare(2)
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000

# landlock(7): system calls, and the rights that each version of it knows (linux/landlock.h).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP_RIGHTS = {4: 0b11}
_SCOPES = {6: 0b11}  # Abstract sockets and signals.
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_PATH_BENEATH = 1


def confine_untrusted(cpu_limit_s: int) -> list[str]:
    """Take from this process all that scoring doesn't need; return which of ``LIMITS`` this system could set.

    Memory and processor time are bounded. It can't connect to anything, not even on this machine, can't start a
    process or touch another one, can read only what its imports need, and can write nothing, not even a file's mode.
    """
    limited = set()
    limits = {"AS": MEMORY_LIMIT_BYTES, "CPU": cpu_limit_s, "CORE": 0, "FSIZE": 0, "NOFILE": _MAX_DESCRIPTORS}
    if _limit_resources(limits):
        limited |= {"memory", "time"}
    _be_ended_first()
    if sys.platform == "linux":
        # A network of its own, which holds where no system call can be refused. It doesn't hide sockets in folders.
        _libc().unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        of_python = [sys.prefix, sys.base_prefix, *(module for path in sys.path for module in _modules(Path(path)))]
        if _close_files((*_READABLE, *_READABLE_OF_SYSTEM, *of_python), listable=sys.path):
            limited.add("files")
        if refuse_calls(FOR_UNTRUSTED, is_alone=True):
            limited |= {"network", "processes"}
    return [limit for limit in LIMITS if limit in limited]


def confine_trusted(memory_limit_mib: int) -> None:
    """Bound the memory of this process, and keep whatever it starts in its group, so that it ends with it.

    ``memory_limit_mib`` is the memory that the function has; 0 for no bound.
    """
    if memory_limit_mib:
        _limit_resources({"DATA": memory_limit_mib << 20})
    _be_ended_first()
    if sys.platform == "linux":
        refuse_calls(LEAVES_GROUP)


def refuse_calls(refused: Calls, *, is_alone: bool = False) -> bool:
    """Refuse system calls to this process from now on (seccomp(2)); return whether that holds.

    ``is_alone`` takes from it what reaches other processes, too: see ``system_calls.filter_program``.
    """
    program = filter_program(os.uname().machine, refused, os.getpid() if is_alone else None)
    if program is None or sys.maxsize < 1 << 32 or not _give_up_privileges():
        return False
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    # struct sock_fprog
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(instructions)))
    return bool(_libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0) == 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _limit_resources(limits: dict[str, int]) -> bool:
    """Lower this process's limits; return whether all hold."""
    try:
        import resource
    except ImportError:
        return False
    hold = True
    for name, wanted in limits.items():
        limit = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(limit)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):
            hold = False
    return hold


def _be_ended_first() -> None:
    """Have the kernel end this process first where memory runs out (proc(5): oom_score_adj)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


def _modules(folder: Path) -> Iterable[str]:
    """Return what can be imported from a folder of ``sys.path``, which may be the user's own and hold keys."""
    if folder.name in _PACKAGE_FOLDERS or not folder.is_dir():
        return (str(folder),)
    with contextlib.suppress(OSError):
        entries = list(folder.iterdir())
        packages = (entry for entry in entries if (entry / "__init__.py").is_file())
        return map(str, (*packages, *(entry for entry in entries if entry.suffix in _MODULE_SUFFIXES)))
    return ()


def _close_files(readable: Iterable[str], listable: Iterable[str]) -> bool:
    """Let this process read below some paths, list what is below others, write nowhere, and execute nothing.

    Returns whether that holds.
    """
    libc = _libc()
    abi = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if abi < 1 or not _give_up_privileges():
        return False
    # struct landlock_ruleset_attr: all rights that this kernel knows are taken away.
    handled = struct.pack("=3Q", *(_newest(rights, abi) for rights in (_FILE_RIGHTS, _TCP_RIGHTS, _SCOPES)))
    ruleset = libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    if ruleset < 0:
        return False
    try:
        for rights, paths in ((_READ_FILE | _READ_FOLDER, readable), (_READ_FOLDER, listable)):
            for path in paths:
                with contextlib.suppress(OSError):
                    _allow(libc, ruleset, path, rights)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _newest(rights_since: dict[int, int], abi: int) -> int:
    return max((rights for since, rights in rights_since.items() if since <= abi), default=0)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = rights if Path(path).is_dir() else rights & _READ_FILE
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _give_up_privileges() -> bool:
    """Promise that no program which this process starts gets more rights; both Landlock and seccomp ask for it."""
    return bool(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
