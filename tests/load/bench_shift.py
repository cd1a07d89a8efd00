"""The longest request while the API shifts to a version that is served from its pickle: `make bench-shift`.

A local stack serves arrays. Two clients send request after request while the alias moves to a calibrated forest, whose
arrays are left out, and back. The forest takes seconds to open; a request must not wait for it. Then they send for as
long without a shift: what takes long there, too, is the machine's doing.
"""

from __future__ import annotations

import asyncio
import getpass
import io
import json
import os
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
from sklearn.calibration import CalibratedClassifierCV

from model_artifact.opening.inspection import inspect_candidate
from model_registry.candidate import Inspection
from peerloan.api_client import ApiClient
from peerloan.first_model import ensure_model
from peerloan.load import Answer, load
from peerloan.output import note, say
from peerloan.stack import Stack
from peerloan.workplace import DEFAULT_BUCKET, PROJECT, Workplace
from training.candidate_folder import read_candidate
from training.data import load as load_loans
from training.recipes import basic_model

_CLIENTS = 2
_ALIAS_TTL_S = 0.5
_ROUNDS = 3
_OPENED_LIMIT_S = 60.0
_WARM_UP_S = 5.0
_LONG_MS = 250


def main() -> None:
    """Print the longest request of each shift, of all, and of as long a time without one."""
    workplace = Workplace(
        environ=os.environ, clock=lambda: datetime.now(UTC), new_id=lambda: uuid.uuid4().hex, who=getpass.getuser()
    )
    os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION="us-east-1")
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), DEFAULT_BUCKET, dict(os.environ)) as stack:
        bucket_url = stack.start_bucket(0)
        local = workplace.at(
            bucket=DEFAULT_BUCKET, endpoint_url=bucket_url, model=workplace.model, state_dir=Path(folder)
        )
        local = replace(local, inspect=_without_arrays)
        first = ensure_model(replace(local, inspect=workplace.inspect))
        pickles = [_publish_forest(local, Path(folder), seed) for seed in range(_ROUNDS)]
        url = stack.start_api(0, bucket_url, alias_ttl_s=_ALIAS_TTL_S, throttled=False)
        event = json.loads((PROJECT / "events" / "late-payer.json").read_text(encoding="utf-8"))
        record = event["body"].encode()
        ApiClient(url).predict(json.loads(record))
        answers = asyncio.run(_shift(local, url, record, first, pickles))
        still = asyncio.run(_stay(url, record, answers[-1].answered - answers[0].sent))
    say(f"bench: shift-to-pickle {_figures(answers)}")
    say(f"bench: without-a-shift {_figures(still)}")


def _figures(answers: Sequence[Answer]) -> str:
    failed = [answer for answer in answers if answer.status != 200]
    durations_ms = sorted((answer.answered - answer.sent) * 1000 for answer in answers)
    p50, p999 = (durations_ms[int(len(durations_ms) * share)] for share in (0.5, 0.999))
    n_long = sum(duration_ms > _LONG_MS for duration_ms in durations_ms)
    return (
        f"requests={len(answers)} failed={len(failed)} p50_ms={p50:.1f} p99.9_ms={p999:.0f} "
        f"longest_ms={durations_ms[-1]:.0f} over_{_LONG_MS}_ms={n_long}"
    )


def _publish_forest(local: Workplace, folder: Path, seed: int) -> int:
    """Publish a calibrated forest of 100 trees with the basic model's record."""
    quarter = load_loans(None, local.environ).train
    forest = basic_model.fit(replace(quarter, frame=quarter.frame.head(20_000)), 40, n_jobs=1, seed=seed)[0]
    model = CalibratedClassifierCV(forest, method="isotonic", cv=2)
    model.fit(quarter.features.head(20_000), quarter.target[:20_000])
    file = io.BytesIO()
    joblib.dump(model, file, compress=3)
    record = read_candidate(folder / "basic")[1]
    assert record is not None
    candidate = replace(record, pickle=file.getvalue(), holdout_parity=None)
    version = local.writer().publish(candidate).manifest.version
    note(f"Version {version}: {len(file.getvalue()):,} bytes of pickle.")
    return version


def _without_arrays(pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
    return replace(inspect_candidate(pickle, probe_records), serving_form=None)


async def _shift(local: Workplace, url: str, record: bytes, first: int, pickles: Sequence[int]) -> list[Answer]:
    # The bucket's client takes a second to make, in this process, which would keep answers waiting.
    writer = local.writer()
    writer.assign("live", first)
    async with load(f"{url}/predict", [record], _CLIENTS) as answers:
        # The environments start first.
        await asyncio.sleep(_WARM_UP_S)
        answers.clear()
        for version in pickles:
            began = len(answers)
            for target in (version, first):
                await asyncio.to_thread(writer.assign, "live", target)
                await _until_answered_by(answers, target)
            longest_ms = max(answer.answered - answer.sent for answer in answers[began:]) * 1000
            note(f"To version {version} and back: {len(answers) - began} requests, the longest {longest_ms:.0f} ms.")
    return answers


async def _stay(url: str, record: bytes, seconds: float) -> list[Answer]:
    async with load(f"{url}/predict", [record], _CLIENTS) as answers:
        await asyncio.sleep(seconds)
    return answers


async def _until_answered_by(answers: list[Answer], version: int) -> None:
    deadline_s = time.monotonic() + _OPENED_LIMIT_S
    while not answers or answers[-1].version != version:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"version {version} didn't answer within {_OPENED_LIMIT_S:g} s")
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    main()
