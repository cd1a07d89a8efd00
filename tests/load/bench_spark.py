"""How fast a warm Spark session scores beside ``peerloan score``: ``make bench-spark``.

Prints for each model and a million rows of CSV and of Parquet, both ways in one run::

    <model>-csv: <x> rows a second and core by peerloan score, <y> on Spark
    <model>-csv: <x> rows a processor second by peerloan score, <y> on Spark
    bench: spark-<model>-csv ratio=<x> processor=<y>

Both ways keep two cores busy. ``peerloan score`` is one process of one thread, so two of them run beside each other,
each with a file of its own. Spark is ``local[2]``, two tasks at once; each of these keeps a thread of the JVM and a
Python worker busy. ``ratio`` compares rows a second and core by the clock, and means nothing unless the machine has two
idle cores. ``processor`` compares the processor time of all processes, the JVM's compiler and garbage collector
included; other work on the machine disturbs it less.

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
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from time import perf_counter, process_time

os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("", "layers/shared", "functions/predict", "tests/kit")]

import pyarrow  # noqa: E402

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


def scored(source: Path, number: int, version: PinnedVersion) -> tuple[float, float]:
    """Score a file some times by one process and one thread; return the medians of its seconds and processor seconds.

    ``number`` tells this process's outputs from those of the others.
    """
    pyarrow.set_cpu_count(1)
    targets = Targets(source.with_name(f"one-{source.suffix[1:]}-{number}"), source.with_name(f"rejects-{number}.csv"))
    score_file = {".csv": score_csv, ".parquet": score_parquet}[source.suffix]
    scorer, took = version.load(), []
    for _ in range(1 + RUNS):
        # From the beginning, without the journal of an earlier run.
        targets.journal.unlink(missing_ok=True)
        began = perf_counter(), process_time()
        score_file(source, targets, scorer)
        took.append((perf_counter() - began[0], process_time() - began[1]))
    seconds, processor = zip(*took[1:], strict=True)
    return median(seconds), median(processor)


def compare(name: str, source: Path, version: PinnedVersion, shipment: Shipment) -> None:
    """Score a file both ways, and print how fast each was."""
    kind = source.suffix.removeprefix(".")
    arguments = score_arguments(source, source.with_name(f"out-{name}"), version, kind)
    on_spark = submitted(shipment, [str(WARM_UPS), str(RUNS), *arguments], master=f"local[{CORES}]")
    with get_context("spawn").Pool(CORES) as pool:
        took = pool.starmap(scored, [(source, number, version) for number in range(CORES)], chunksize=1)
    by_score = [mean(COMPARED_ROWS / seconds for seconds in times) for times in zip(*took, strict=True)]
    by_spark = COMPARED_ROWS / on_spark["seconds"] / CORES, COMPARED_ROWS / on_spark["processor"]
    for one, other, unit in zip(by_score, by_spark, ("second and core", "processor second"), strict=True):
        print(f"{name}: {one:,.0f} rows a {unit} by peerloan score, {other:,.0f} on Spark")
    ratios = [other / one for one, other in zip(by_score, by_spark, strict=True)]
    print(f"bench: spark-{name} ratio={ratios[0]:.2f} processor={ratios[1]:.2f}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the large run")
    parser.add_argument(
        "--model", type=Path, action="append", help="the folder of a trained model; a small one if none"
    )
    options = parser.parse_args()
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
