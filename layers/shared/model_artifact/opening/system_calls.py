"""The system calls that an opened pickle may not make, and the filter that refuses them (seccomp(2)).

Landlock, which closes files, doesn't know of a file's mode, owner, times and attributes, of other processes' limits and
priorities, or of the kernel's own stores. Whatever reaches these, or outlives the process, is refused here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Numbers on x86_64 and on aarch64; None where it hasn't the call. From 424 on they are the same everywhere.
Calls = Mapping[str, tuple[int | None, int | None]]
_Line = tuple[int, int, int, int]

# In x86_64's x32 the numbers have a bit more.
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # linux/audit.h
_X32 = 0x40000000

LEAVES_GROUP: Calls = {"setpgid": (109, 154), "setsid": (112, 157)}
# io_uring does by itself what a filter refuses.
_REACHES_OUT: Calls = {"socket": (41, 198), "connect": (42, 203), "io_uring_setup": (425, 425)}
_STARTS_PROCESS: Calls = {"fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281)}
_CHANGES_FILES: Calls = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
}
_REACHES_PROCESSES: Calls = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
}
# Shared memory, semaphores, queues and keys belong to the user: other processes' are open to it, its own stay.
_STAYS_IN_KERNEL: Calls = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
# A namespace of its own makes it the namespace's root, which most of the kernel's faults ask for.
_REACHES_KERNEL: Calls = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}
FOR_UNTRUSTED: Calls = {
    **LEAVES_GROUP,
    **_REACHES_OUT,
    **_STARTS_PROCESS,
    **_CHANGES_FILES,
    **_REACHES_PROCESSES,
    **_STAYS_IN_KERNEL,
    **_REACHES_KERNEL,
}
# Their first argument is a process: only this one, or 0, which stands for it.
_OF_ONE_PROCESS: Calls = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "prlimit64": (302, 261),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
}
# Commands, their second argument, by which a descriptor sends signals: F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN,
# SIOCSPGRP. And TIOCSTI, which types into a terminal.
_COMMANDS: Mapping[tuple[int, int], tuple[int, ...]] = {(72, 25): (8, 10, 15), (16, 29): (0x8901, 0x8902, 0x5412)}
_CLONE, _CLONE3, _CLONE_THREAD = (56, 220), 435, 0x10000

# linux/filter.h, linux/seccomp.h
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT, _SECOND_ARGUMENT_AT = 0, 4, 16, 24
_ALLOW: _Line = (_RETURN, 0, 0, 0x7FFF0000)
_REFUSE: _Line = (_RETURN, 0, 0, 0x00050001)
_NOT_THERE: _Line = (_RETURN, 0, 0, 0x00050026)
_KILL: _Line = (_RETURN, 0, 0, 0x80000000)


def filter_program(machine: str, refused: Calls, own_pid: int | None) -> list[_Line] | None:
    """Return a filter's instructions, each with the lines to skip if true and if not, and a number.

    Parameters
    ----------
    machine : str
        The processor's name, as uname(2) has it; the answer is None if its calls aren't known.
    refused : mapping
        The calls to refuse.
    own_pid : int, optional
        Refuse also what starts a process, or sends a signal to another one than this, or changes its limits.
    """
    if machine not in _ARCHITECTURES:
        return None
    column, architecture = _ARCHITECTURES[machine]
    program = [(_LOAD, 0, 0, _ARCHITECTURE_AT), (_IF_EQUAL, 1, 0, architecture), _KILL]
    program += [(_LOAD, 0, 0, _NUMBER_AT), (_IF_AT_LEAST, 0, 1, _X32), _REFUSE]
    for number in _numbers(refused, column):
        program += [(_IF_EQUAL, 0, 1, number), _REFUSE]
    if own_pid is not None:
        program += _alone(column, own_pid)
    return [*program, _ALLOW]


def _alone(column: int, own_pid: int) -> list[_Line]:
    program: list[_Line] = []
    for number in _numbers(_OF_ONE_PROCESS, column):
        program += [(_IF_EQUAL, 0, 5, number), (_LOAD, 0, 0, _FIRST_ARGUMENT_AT)]
        program += [(_IF_EQUAL, 1, 0, 0), (_IF_EQUAL, 0, 1, own_pid), _ALLOW, _REFUSE]
    for numbers, commands in _COMMANDS.items():
        program += [(_IF_EQUAL, 0, 2 * len(commands) + 2, numbers[column]), (_LOAD, 0, 0, _SECOND_ARGUMENT_AT)]
        for command in commands:
            program += [(_IF_EQUAL, 0, 1, command), _REFUSE]
        program.append(_ALLOW)
    # A thread is a clone, too. glibc takes clone where clone3, whose flags a filter can't see, isn't there.
    program += [(_IF_EQUAL, 0, 1, _CLONE3), _NOT_THERE]
    program += [(_IF_EQUAL, 0, 3, _CLONE[column]), (_LOAD, 0, 0, _FIRST_ARGUMENT_AT)]
    return [*program, (_IF_BITS, 1, 0, _CLONE_THREAD), _REFUSE]


def _numbers(calls: Calls, column: int) -> Iterable[int]:
    return [number for numbers in calls.values() if (number := numbers[column]) is not None]
