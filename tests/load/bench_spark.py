"""How fast a warm Spark session scores beside ``peerloan score``: ``make bench-spark``.

Prints for each model and a million rows of CSV and of Parquet, both ways in one run::

    <model>-csv: <x> rows a second and core alone, <y> on Spark
    <model>-csv: <x> rows a processor second alone, <y> on Spark
    bench: spark-<model>-csv ratio=<x> processor=<y>

``peerloan score`` is one process, and gets one thread: its core is one. Spark is ``local[2]``, two tasks at once. Each
of these keeps a thread of the JVM and a Python worker busy, so Spark needs two cores, and counts as two. ``ratio``
compares rows a second and core by the clock, and means nothing unless the machine has two idle cores. ``processor``
compares the processor time of all processes, the JVM's compiler and garbage collector included; other work on the
machine disturbs it less.

Both ways score the same input, and are measured when warm: the median of three runs, after five runs of the same job
in the same session, and after one run of ``peerloan score`` in the same process. Starting Spark and Python, and loading
the version for ``peerloan score``, isn't measured. One row in 50,000 can't be scored. Both write Parquet by snappy.

At last it prints the time of ``--rows`` rows of Parquet by the last model in a new session, from when this is up.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("", "layers/shared", "functions/predict", "tests/kit")]

import pyarrow  # noqa: E402

from batch_scoring.scores import VersionScorer  # noqa: E402
from peerloan.scoring.score_csv import score_csv  # noqa: E402
from peerloan.scoring.score_parquet import score_parquet  # noqa: E402
from peerloan.scoring.targets import Targets  # noqa: E402
from peerloan.spark.pinned_version import PinnedVersion  # noqa: E402
from peerloan.spark.shipment import Shipment  # noqa: E402
from spark_kit import built, generated_loans, published_version, score_arguments, submitted  # noqa: E402
from training.candidate_folder import read_candidate  # noqa: E402

CORES = 2
COMPARED_ROWS = 1_000_000
WARM_UPS, RUNS = 5, 3
# Scores the same input some times in one session, and prints the medians after the first times.
WARM = """\
import glob, json, os, statistics, sys, time
from pyspark.sql import SparkSession
from peerloan.spark.job import read_options, score


def processor_seconds():
    # Of the JVM, which is this process's parent, and of all below it, the ended ones included.
    stats = {}
    for name in glob.glob("/proc/[0-9]*/stat"):
        try:
            text = open(name).read()
        except OSError:
            continue
        stats[int(name.split("/")[2])] = text.rpartition(")")[2].split()
    family = {os.getppid()}
    while more := {pid for pid, fields in stats.items() if int(fields[1]) in family} - family:
        family |= more
    return sum(int(ticks) for pid in family & set(stats) for ticks in stats[pid][11:15]) / os.sysconf("SC_CLK_TCK")


spark, took = SparkSession.builder.getOrCreate(), []
warm_ups, runs = map(int, sys.argv[1:3])
for _ in range(warm_ups + runs):
    began = time.perf_counter(), processor_seconds()
    rows = score(spark, read_options([*sys.argv[3:], "--mode", "overwrite"]))["rows"]
    took.append((time.perf_counter() - began[0], processor_seconds() - began[1]))
seconds, processor = map(statistics.median, zip(*took[warm_ups:]))
print(json.dumps({"rows": rows, "seconds": seconds, "processor": processor}))
"""


def measured_alone(score: Callable[[], object]) -> tuple[float, float]:
    """Return the medians of the seconds and of the processor's seconds, after one run more."""
    took = []
    for _ in range(1 + RUNS):
        began = perf_counter(), process_time()
        score()
        took.append((perf_counter() - began[0], process_time() - began[1]))
    seconds, processor = zip(*took[1:], strict=True)
    return median(seconds), median(processor)


def score_afresh(score_file: Callable[..., object], source: Path, targets: Targets, scorer: VersionScorer) -> None:
    """Score a file from its beginning: without the journal of an earlier run."""
    targets.journal.unlink(missing_ok=True)
    score_file(source, targets, scorer)


def compare(name: str, source: Path, version: PinnedVersion, shipment: Shipment) -> None:
    """Score a file both ways, and print how fast each was."""
    kind = source.suffix.removeprefix(".")
    targets = Targets(source.with_name(f"one-{name}"), source.with_name("rejects.csv"))
    arguments = score_arguments(source, source.with_name(f"out-{name}"), version, kind)
    on_spark = submitted(shipment, [str(WARM_UPS), str(RUNS), *arguments], master=f"local[{CORES}]")
    score_file = {"csv": score_csv, "parquet": score_parquet}[kind]
    seconds, processor = measured_alone(partial(score_afresh, score_file, source, targets, version.load()))
    alone, spark = COMPARED_ROWS / seconds, COMPARED_ROWS / on_spark["seconds"] / CORES
    print(f"{name}: {alone:,.0f} rows a second and core alone, {spark:,.0f} on Spark")
    alone_processor, spark_processor = COMPARED_ROWS / processor, COMPARED_ROWS / on_spark["processor"]
    print(f"{name}: {alone_processor:,.0f} rows a processor second alone, {spark_processor:,.0f} on Spark")
    ratios = spark / alone, spark_processor / alone_processor
    print(f"bench: spark-{name} ratio={ratios[0]:.2f} processor={ratios[1]:.2f}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the large run")
    parser.add_argument(
        "--model", type=Path, action="append", help="the folder of a trained model; a small one if none"
    )
    options = parser.parse_args()
    pyarrow.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame = generated_loans(COMPARED_ROWS)
        frame.to_csv(folder / "loans.csv", index=False)
        frame.to_parquet(folder / "loans.parquet", index=False, row_group_size=100_000)
        models = {path.name: read_candidate(path)[1] for path in options.model or ()} or {"small": None}
        for model, candidate in models.items():
            version = published_version(candidate)
            shipment = built(folder / model, version)
            shipment.script.write_text(WARM)
            for kind in ("csv", "parquet"):
                compare(f"{model}-{kind}", folder / f"loans.{kind}", version, shipment)
        (folder / "many").mkdir()
        for number in range(-(-options.rows // COMPARED_ROWS)):
            (folder / f"many/{number}.parquet").hardlink_to(folder / "loans.parquet")
        arguments = score_arguments(folder / "many", folder / "out-many", version, "parquet")
        done = submitted(shipment, ["0", "1", *arguments], master=f"local[{CORES}]")
        print(
            f"spark: {done['rows']:,} rows in {done['seconds']:.0f} s on {CORES} cores "
            f"({done['processor']:.0f} s of processor time)"
        )


if __name__ == "__main__":
    main()
