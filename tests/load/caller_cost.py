"""What it costs the emulator to check who calls: an empty function behind an open route, a token and a signature."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from http_load import Target, make_request, run_load
from servers import HERE, RECORD, Bench, start_emulator

from emulator.http_api.oidc_issuer import KEY_FILE, issue_token, own_issuer

_TURNS_A_ROUND = 6
_BODY = json.dumps(RECORD).encode()


def measure_callers(bench: Bench, rounds: int, window_s: float) -> dict[str, float]:
    """Return the p50 of one client in milliseconds, by ``open``, ``token`` and ``signature``.

    The three are asked in turns, each first in every third turn: the differences are smaller than what else the machine
    does from one second to the next.
    """
    with start_emulator(bench, "closed", HERE / "functions/closed.yaml", {}) as (port, _):
        token = _token(port, bench.folder / "closed/.peerloan/lambda")
        latencies_s: dict[str, list[float]] = {"open": [], "token": [], "signature": []}
        for turn in range(rounds * _TURNS_A_ROUND + 1):
            # Signed in each turn, since a signature is good for five minutes.
            headers = {"open": {}, "token": token, "signature": _signature(port)}
            names = list(headers)
            for name in names[turn % 3 :] + names[: turn % 3]:
                load = run_load(_target(port, f"/{name}", headers[name]), 1, window_s / _TURNS_A_ROUND)
                # The first turn warms up.
                latencies_s[name] += load.latencies_s if turn else []
    return {name: statistics.median(values) * 1000 for name, values in latencies_s.items()}


def _target(port: int, path: str, headers: dict[str, str]) -> Target:
    return Target(port, make_request("POST", path, _BODY, {"Content-Type": "application/json", **headers}))


def _token(port: int, state_dir: Path) -> dict[str, str]:
    token = issue_token(
        state_dir / KEY_FILE,
        issuer=own_issuer(f"http://127.0.0.1:{port}"),
        audience="bench",
        scope="predict",
        expires_s=3600,
        now=time.time(),
    )
    return {"Authorization": f"Bearer {token}"}


def _signature(port: int) -> dict[str, str]:
    # `make_request` sends this host.
    request = AWSRequest("POST", f"http://127.0.0.1:{port}/signature", data=_BODY, headers={"Host": "127.0.0.1"})
    SigV4Auth(Credentials("emulator", "emulator"), "execute-api", "us-east-1").add_auth(request)
    return {name: request.headers[name] for name in ("Authorization", "X-Amz-Date")}
