"""An operator's command ends within its limit, and says how it ended."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from datetime import UTC, datetime
from pathlib import Path

import pytest

from model_rollout.document import Rollout
from peerloan.demos.operator import Operator, exit_code
from peerloan.workplace import Workplace
from rollout_kit import make_rollout


@pytest.mark.parametrize(("code", "limit_s", "expected"), [("raise SystemExit(3)", 60.0, 3), ("input()", 0.1, -9)])
def test_a_command_that_does_not_end_is_killed(code: str, limit_s: float, expected: int) -> None:
    async def run() -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE)
        return await exit_code(process, limit_s)

    assert asyncio.run(run()) == expected


class Watcher(Operator):
    """Sees rollouts one after the other, and notes the commands that it would run."""

    def __init__(self, *rollouts: Rollout) -> None:
        local = Workplace(environ={}, clock=lambda: datetime.now(UTC), new_id=str, who="ann", state_dir=Path())
        super().__init__(local, patience_s=0.0)
        self._rollouts = iter(rollouts)
        self.commands: list[str] = []

    async def look(self) -> Rollout:
        return next(self._rollouts)

    async def start(self, *arguments: str, is_shown: bool = True) -> Process:
        self.commands.append(" ".join(arguments[:2]))
        return await asyncio.create_subprocess_exec(sys.executable, "-c", "raise SystemExit(3)")


@pytest.mark.parametrize(("is_resumed", "commands"), [(True, ["rollout resume"] * 2), (False, [])])
def test_a_rollout_that_is_held_for_a_person_is_resumed_if_asked_for(is_resumed: bool, commands: list[str]) -> None:
    held = make_rollout(state="held", held_for="person")
    watcher = Watcher(held, held, make_rollout(state="held", held_for="evidence"), make_rollout(state="promoted"))
    rollout = asyncio.run(watcher.wait_for_end(is_resumed=is_resumed))
    assert (rollout.state, watcher.commands) == ("promoted", commands)
