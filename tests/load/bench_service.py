"""How fast the emulator serves beside SAM CLI and FastAPI: ``make bench``, or
``python tests/load/bench_service.py [--improved models/improved] [--only emulator,fastapi] [--quick] [--docs docs]``.

Every server runs for real and at once, and they are asked in turns. Prints a table, and ``bench: <name> ratio=<x>``
lines where more is better for the emulator; ``--docs`` has it write a page and its figure, ``--json`` all that was
measured. Ten minutes, training not counted. SAM CLI is left out, and that is said, where it or Docker is not there; so
is MiniStack where it isn't installed (``make ministack-setup``).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("", "layers/shared", "functions/predict")]

import servers  # noqa: E402
from bench_report import elasticity_lines, table_lines, write_page  # noqa: E402
from caller_cost import measure_callers  # noqa: E402
from elasticity import burst_from_cold, burst_of_sleepers, first_answers_ms, mean_pss_mb  # noqa: E402
from fresh_start import measure_fresh_starts  # noqa: E402
from outcome import Outcome, lines  # noqa: E402
from peer_ministack import (  # noqa: E402
    measure_bursts,
    ministack_version,
    serve_emulator_invoke,
    serve_ministack,
    why_no_ministack,
)
from process_memory import descendants_of  # noqa: E402
from rounds import measure  # noqa: E402
from servers import Bench, Server  # noqa: E402

from tests.e2e import docker  # noqa: E402
from tests.e2e.processes import BackgroundCommand, free_port  # noqa: E402

# Those of one model beside each other, then those without one.
NAMES = ("emulator", "fastapi", "sam", "emulator-empty", "sam-empty", "echo", "emulator-invoke", "ministack")


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds of so many seconds a server, forks one by one, calls at once, how many bursts."""

    rounds: int
    window_s: float
    forks: int
    calls: int
    bursts: int


THOROUGH = Effort(rounds=5, window_s=1.2, forks=15, calls=32, bursts=3)
QUICK = Effort(rounds=1, window_s=0.2, forks=2, calls=4, bursts=1)


def main() -> None:
    """Measure and tell."""
    options = _options(sys.argv[1:])
    began = time.monotonic()

    def note(text: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="bench-") as name, _bench(Path(name), options.improved, note) as bench:
        outcome = Outcome(_machine(), {}, left_out=[*_without_sam(options), *_without_ministack(options)])
        _measure_rounds(bench, options, outcome, note)
        if "emulator-empty" in options.only:
            effort = QUICK if options.quick else THOROUGH
            outcome.callers_ms.update(measure_callers(bench, effort.rounds, effort.window_s))
            note("callers are checked")
        if "emulator-invoke" in options.only:
            outcome.fresh.update(measure_fresh_starts((QUICK if options.quick else THOROUGH).rounds))
            note("fresh emulators were started")
        if "emulator" in options.only:
            _measure_elasticity(bench, options, outcome, note)
    for line in (*table_lines(outcome), *elasticity_lines(outcome), *lines(outcome)):
        print(line)
    if options.json:
        options.json.write_text(json.dumps(outcome.as_json(), indent=1) + "\n")
    if options.docs:
        write_page(outcome, options.docs)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--only", type=_names, default=list(NAMES), help=f"some of {','.join(NAMES)}")
    parser.add_argument("--improved", type=_absolute, help="a trained improved model's folder; else one is trained")
    parser.add_argument("--json", type=Path, help="write everything that was measured there")
    parser.add_argument("--docs", type=Path, help="write benchmarks.md and figures/benchmarks.svg into this folder")
    return parser.parse_args(arguments)


def _absolute(text: str) -> Path:
    """Return a path that servers with other working folders can open, too."""
    return Path(text).resolve()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(NAMES):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
    return [name for name in NAMES if name in names]


def _without_sam(options: argparse.Namespace) -> list[str]:
    """Take SAM CLI off the list where it can't run; return what there is to say about that."""
    with_sam = [name for name in options.only if name.startswith("sam")]
    reason = servers.why_no_sam() if with_sam else None
    if reason is None:
        return []
    options.only = [name for name in options.only if name not in with_sam]
    print(f"bench: SAM CLI is left out: {reason}", flush=True)
    return [f"SAM CLI is left out: {reason}"]


def _without_ministack(options: argparse.Namespace) -> list[str]:
    """Take MiniStack off the list where it isn't installed; return what there is to say about that."""
    reason = why_no_ministack() if "ministack" in options.only else None
    if reason is None:
        return []
    options.only.remove("ministack")
    print(f"bench: MiniStack is left out: {reason}", flush=True)
    return [f"MiniStack is left out: {reason}"]


def _measure_rounds(bench: Bench, options: argparse.Namespace, outcome: Outcome, note: Callable[[str], None]) -> None:
    start = {
        "emulator": servers.serve_emulator,
        "fastapi": servers.serve_fastapi,
        "sam": servers.serve_sam,
        "emulator-empty": servers.serve_emulator_empty,
        "sam-empty": servers.serve_sam_empty,
        "echo": servers.serve_echo,
        "emulator-invoke": serve_emulator_invoke,
        "ministack": serve_ministack,
    }
    effort = QUICK if options.quick else THOROUGH
    with ExitStack() as stack:
        running: list[Server] = []
        for name in options.only:
            running.append(stack.enter_context(start[name](bench)))
            note(f"{name} is up")
        outcome.table.update(measure(running, effort.rounds, effort.window_s, note))
        by_name = {server.name: server for server in running}
        if "fastapi" in by_name:
            workers = sorted(
                (mean_pss_mb([pid]) or 0.0 for pid in descendants_of(by_name["fastapi"].pid)), reverse=True
            )
            outcome.memory_mb["FastAPI worker"] = workers[1]
        if "sam" in by_name:
            outcome.memory_mb.update(_container_memory(bench))
        if "sam-empty" in by_name and not options.quick:
            outcome.bursts["sam"] = burst_of_sleepers(servers.one_second_target(by_name["sam-empty"]), effort.calls)
            note("SAM CLI has taken its burst")
        if "emulator-invoke" in by_name:
            bursts = measure_bursts(by_name["emulator-invoke"], by_name.get("ministack"), effort.calls, effort.bursts)
            outcome.bursts.update(bursts)
            note("invocations without environments have had their bursts")


def _container_memory(bench: Bench) -> Iterator[tuple[str, float]]:
    for container_id in docker.containers_that_mount(bench.folder / "sam-build"):
        first = docker.process_id(container_id)
        sizes = [mean_pss_mb([pid]) for pid in {first, *descendants_of(first)}]
        # Only root may look into another user's processes.
        if None not in sizes:
            yield "SAM CLI container", sum(size for size in sizes if size is not None)


def _measure_elasticity(
    bench: Bench, options: argparse.Namespace, outcome: Outcome, note: Callable[[str], None]
) -> None:
    effort = QUICK if options.quick else THOROUGH
    with servers.serve_emulator(bench, "forks") as server:
        outcome.first_answers_ms.extend(first_answers_ms(server, effort.forks))
        note("environments have been forked")
    for name, snap_start in (("snapstart", True), ("plain", False)):
        with servers.serve_emulator_held(bench, snap_start=snap_start) as server:
            burst = burst_from_cold(server, effort.calls, is_forked=snap_start)
        outcome.bursts[name] = burst
        if burst.environment_mb is not None:
            outcome.memory_mb[f"environment {'with' if snap_start else 'without'} SnapStart"] = burst.environment_mb
        note(f"{name}: {effort.calls} environments")


@contextmanager
def _bench(folder: Path, improved: Path | None, note: Callable[[str], None]) -> Iterator[Bench]:
    """Yield a bucket in which ``live`` points at the improved model, and the pickle that it was made of."""
    from model_artifact.features import frame_from_records
    from model_artifact.opening.load import open_pickle
    from training.candidate_folder import PICKLE_NAME, read_candidate

    if improved is None:
        improved = folder / "improved"
        words = [sys.executable, "-m", "training", "improved", "--out", str(improved)]
        subprocess.run(words, cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(servers.IMPORTS)}, check=True)
        note("a model is trained")
    candidate = read_candidate(improved)[1]
    assert candidate is not None
    expected = open_pickle(candidate.pickle).predict_proba(frame_from_records([servers.RECORD]))[0, 1]
    with _bucket(folder) as url:
        _publish(url, candidate)
        yield Bench(folder, improved / PICKLE_NAME, url, float(expected))


@contextmanager
def _bucket(folder: Path) -> Iterator[str]:
    hosts = servers.bucket_hosts()
    port = free_port(hosts)
    command = [sys.executable, "-m", "emulator", "bucket", *(word for host in hosts for word in ("--host", host))]
    command += ["--allow-host", "host.docker.internal"]
    command += ["--port", str(port), "--data-dir", str(folder / "data"), "--bucket", servers.BUCKET]
    url = f"http://127.0.0.1:{port}"
    with BackgroundCommand(command, environ=servers.environ(), cwd=ROOT, log=folder / "bucket.log") as process:
        process.wait_until_answering(url, timeout_s=60)
        yield url


def _publish(url: str, candidate: object) -> None:
    from model_artifact.opening.inspection import inspect_candidate
    from model_registry.stores.s3 import S3Store, make_s3_client
    from model_registry.writer import RegistryWriter

    credentials = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ.update(credentials)
    client = make_s3_client(url)
    writer = RegistryWriter(
        S3Store(servers.BUCKET, client),
        clock=lambda: datetime.now(UTC),
        who="bench",
        new_id=lambda: os.urandom(8).hex(),
        inspect=inspect_candidate,
    )
    writer.assign("live", writer.publish(candidate).manifest.version)
    client.close()


def _machine() -> dict[str, str]:
    versions = [] if why_no_ministack() else [f"MiniStack {ministack_version()}"]
    packages: Sequence[str] = ("awslambdaric", "uvloop", "aiohttp", "fastapi", "uvicorn", "scikit-learn")
    return {
        "Date": f"{datetime.now(UTC):%Y-%m-%d}",
        "Machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "Load average before": f"{os.getloadavg()[0]:.1f}: what other work waited for these cores",
        "Python": f"{platform.python_version()} (SAM CLI's containers: 3.13)",
        "Versions": ", ".join([*(f"{name} {version(name)}" for name in packages), *versions]),
    }


if __name__ == "__main__":
    main()
