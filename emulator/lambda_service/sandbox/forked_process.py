"""The emulator's handle of an environment's process that was forked from an initialised one.

The process isn't a child of the emulator: the process that it was forked from reports its start and its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import time

from emulator.lambda_service.sandbox.logs import LogPipe
from emulator.lambda_service.sandbox.process_tree import end_orphans_of, kill_tree, spare_environment


class ForkedProcess:
    """An environment's process that was forked from a template.

    Parameters
    ----------
    output : LogPipe
        The pipe of its stdout and stderr.
    life_fd : int
        The write end of a pipe; the process dies when it is closed.
    """

    is_restored = True

    def __init__(self, output: LogPipe, life_fd: int) -> None:
        self.pid = 0
        self.began = time.perf_counter()
        self.output = output
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._life: int | None = life_fd
        self._pidfd: int | None = None

    def set_pid(self, pid: int) -> None:
        """Note the process's id."""
        self.pid = pid
        # It becomes a child of the emulator if the process that it was forked from ends.
        spare_environment(pid)
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(pid)

    def is_alive(self) -> bool:
        """See `EnvironmentProcess`."""
        if self.ended.done() or self._pidfd is None:
            return not self.ended.done()
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return not poll.poll(0)

    def kill(self) -> None:
        """End the process and all below it at once."""
        if self.pid and self.is_alive():
            kill_tree(self.pid)
        self._close_life_pipe()

    def set_ended(self, status: int | None) -> None:
        """Note that the process is gone."""
        if self.ended.done():
            return
        end_orphans_of(self.pid)
        self._close_life_pipe()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        self.output.finish()
        self.ended.set_result(status)

    def _close_life_pipe(self) -> None:
        # The kernel kills the group when this end closes, even before the fork has made itself a group.
        if self._life is not None:
            os.close(self._life)
            self._life = None
