"""A soak: many requests over HTTP while environments are killed at random; then everything must be as before.

What it looks for: a request that failed though its environment was not killed, and memory, descriptors or processes
of the emulator that grow. It is bounded in requests and in time, and prints what it has seen.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aiohttp import ClientError, ClientSession, TCPConnector

TEMPLATE = Path(__file__).parents[1] / "integration" / "emulator" / "functions" / "environments" / "template.yaml"
PATHS = ("/forked", "/forked?act=sleep&s=0.01", "/worker", "/forked?act=allocate&mb=5")
IDLE_S = 1.0
SETTLE_LIMIT_S = 60.0
# A process that is told to die may still take a request in the moment before it does.
DYING_S = 1.0


@dataclass(frozen=True)
class Usage:
    """What the emulator uses when it has no environments."""

    memory_mb: float
    descriptors: int
    processes: int


@dataclass
class Figures:
    """What a soak has seen."""

    requests: int = 0
    seconds: float = 0.0
    failed: int = 0
    kills: int = 0
    unexplained: list[str] = field(default_factory=list)
    before: Usage | None = None
    after: Usage | None = None
    left_processes: list[int] = field(default_factory=list)
    port_is_free: bool = False

    def faults(self) -> list[str]:
        """Return the faults that the soak has found, a sentence each."""
        assert self.before is not None
        assert self.after is not None
        faults = [f"failed without a kill: {failure}" for failure in self.unexplained]
        if self.after.descriptors > self.before.descriptors:
            faults.append(f"descriptors grew from {self.before.descriptors} to {self.after.descriptors}")
        if self.after.processes > self.before.processes:
            faults.append(f"processes grew from {self.before.processes} to {self.after.processes}")
        if self.after.memory_mb > self.before.memory_mb * 1.1 + 5:
            faults.append(f"memory grew from {self.before.memory_mb:.1f} to {self.after.memory_mb:.1f} MB")
        if self.left_processes:
            faults.append(f"processes left after the end: {self.left_processes}")
        if not self.port_is_free:
            faults.append("the port is still taken after the end")
        return faults


@dataclass
class _Soak:
    url: str
    requests: int
    kills: int
    draw: random.Random
    figures: Figures
    deadline: float
    sent: int = 0
    seen: list[int] = field(default_factory=list)
    killed_at: list[float] = field(default_factory=list)
    failures: list[tuple[float, float, str]] = field(default_factory=list)

    async def run(self, clients: int) -> None:
        """Send all the requests, over connections that are kept."""
        async with ClientSession(connector=TCPConnector(limit=0)) as session:
            await asyncio.gather(*(self._client(session) for _ in range(clients)))

    async def _client(self, session: ClientSession) -> None:
        while self.sent < self.requests and time.monotonic() < self.deadline:
            self.sent += 1
            began = time.monotonic()
            try:
                async with session.get(self.url + self.draw.choice(PATHS)) as answer:
                    body, status = await answer.read(), answer.status
            except (ClientError, OSError) as error:
                body, status = str(error).encode(), 0
            self.figures.requests += 1
            if status == 200:
                self.seen = [*self.seen[-20:], json.loads(body)["pid"]]
            else:
                self.failures.append((began, time.monotonic(), f"{status} {body.decode(errors='replace')}"))
            if self.kills and self.figures.requests % (self.requests // self.kills) == 0:
                self._kill_one()

    def _kill_one(self) -> None:
        victim = self.draw.choice(self.seen)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            self.killed_at.append(time.monotonic())
            self.figures.kills += 1

    def judge(self) -> None:
        """Match each failure with a kill at that time; a failure without one is unexplained."""
        self.figures.failed = len(self.failures)
        kills = sorted(self.killed_at)
        for began, ended, answer in sorted(self.failures, key=lambda failure: failure[1]):
            kill = next((at for at in kills if began - DYING_S <= at <= ended), None)
            if kill is None:
                self.figures.unexplained.append(answer)
            else:
                kills.remove(kill)


def soak(requests: int, kills: int, *, clients: int = 8, limit_s: float = 3600.0, seed: int = 1) -> Figures:
    """Run one soak against an emulator of its own.

    Parameters
    ----------
    requests, kills : int
        How many of each; a tenth more come before, to warm up.
    clients : int
        How many requests at a time.
    limit_s : float
        Seconds after which no more requests are sent.
    seed : int
        Seeds the choice of paths and of processes to kill.
    """
    figures = Figures()
    with _emulator() as (process, url):
        deadline = time.monotonic() + limit_s
        # With kills, too, so that whatever is made only once has been made before the first look at usage.
        warm_up = requests // 10
        asyncio.run(_Soak(url, warm_up, max(1, kills // 10), random.Random(seed), Figures(), deadline).run(clients))
        figures.before = _settled(process.pid)
        work = _Soak(url, requests, kills, random.Random(seed + 1), figures, deadline)
        began = time.monotonic()
        asyncio.run(work.run(clients))
        figures.seconds = time.monotonic() - began
        work.judge()
        figures.after = _settled(process.pid)
        descendants = _descendants(process.pid)
    figures.left_processes = [pid for pid in descendants if Path(f"/proc/{pid}").exists()]
    figures.port_is_free = not _answers(url)
    return figures


@contextlib.contextmanager
def _emulator() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = [sys.executable, "-m", "emulator", "start-api", "-t", str(TEMPLATE), "-p", "0"]
        command += ["--idle-timeout", str(IDLE_S), "--ready-file", str(ready), "--state-dir", f"{folder}/state"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": folder})
        try:
            deadline = time.monotonic() + SETTLE_LIMIT_S
            while not ready.exists():
                assert process.poll() is None, "the emulator has ended"
                assert time.monotonic() < deadline, "the emulator does not become ready"
                time.sleep(0.05)
            yield process, json.loads(ready.read_text())["url"]
        finally:
            process.terminate()
            process.wait(timeout=SETTLE_LIMIT_S)


def _settled(pid: int) -> Usage:
    """Wait until the idle environments are gone and what is left does not change, and return what is used."""
    deadline = time.monotonic() + SETTLE_LIMIT_S
    usage, since = _usage(pid), time.monotonic()
    while time.monotonic() - since < 3 * IDLE_S:
        assert time.monotonic() < deadline, f"the emulator does not come to rest: {usage}"
        time.sleep(0.2)
        now = _usage(pid)
        if (now.descriptors, now.processes) != (usage.descriptors, usage.processes):
            since = time.monotonic()
        usage = now
    return usage


def _usage(pid: int) -> Usage:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    memory_mb = pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return Usage(memory_mb, len(list(Path(f"/proc/{pid}/fd").iterdir())), len(_descendants(pid)))


def _descendants(pid: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = {pid}
    while generation := {child for child, parent in parents.items() if parent in family} - family:
        family |= generation
    return family - {pid}


def _answers(url: str) -> bool:
    async def ask() -> bool:
        async with ClientSession() as session:
            try:
                async with session.get(url):
                    return True
            except ClientError:
                return False

    return asyncio.run(ask())


def main() -> None:
    """Run a soak and print its figures; exit 1 if it has found a fault."""
    options = _options(sys.argv[1:])
    figures = soak(options.requests, options.kills, clients=options.clients, limit_s=options.limit)
    print(json.dumps(asdict(figures), indent=2))
    faults = figures.faults()
    if figures.requests < options.requests:
        faults.append(f"{figures.requests} of {options.requests} requests within the time")
    for fault in faults:
        print(f"soak: {fault}", file=sys.stderr)
    sys.exit(bool(faults))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
