"""GETs and PUTs of a small object, an alias say: the bucket beside moto's server, or beside that of another checkout.

python tests/load/bench_bucket.py [--before FOLDER]

The servers are asked in turns, so that what else the machine does slows both. The medians of the rounds are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

from http_load import Target, make_request, run_load  # noqa: E402

from tests.e2e.processes import BackgroundCommand, free_port  # noqa: E402

ALIAS = b'{"format": 2, "name": "live", "version": "7", "weights": {}, "description": "a small document"}' * 4
_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"}
_START_LIMIT_S = 60.0


@contextlib.contextmanager
def serve(folder: Path, command: list[str], checkout: Path) -> Iterator[dict[str, Target]]:
    """Run a server with the object in it; yield how to get it and how to put it."""
    port = free_port()
    environ = {**os.environ, "PYTHONPATH": str(checkout)}
    words = [sys.executable, "-m", *command, "--port", str(port)]
    with BackgroundCommand(words, environ=environ, cwd=checkout, log=folder / f"log-{port}") as process:
        url = f"http://127.0.0.1:{port}"
        process.wait_until_answering(url, timeout_s=_START_LIMIT_S)
        s3 = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        s3.create_bucket(Bucket="models")
        s3.put_object(Bucket="models", Key="aliases/live.json", Body=ALIAS)
        path = "/models/aliases/live.json"
        yield {
            "GET": Target(port, make_request("GET", path, headers=_SIGNED)),
            "PUT": Target(port, make_request("PUT", path, ALIAS, headers=_SIGNED)),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="a checkout of an earlier commit, instead of moto's server")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each server in each round")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = ["emulator", "bucket", "--data-dir", str(folder / "ours")]
        targets = {"bucket": stack.enter_context(serve(folder, ours, ROOT))}
        if options.before:
            before = ["emulator", "bucket", "--data-dir", str(folder / "before")]
            targets["before"] = stack.enter_context(serve(folder, before, options.before))
        else:
            targets["moto"] = stack.enter_context(serve(folder, ["moto.server", "--host", "127.0.0.1"], ROOT))
        for method, clients in itertools.product(("GET", "PUT"), (1, 8)):
            rates: dict[str, list[float]] = {name: [] for name in targets}
            for _ in range(options.rounds):
                for name, target in targets.items():
                    result = run_load(target[method], clients, options.seconds)
                    assert not result.refused, f"{name}: {result.refused} requests failed"
                    due = ALIAS if method == "GET" else b""
                    assert all(body == due for body in result.first_bodies), f"{name} answers something else"
                    rates[name].append(result.per_second)
            ours_median, peer_median = (statistics.median(rates[name]) for name in targets)
            (_, peer) = targets
            print(f"{clients} client(s): bucket {ours_median:,.0f} {method}s a second, {peer} {peer_median:,.0f}")
            print(f"bench: bucket-{method.lower()}-{clients} ratio={ours_median / peer_median:.2f}", flush=True)


if __name__ == "__main__":
    main()
