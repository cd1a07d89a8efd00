"""What tests and the benchmark of Spark share: a version with arrays, generated loans, runs of spark-submit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fitted_pipelines import records
from memory_store import InMemoryStore
from model_artifact.opening.inspection import inspect_candidate
from model_kit import dumped, small_boosted
from model_registry.candidate import Candidate
from model_registry.reader import RegistryReader
from peerloan.spark.pinned_version import PinnedVersion
from peerloan.spark.shipment import Shipment, build_shipment, pin_version
from registry_kit import make_candidate, make_writer
from training.loans import sample_data

PROJECT = Path(__file__).parents[2]
SPARK_VENV = PROJECT / ".spark-venv"
LAYER = PROJECT / "layers/shared"
_JOBS = """\
import json, sys
from peerloan.spark.job import main

for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as error:
        print(error, flush=True)
"""
_CONF = ("spark.ui.enabled=false", "spark.driver.memory=2g")


def published_version(candidate: Candidate | None = None) -> PinnedVersion:
    """Publish a model, a small one by default, and return it as it ships."""
    if candidate is None:
        loans = tuple(dict(record) for record in records()[:3])
        candidate = replace(make_candidate(dumped(small_boosted())), probe_records=loans)
    inspection = inspect_candidate(candidate.pickle, candidate.probe_records)
    writer = make_writer(store := InMemoryStore(), inspect=lambda *_: inspection)
    version = writer.publish(candidate).manifest.version
    return pin_version(RegistryReader(store), version)


def generated_loans(rows: int) -> pd.DataFrame:
    """Return generated loans, each with an id with zeros in front; one in fifty thousand can't be scored."""
    frame = sample_data.generate()[0].drop(columns="is_late")
    frame = pd.concat([frame] * (rows // len(frame) + 1), ignore_index=True).head(rows)
    frame.insert(0, "loan_id", [f"{number:010}" for number in range(rows)])
    frame["dti"] = np.where(np.arange(rows) % 50_000 == 25_000, 5_000.0, frame["dti"])
    return frame


def built(folder: Path, version: PinnedVersion | None) -> Shipment:
    """Build a job's files."""
    return build_shipment(folder, LAYER, version)


def score_arguments(
    source: Path, out: Path, version: PinnedVersion, file_format: str, warnings: str = "no"
) -> list[str]:
    """Return the arguments of a job that scores."""
    arguments = ["--job", "score", "--source", str(source), "--out", str(out), "--rejects", f"{out}.rejects"]
    return [*arguments, "--sha256", version.sha256, "--format", file_format, "--warnings", warnings]


def submitted(
    shipment: Shipment, arguments: Sequence[str], *, master: str = "local[2]", conf: Sequence[str] = ()
) -> dict[str, Any]:
    """Run a job, and return the figures that it prints."""
    done = _run(shipment, arguments, master, conf)
    assert done.returncode == 0, done.stderr[-4000:]
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def submitted_in_turn(shipment: Shipment, jobs: Sequence[Sequence[str]]) -> list[str]:
    """Run jobs in one session, and return the line that each one prints: its figures, or why it can't be done.

    The shipment's script is replaced.
    """
    shipment.script.write_text(_JOBS)
    done = _run(shipment, [json.dumps(jobs)], "local[2]", ())
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()


def _run(
    shipment: Shipment, arguments: Sequence[str], master: str, conf: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    words = shipment.command(str(SPARK_VENV / "bin/spark-submit"), master, [*_CONF, *conf], arguments)
    environ = {
        **os.environ,
        "PYSPARK_PYTHON": str(SPARK_VENV / "bin/python"),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }
    environ.pop("PYTHONPATH", None)
    # In a folder without the project's packages: workers import from there before they look into the zip.
    return subprocess.run(
        words, env=environ, cwd=shipment.folder, capture_output=True, text=True, timeout=900, check=False
    )


def why_no_spark() -> str | None:
    """Return what is missing to run Spark, None if nothing is."""
    if not (SPARK_VENV / "bin/spark-submit").exists():
        return "PySpark isn't installed: make spark-setup"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "Spark needs Java 17 or newer: apt install openjdk-17-jre-headless"
    return None
