"""The command ``demo``: a new model version goes live and back, ten times, under load, with no request lost."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from model_registry.names import DEFAULT_ALIAS
from model_registry.writer import RegistryWriter
from peerloan.api_client import ApiClient
from peerloan.first_model import ensure_model, train_into
from peerloan.handover import publish_folder
from peerloan.load import Answer, load
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.shifts import Shift, failed_answers, propagation_s, untrue_answers
from peerloan.stack import Stack
from peerloan.workplace import DEFAULT_BUCKET, PROJECT, Workplace

_CLIENTS = 8
_PROPAGATION_ALLOWANCE_S = 0.25


def demo(
    ctx: typer.Context,
    rounds: Annotated[int, typer.Option(min=1, help="How often to shift to the new version and back.")] = 10,
    alias_ttl: Annotated[float, typer.Option(min=0.1, help="The function's alias TTL in seconds.")] = 1.0,
    as_json: JsonFlag = False,
) -> None:
    """Shift to a new version and back, ten times, under load.

    It starts a stack of its own on free ports.

    Exits 1 if a request failed, if an answer came from a version that the alias did not point to, or if a shift took
    longer than the TTL plus 250 ms.

    Example: peerloan demo --rounds 3
    """
    workplace: Workplace = ctx.obj
    with tempfile.TemporaryDirectory(prefix="peerloan-demo-") as folder:
        state_dir = Path(folder)
        with Stack(state_dir, DEFAULT_BUCKET, dict(workplace.environ)) as stack:
            bucket_url = stack.start_bucket(0)
            local = workplace.at(
                bucket=DEFAULT_BUCKET, endpoint_url=bucket_url, model=workplace.model, state_dir=state_dir
            )
            first = ensure_model(local)
            # Throttled requests would count as failed, although the shift did not fail them.
            url = stack.start_api(0, bucket_url, alias_ttl_s=alias_ttl, throttled=False)
            bodies = _request_bodies()
            answer = ApiClient(url).predict(json.loads(bodies[0]))
            note(f"Version {answer['model']['version']} answers: {answer['predictions'][0]}")
            second = _publish_improved(local, state_dir)
            note(f"Shifting {DEFAULT_ALIAS} {first} -> {second} -> {first}, {rounds} times, under {_CLIENTS} clients.")
            answers, shifts = asyncio.run(
                _shift_under_load(local.writer(), url, bodies, first, second, rounds, alias_ttl)
            )
    figures = demo_figures(answers, shifts, alias_ttl)
    _say_examples(answers, shifts, alias_ttl)
    note(f"alias TTL {alias_ttl:g} s; bound {figures['propagation_bound_ms']} ms")
    if as_json:
        say_json(figures)
    else:
        shown = {name: ",".join(map(str, value)) if name == "versions" else value for name, value in figures.items()}
        names = ("requests", "failed", "versions", "shifts", "propagation_max_ms")
        say("demo: " + " ".join(f"{name}={shown[name]}" for name in names))
    if not figures["passed"]:
        raise typer.Exit(1)


def demo_figures(answers: Sequence[Answer], shifts: Sequence[Shift], ttl_s: float) -> dict[str, Any]:
    """Return the demonstration's figures, and whether it passed.

    Parameters
    ----------
    answers, shifts
        As in ``peerloan.shifts``; the first shift is the state at the start.
    ttl_s : float
        The function's alias TTL.
    """
    failed = len(failed_answers(answers))
    untrue = len(untrue_answers(answers, shifts, ttl_s))
    propagation = propagation_s(answers, shifts[1:])
    bound = ttl_s + _PROPAGATION_ALLOWANCE_S
    return {
        "passed": not failed and not untrue and propagation <= bound,
        "requests": len(answers),
        "failed": failed,
        "untrue": untrue,
        "versions": sorted({answer.version for answer in answers if answer.version is not None}),
        "shifts": len(shifts) - 1,
        "propagation_max_ms": round(propagation * 1000),
        "propagation_bound_ms": round(bound * 1000),
    }


def _request_bodies() -> list[bytes]:
    events = ("one-record.json", "late-payer.json", "on-time-payer.json")
    return [json.loads((PROJECT / "events" / name).read_text(encoding="utf-8"))["body"].encode() for name in events]


def _publish_improved(local: Workplace, state_dir: Path) -> int:
    folder = state_dir / "improved"
    note("Training the improved model.")
    # The basic model was trained a moment ago, as version 1; the demonstration is about the shift, not the figures.
    train_into(local, folder, "improved", "--no-comparison")
    return publish_folder(local, folder).manifest.version


async def _shift_under_load(
    writer: RegistryWriter, url: str, bodies: list[bytes], first: int, second: int, rounds: int, ttl_s: float
) -> tuple[list[Answer], list[Shift]]:
    shifts = [Shift(first, float("-inf"), float("-inf"))]
    async with load(f"{url}/predict", bodies, _CLIENTS) as answers:
        await asyncio.sleep(ttl_s)
        for version in (second, first) * rounds:
            requested = time.monotonic()
            await asyncio.to_thread(writer.assign, DEFAULT_ALIAS, version, reason="demo")
            shifts.append(Shift(version, requested, time.monotonic()))
            await asyncio.sleep(ttl_s + 2 * _PROPAGATION_ALLOWANCE_S)
    return answers, shifts


def _say_examples(answers: Sequence[Answer], shifts: Sequence[Shift], ttl_s: float) -> None:
    for answer in failed_answers(answers)[:5]:
        note(f"failed: status {answer.status} {answer.problem}")
    for answer in untrue_answers(answers, shifts, ttl_s)[:5]:
        note(f"untrue: version {answer.version}, which the alias did not point to")
