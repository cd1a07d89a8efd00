"""Runs commands of ``peerloan`` in processes of their own, as an operator does, and waits for rollouts."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Collection
from contextlib import suppress
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any

from model_registry.names import DEFAULT_ALIAS
from peerloan.errors import CommandError
from peerloan.output import note
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from model_rollout.document import Rollout

# A rollout of a demonstration takes half a minute. A slow or busy machine needs several times that.
ROLLOUT_LIMIT_S = 300.0
_COMMAND_LIMIT_S = 180.0
LOOK_S = 0.25


class Operator:
    """Whoever types the commands of a demonstration, at the stack of a workplace.

    ``patience_s`` is how long it waits for more loans before it resumes a rollout.
    """

    def __init__(self, local: Workplace, *, patience_s: float = 5.0) -> None:
        self._local = local
        self._patience_s = patience_s

    async def start(self, *arguments: str, is_shown: bool = True) -> Process:
        """Start a command. What it prints goes to stderr if it is shown, and nowhere otherwise."""
        return await self._start(arguments, sys.stderr if is_shown else DEVNULL)

    async def run(self, *arguments: str, limit_s: float = _COMMAND_LIMIT_S) -> None:
        """Run a command to its end; raise ``CommandError`` if it fails or takes longer than the limit."""
        code = await exit_code(await self.start(*arguments), limit_s)
        if code:
            raise CommandError(_how_it_ended(arguments, code, limit_s))

    async def ask(
        self, *arguments: str, codes: Collection[int] = (0,), limit_s: float = _COMMAND_LIMIT_S
    ) -> dict[str, Any]:
        """Return the document that a command prints with ``--json``; raise ``CommandError`` for another exit code."""
        process = await self._start((*arguments, "--json"), PIPE)
        assert process.stdout is not None
        # Read beside the wait: a full pipe would stop the command.
        printed = asyncio.ensure_future(process.stdout.read())
        code = await exit_code(process, limit_s)
        text = await printed
        if code not in codes:
            raise CommandError(_how_it_ended(arguments, code, limit_s))
        document: dict[str, Any] = json.loads(text)
        return document

    async def look(self) -> Rollout:
        """Return the rollout, read on a thread: the clients share this one, and their answers are timed."""
        return (await asyncio.to_thread(self._local.rollouts().get, DEFAULT_ALIAS)).rollout

    async def wait_for_end(self, *, is_resumed: bool = False) -> Rollout:
        """Wait for the rollout's end and return it. One that is held for too long is aborted.

        With ``is_resumed`` one that is held for a person is resumed: of twenty sound rollouts one at most is held
        because by chance the version got another share of the loans than its weight. What it got since counts, too, so
        one that has another cause is held again.
        """
        deadline = time.monotonic() + ROLLOUT_LIMIT_S
        while time.monotonic() < deadline:
            rollout = await self.look()
            if rollout.is_over:
                return rollout
            if is_resumed and rollout.held_for == "person":
                note(f"Version {rollout.candidate} is held: {rollout.why}")
                await asyncio.sleep(self._patience_s)
                resume = ("rollout", "resume", DEFAULT_ALIAS, "--reason", "whether more loans say the same")
                await exit_code(await self.start(*resume), _COMMAND_LIMIT_S)
            await asyncio.sleep(LOOK_S)
        note(f"Version {rollout.candidate} is still {rollout.state} after {ROLLOUT_LIMIT_S:.0f} s: {rollout.why}")
        await self.run("rollout", "abort", DEFAULT_ALIAS, "--reason", "the demonstration goes on")
        return await self.look()

    async def _start(self, arguments: tuple[str, ...], output: Any) -> Process:
        local = self._local
        place = (
            "--bucket", local.bucket, "--endpoint-url", str(local.endpoint_url), "--state-dir", str(local.state_dir),
        )  # fmt: skip
        command = [sys.executable, "-m", "peerloan", *place, *arguments]
        return await asyncio.create_subprocess_exec(*command, env=dict(local.environ), stdout=output)


async def exit_code(process: Process, limit_s: float) -> int:
    """Return a process's exit code; kill it if it hasn't ended within the limit."""
    try:
        return await asyncio.wait_for(process.wait(), limit_s)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        return await process.wait()


def _how_it_ended(arguments: tuple[str, ...], code: int, limit_s: float) -> str:
    how = (
        f"ended with {code}; see above" if code >= 0 else f"was ended by signal {-code}, after {limit_s:.0f} s at most"
    )
    return f"peerloan {' '.join(arguments)} {how}."
