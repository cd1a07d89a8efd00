"""Waits for a key in the terminal."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# At most this many typed keys are read at once.
_MOST_KEYS = 64


@contextmanager
def watching_for(key: str) -> Iterator[Callable[[float], bool]]:
    """Yield a function that waits so many seconds, and returns at once, and True, when the key is pressed.

    Keys are read without Enter and not shown. If standard input isn't a terminal, the function only waits.
    """
    if not sys.stdin.isatty():

        def wait(seconds: float) -> bool:
            time.sleep(seconds)
            return False

        yield wait
        return
    # Imported here: Windows has no such module.
    import termios
    import tty

    terminal = sys.stdin.fileno()
    settings = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield lambda seconds: _is_pressed(key, terminal, seconds)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, settings)


def _is_pressed(key: str, terminal: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([terminal], [], [], left)
        if ready:
            keys = os.read(terminal, _MOST_KEYS).decode(errors="replace")
            if key in keys.lower():
                return True
            if not keys:
                # The terminal is gone; its end would be readable again at once.
                time.sleep(left)
    return False
