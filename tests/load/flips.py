"""A hundred flips of the alias under eight clients while environments come and go, and a rollout's keys: `make flips`.

Three parts, on a local stack of its own:

- The alias flips between two versions. First the clients send one request at a time, which one environment answers;
  then twelve more clients come, so that there are twenty environments; then the first ones send one at a time again.
- 10,000 keys ask once at a weight of .1.
- The same keys ask on while a rollout stops, starts again, gets other weights and is promoted.

Every request and every change of the alias is recorded, and the record is checked against the service's promises. Exit
1 if a request failed, a promise was broken, or a flip took longer than the TTL plus 250 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_artifact.schema import LOAN_ID
from model_registry.alias import RoutingConfig
from model_registry.writer import RegistryWriter
from peerloan.api_client import ApiClient
from peerloan.load import Answer, load
from peerloan.promises.checks import Report, check_run
from peerloan.promises.shares import count_keys, share_bounds
from peerloan.promises.timeline import AliasChange, Timeline
from peerloan.stack import Stack
from peerloan.workplace import DEFAULT_BUCKET, PROJECT, Workplace
from training.data import Quarters
from training.data import load as load_loans
from training.recipes.contenders import MONOTONE
from training.run import train

_ALIAS = "live"
_CLIENTS = 8
_MORE_CLIENTS = 12
_ALLOWANCE_S = 0.25
_IDLE_S = 2.0
_SHARE_LIMIT_S = 300.0
_WEIGHT = 0.1
_SHOWN_VIOLATIONS = 20
_ROLLOUT = "flips-rollout"
# A stop, a start with other weights, a second stop, and the promotion.
_WEIGHTS = (0.1, 0.0, 0.1, 0.3, 0.5, 0.0, 0.5, 1.0)


@dataclass
class Recording:
    """A running stack's address and writer, and everything that happened on it.

    ``pause_s`` is how long each client waits between two requests.
    """

    url: str
    writer: RegistryWriter
    versions: tuple[int, int]
    ttl_s: float
    pause_s: float = 0.0
    answers: list[Answer] = field(default_factory=list)
    changes: list[AliasChange] = field(default_factory=list)

    async def assign(self, version: int, weight: float = 0.0, rollout: str | None = None) -> AliasChange:
        """Move the alias and record the change; ``weight`` is the second version's."""
        weights = RoutingConfig({self.versions[1]: weight} if weight else {})
        requested = time.monotonic()
        alias = await asyncio.to_thread(
            self.writer.assign, _ALIAS, version, routing_config=weights, rollout=rollout, reason="flips"
        )
        self.changes.append(AliasChange.of(alias, requested, time.monotonic(), rollout))
        return self.changes[-1]

    def report(self) -> Report:
        """Check the record."""
        return check_run(self.answers, self.changes, self.ttl_s)


@dataclass(frozen=True)
class Shares:
    """How many of some keys got the additional version, and how many may by the 99.9 % bound."""

    keys: int
    gained: int
    bounds: tuple[int, int]

    @property
    def is_right(self) -> bool:
        """Whether they lie within the bounds."""
        return self.bounds[0] <= self.gained <= self.bounds[1]


async def flip(recording: Recording, flips: int, pause_s: float) -> list[int]:
    """Flip the alias under load, with one environment, with twenty, and with one again; return how many there were."""
    url, bodies = f"{recording.url}/predict", request_bodies()
    gate = asyncio.Semaphore(1)
    third = max(flips // 3, 1)
    async with load(url, bodies, _CLIENTS, gate=gate, pause_s=recording.pause_s) as answers:
        first = await _flip_on(recording, range(third), pause_s)
        for _ in range(_CLIENTS - 1):
            gate.release()
        async with load(url, bodies, _MORE_CLIENTS, pause_s=recording.pause_s) as more:
            middle = await _flip_on(recording, range(third, flips - third), pause_s)
        for _ in range(_CLIENTS - 1):
            await gate.acquire()
        await _flip_on(recording, range(flips - third, flips), pause_s)
        await asyncio.sleep(2 * _IDLE_S)
        last = await asyncio.to_thread(count_environments, recording.url)
    recording.answers += [*answers, *more]
    return [first, middle, last]


async def _flip_on(recording: Recording, numbers: range, pause_s: float) -> int:
    """Flip so many times; return the largest number of environments that was seen."""
    environments = []
    for number in numbers:
        await recording.assign(recording.versions[(number + 1) % 2])
        await asyncio.sleep(recording.ttl_s + pause_s)
        # Counting takes the emulator a while, since its status has everybody's memory.
        if number % 10 == 0 or number == numbers[-1]:
            environments.append(await asyncio.to_thread(count_environments, recording.url))
    return max(environments)


async def share(recording: Recording, keys: int) -> Shares:
    """Ask once for each key at a fixed weight, after every environment has seen it."""
    await recording.assign(recording.versions[0])
    await asyncio.sleep(recording.ttl_s + _ALLOWANCE_S)
    canary = await recording.assign(recording.versions[0], _WEIGHT, _ROLLOUT)
    await asyncio.sleep(recording.ttl_s + _ALLOWANCE_S)
    deadline_s = time.monotonic() + _SHARE_LIMIT_S
    url, pause_s = f"{recording.url}/predict", recording.pause_s
    async with load(url, request_bodies(), _CLIENTS, key_of=lambda number: f"k{number}", pause_s=pause_s) as got:
        while len(got) < keys and time.monotonic() < deadline_s:
            await asyncio.sleep(0.05)
    # Which of the last requests were in flight has nothing to do with their versions.
    recording.answers += got
    timeline = Timeline(recording.changes, recording.ttl_s)
    counted, gained = count_keys(recording.answers, timeline, canary, recording.versions[1])
    return Shares(counted, gained, share_bounds(counted, _WEIGHT))


async def roll(recording: Recording, keys: int, pause_s: float) -> None:
    """Stop, restart and promote the rollout while the same keys ask again and again."""
    url, pause_s = f"{recording.url}/predict", recording.pause_s
    async with load(
        url, request_bodies(), _CLIENTS, key_of=lambda number: f"k{number % keys}", pause_s=pause_s
    ) as answers:
        for weight in _WEIGHTS:
            is_promoted = weight == 1.0
            version = recording.versions[1 if is_promoted else 0]
            await recording.assign(version, 0.0 if is_promoted else weight, _ROLLOUT)
            await asyncio.sleep(recording.ttl_s + pause_s)
    recording.answers += answers


def request_bodies() -> list[bytes]:
    """Return the requests that the clients send, without loan ids: the header's key decides."""
    records = []
    for name in ("one-record.json", "late-payer.json", "on-time-payer.json"):
        event = json.loads((PROJECT / "events" / name).read_text(encoding="utf-8"))
        records.append({name: value for name, value in json.loads(event["body"]).items() if name != LOAN_ID})
    return [json.dumps(record).encode() for record in records]


def count_environments(url: str) -> int:
    """Return how many environments the emulator has now."""
    status: Any = ApiClient(url).send("GET", "/_emulator/status")
    pools = [pool for function in status["functions"] for pool in function["environments"]]
    return sum(pool["byState"][state] for pool in pools for state in ("idle", "busy", "starting"))


@contextmanager
def stack_with_two_versions(ttl_s: float, quarters: Quarters) -> Iterator[Recording]:
    """Start a stack with two small versions that are trained on these loans, and end it with the block."""
    workplace = Workplace(
        environ=os.environ, clock=lambda: datetime.now(UTC), new_id=lambda: uuid.uuid4().hex, who=getpass.getuser()
    )
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), DEFAULT_BUCKET, dict(os.environ)) as stack:
        bucket_url = stack.start_bucket(0)
        local = workplace.at(bucket=DEFAULT_BUCKET, endpoint_url=bucket_url, model="late-payer", state_dir=Path(folder))
        writer = local.writer()
        # Large arrays are read beside the requests, which the earlier version answers until then; small ones at once.
        trained = (
            train("improved", quarters, n_estimators=trees, contender=MONOTONE.name, is_compared=False)
            for trees in (10, 20)
        )
        first, second = (writer.publish(result.candidate).manifest.version for result in trained)
        begun = writer.assign(_ALIAS, first)
        url = stack.start_api(0, bucket_url, alias_ttl_s=ttl_s, throttled=False, idle_timeout_s=_IDLE_S)
        recording = Recording(url, writer, (first, second), ttl_s)
        recording.changes.append(AliasChange.of(begun, float("-inf"), float("-inf")))
        yield recording


def main() -> None:
    """Print the figures; exit 1 if one isn't as it should be."""
    options = _options(sys.argv[1:])
    os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION="us-east-1")
    with stack_with_two_versions(options.ttl, load_loans(None, os.environ)) as recording:
        environments = asyncio.run(flip(recording, options.flips, options.pause))
        flipped = recording.report()
        shares = asyncio.run(share(recording, options.keys))
        asyncio.run(roll(recording, min(options.keys, 1000), options.pause))
        report = recording.report()
    bound_ms = round((options.ttl + _ALLOWANCE_S) * 1000)
    propagation_ms = round(flipped.propagation_s * 1000)
    print(
        f"flips={options.flips} requests={flipped.requests} failed={flipped.failed} propagation_max_ms={propagation_ms}"
    )
    print(f"bound_ms={bound_ms} environments={','.join(map(str, environments))}")
    low, high = shares.bounds
    print(f"keys={shares.keys} weight={_WEIGHT} gained={shares.gained} bounds_99.9={low}..{high}")
    print(f"promises: requests={report.requests} changes={len(recording.changes)} broken={len(report.violations)}")
    for violation in report.violations[:_SHOWN_VIOLATIONS]:
        print(f"promise {violation.promise}: {violation.sentence}", file=sys.stderr)
    is_right = not report.violations and not report.failed and propagation_ms <= bound_ms and shares.is_right
    sys.exit(not is_right)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=100)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--ttl", type=float, default=0.5, help="the function's alias TTL in seconds")
    parser.add_argument("--pause", type=float, default=0.4, help="seconds beyond the TTL between two changes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
