"""A run of the benchmark as a page of Markdown with its figure: docs/benchmarks.md."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks_page import split_page
from outcome import Outcome, ratios
from rounds import CLIENTS

TITLES = {
    "emulator": "Emulator, the project's function",
    "fastapi": "FastAPI + uvicorn, 2 workers, the same pickled model",
    "sam": "SAM CLI, warm container, the project's function",
    "emulator-empty": "Emulator, an empty function",
    "sam-empty": "SAM CLI, warm container, an empty function",
    "echo": "Bare ASGI echo on uvicorn, 1 worker",
    "emulator-invoke": "Emulator, an empty function by Lambda's Invoke",
    "ministack": "MiniStack, an empty function by Lambda's Invoke",
}
_COLOURS = {
    "emulator": "#0b7fab",
    "fastapi": "#c2410c",
    "sam": "#7a7f87",
    "emulator-empty": "#58b4d1",
    "sam-empty": "#a9adb3",
    "echo": "#4d7c0f",
    "emulator-invoke": "#2a5db0",
    "ministack": "#8a5a9e",
}
_INTRODUCTION = """# Benchmarks

Written by `make bench` (`tests/load`), which runs all servers in the same ten minutes, each in processes of its own on
loopback, and asks them in turns. Trust the ratios: what else the machine did slowed all of them. Figures are medians
over the rounds. One request is one loan record; every answer's status was checked, and in each round the first answers'
probability against the model's own. The load comes from one lean client on the same cores.
"""


def table_lines(outcome: Outcome) -> Iterator[str]:
    """Yield the main table as Markdown."""
    heads = [f"{clients} {'client' if clients == 1 else 'clients'}" for clients in CLIENTS]
    yield "Requests a second, p50 and p99 in ms:\n"
    yield "| server | " + " | ".join(heads) + " |"
    yield "|---" * (len(CLIENTS) + 1) + "|"
    for name, title in TITLES.items():
        if (name, CLIENTS[0]) in outcome.table:
            runs = [outcome.table[name, clients] for clients in CLIENTS]
            cells = [f"{run.per_second:,.0f}, {run.p50_ms:.2f}, {run.p99_ms:.2f}" for run in runs]
            yield f"| {title} | " + " | ".join(cells) + " |"


def elasticity_lines(outcome: Outcome) -> Iterator[str]:
    """Yield what there is beside the table, one fact a line."""
    with_snapshot, without, sam = (outcome.bursts.get(name) for name in ("snapstart", "plain", "sam"))
    for burst, what in ((with_snapshot, "with SnapStart"), (without, "without SnapStart")):
        if burst is not None and burst.all_began_s is not None:
            yield (
                f"From none to {burst.calls} environments of the project's function, {what}: {burst.all_began_s:.2f} s"
                f" ({burst.calls} concurrent one-second calls from none on: {burst.all_answered_s:.2f} s)"
            )
    if sam is not None:
        yield (
            f"{sam.calls} concurrent one-second calls of a function that only waits, SAM CLI, warm: "
            f"{sam.all_answered_s:.1f} s"
        )
    yield from _ministack_lines(outcome)
    if outcome.first_answers_ms:
        took = outcome.first_answers_ms
        yield f"First answer of a fork-started environment: median {median(took):.1f} ms, longest {max(took):.1f} ms"
    if outcome.callers_ms:
        took = ", ".join(f"{name} {p50_ms:.3f} ms" for name, p50_ms in outcome.callers_ms.items())
        yield f"An empty function's p50 behind an open route, a checked token and a checked signature: {took}"
    for name, size in outcome.memory_mb.items():
        yield f"Memory (PSS) of one {name}: {size:.1f} MB"
    for (name, clients), figures in outcome.table.items():
        if figures.refused:
            failed = f"{figures.refused} of {figures.refused + figures.answers} requests failed"
            yield f"{TITLES[name]}, {clients} clients: {failed}"
    yield from outcome.left_out


def _ministack_lines(outcome: Outcome) -> Iterator[str]:
    """Yield what both have: bursts of invocations, and starts."""
    bursts = (
        ("invoke", "the emulator"),
        ("invoke-snapstart", "the emulator with SnapStart"),
        ("ministack", "MiniStack"),
    )
    for name, who in bursts:
        burst = outcome.bursts.get(name)
        if burst is not None and burst.all_began_s is not None:
            yield (
                f"{burst.calls} concurrent one-second invocations of a function without environments, {who}: the "
                f"last one began after {burst.all_began_s:.2f} s, and all were answered after "
                f"{burst.all_answered_s:.2f} s"
            )
    for name, who in (("emulator", "The emulator"), ("ministack", "MiniStack")):
        if name in outcome.fresh:
            fresh = outcome.fresh[name]
            memory = (
                "" if fresh.idle_mb is None else f", and takes {fresh.idle_mb:.0f} MB (PSS) before the first request"
            )
            yield f"{who} answers {fresh.start_ms:,.0f} ms after its process is started{memory}"
            if fresh.reset_ms is not None and fresh.first_answer_ms is not None:
                yield (
                    f"A fresh emulator for a test: {fresh.reset_ms:.0f} ms (by reset); its first answer, from a new "
                    f"environment, takes another {fresh.first_answer_ms:.0f} ms"
                )


def _list_item(text: str) -> str:
    """Return an item of a Markdown list, in lines of at most 120 characters."""
    return textwrap.fill(text, 120, initial_indent="- ", subsequent_indent="  ", break_long_words=False)


def write_page(outcome: Outcome, folder: Path) -> None:
    """Write ``benchmarks.md`` and its figure into a folder of documents."""
    page, figure = folder / "benchmarks.md", folder / "figures/benchmarks.svg"
    draw(outcome, figure)
    parts = [
        _INTRODUCTION,
        "\n".join(_list_item(f"{name}: {value}") for name, value in outcome.machine.items()),
        "\n".join(table_lines(outcome)),
        f"![Requests a second and p50 by server]({figure.relative_to(page.parent)})",
        "\n".join(_list_item(line) for line in elasticity_lines(outcome)),
        "## Ratios\n\nMore is better for the emulator: requests a second ours over theirs, times theirs over ours.\n\n"
        "| ratio | |\n|---|---|\n" + "\n".join(f"| {name} | {ratio:.2f} |" for name, ratio in ratios(outcome)),
        split_page(page.read_text(encoding="utf-8"))[1] if page.exists() else "",
    ]
    page.write_text("\n\n".join(part.strip() for part in parts if part) + "\n", encoding="utf-8")


def draw(outcome: Outcome, figure: Path) -> None:
    """Draw requests a second and median latency of each server, on axes that hold both ends."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 10})
    import matplotlib.pyplot as plt

    names = [name for name in TITLES if (name, CLIENTS[0]) in outcome.table]
    drawing, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    for axis, measure, label in (
        (axes[0], lambda run: run.per_second, "requests a second (more is better)"),
        (axes[1], lambda run: run.p50_ms, "p50 in ms (less is better)"),
    ):
        height = 0.8 / len(names)
        for position, name in enumerate(names):
            values = [measure(outcome.table[name, clients]) for clients in CLIENTS]
            places = [row + (position - (len(names) - 1) / 2) * height for row in range(len(CLIENTS))]
            bars = axis.barh(places, values, height * 0.92, color=_COLOURS[name], label=TITLES[name])
            texts = [f"{value:,.0f}" if value >= 100 else f"{value:.2f}" for value in values]
            axis.bar_label(bars, texts, padding=2, fontsize=8)
        axis.set_xscale("log")
        axis.margins(x=0.18)
        axis.set_yticks(range(len(CLIENTS)), [f"{clients} client{'s' * (clients > 1)}" for clients in CLIENTS])
        axis.invert_yaxis()
        axis.set_xlabel(label)
        axis.spines[["top", "right"]].set_visible(False)
    drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    # A white ground of its own, so that it reads on a dark page too.
    drawing.savefig(figure, metadata={"Date": None}, facecolor="white")
    plt.close(drawing)
