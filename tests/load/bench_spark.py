"""How fast a warm Spark session scores beside ``peerloan score``, by row and core: ``make bench-spark``.

Prints ``bench: spark-csv ratio=<x>`` and ``bench: spark-parquet ratio=<x>`` for a million rows, both ways in one run,
then the time of ``--rows`` rows of Parquet on Spark.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter

os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("", "layers/shared", "functions/predict", "tests/kit")]

from peerloan.scoring.score_csv import score_csv  # noqa: E402
from peerloan.scoring.score_parquet import score_parquet  # noqa: E402
from peerloan.scoring.targets import Targets  # noqa: E402
from spark_kit import built, generated_loans, published_version, score_arguments, submitted  # noqa: E402
from training.candidate_folder import read_candidate  # noqa: E402

CORES = 2
COMPARED_ROWS = 1_000_000
# Scores the same input some times in one session, and prints the shortest time.
WARM = """\
import json, sys, time
from pyspark.sql import SparkSession
from peerloan.spark.job import read_options, score
spark, took = SparkSession.builder.getOrCreate(), []
for _ in range(int(sys.argv[1])):
    began = time.perf_counter()
    rows = score(spark, read_options([*sys.argv[2:], "--mode", "overwrite"]))["rows"]
    took.append(time.perf_counter() - began)
print(json.dumps({"rows": rows, "seconds": min(took)}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the large run")
    parser.add_argument("--improved", type=Path, help="the folder of a trained improved model")
    options = parser.parse_args()
    version = published_version(read_candidate(options.improved)[1] if options.improved else None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shipment = built(folder / "job", version)
        shipment.script.write_text(WARM)
        frame = generated_loans(COMPARED_ROWS)
        frame.to_csv(folder / "loans.csv", index=False)
        frame.to_parquet(folder / "loans.parquet", index=False, row_group_size=100_000)
        for kind, score_file in (("csv", score_csv), ("parquet", score_parquet)):
            source, targets = folder / f"loans.{kind}", Targets(folder / f"one.{kind}", folder / "rejects.csv")
            arguments = score_arguments(source, folder / f"out-{kind}", version, kind)
            seconds = submitted(shipment, ["3", *arguments], master=f"local[{CORES}]")["seconds"]
            began = perf_counter()
            score_file(source, targets, version.load())
            alone = perf_counter() - began
            print(f"{kind}: {COMPARED_ROWS / alone:,.0f} rows a second alone, {COMPARED_ROWS / seconds:,.0f} on Spark")
            print(f"bench: spark-{kind} ratio={alone / seconds / CORES:.2f}", flush=True)
        (folder / "many").mkdir()
        for number in range(-(-options.rows // COMPARED_ROWS)):
            (folder / f"many/{number}.parquet").hardlink_to(folder / "loans.parquet")
        arguments = score_arguments(folder / "many", folder / "out-many", version, "parquet")
        done = submitted(shipment, ["1", *arguments], master=f"local[{CORES}]")
        print(f"spark: {done['rows']:,} rows in {done['seconds']:.0f} s on {CORES} cores")


if __name__ == "__main__":
    main()
