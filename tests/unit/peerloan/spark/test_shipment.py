"""What spark-submit gets: a version pinned by its arrays, and a zip that imports where nothing else is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from command_line import run_peerloan
from fitted_pipelines import records
from memory_store import InMemoryStore
from model_artifact.opening.inspection import inspect_candidate
from model_kit import dumped, small_boosted
from model_registry.errors import ArtifactMismatchError
from model_registry.reader import RegistryReader
from peerloan.errors import UsageError
from peerloan.files import FileWriteError
from peerloan.spark.pinned_version import PinnedVersion
from peerloan.spark.shipment import PACKAGES_ZIP, build_shipment, find_submit, pin_version
from registry_kit import make_candidate, make_writer

LAYER = Path(__file__).parents[4] / "layers/shared"
LOANS = [dict(record) for record in records()[:3]]


@pytest.fixture(scope="module")
def reader() -> RegistryReader:
    """A bucket with the same model twice: version 1 serves as its pickle, version 2 as arrays."""
    store = InMemoryStore()
    inspection = inspect_candidate(dumped(small_boosted()), LOANS)
    for number, used in enumerate((replace(inspection, serving_form=None), inspection)):
        writer = make_writer(store, f"spark-{number}", inspect=lambda *_, result=used: result)
        writer.publish(replace(make_candidate(dumped(small_boosted())), probe_records=tuple(LOANS)))
    return RegistryReader(store)


def test_a_version_that_is_served_from_its_pickle_is_refused(reader: RegistryReader) -> None:
    with pytest.raises(UsageError, match=r"Version 1 is served from its pickle.*peerloan score"):
        pin_version(reader, 1)


def test_arrays_of_another_version_are_refused(reader: RegistryReader) -> None:
    pinned = pin_version(reader, 2)
    with pytest.raises(ArtifactMismatchError, match="sha256"):
        PinnedVersion(pinned.manifest, pinned.arrays + b" ").load()


def test_a_folder_that_cant_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "job").touch()
    with pytest.raises(FileWriteError, match=r"job could not be written: File exists\. .*choose another place"):
        build_shipment(tmp_path / "job", LAYER, None)
    (tmp_path / "folder" / PACKAGES_ZIP).mkdir(parents=True)
    with pytest.raises(FileWriteError, match=r"folder.* could not be written: Is a directory"):
        build_shipment(tmp_path / "folder", LAYER, None)


def test_the_zip_scores_without_the_project(reader: RegistryReader, tmp_path: Path) -> None:
    shipment = build_shipment(tmp_path / "job", LAYER, pin_version(reader, 2))
    again = build_shipment(tmp_path / "again", LAYER, pin_version(reader, 2))
    assert shipment.packages.read_bytes() == again.packages.read_bytes()
    script = (
        "import pkgutil, sys\n"
        "import peerloan.spark.csv_blocks, peerloan.spark.tables\n"
        "from peerloan.spark.pinned_version import ARRAYS, MANIFEST, PinnedVersion\n"
        "files = [pkgutil.get_data('peerloan.spark', name) for name in (MANIFEST, ARRAYS)]\n"
        "print(PinnedVersion(*files).load().identity, 'peerloan_packages.zip' in peerloan.spark.__file__)\n"
        "print(sorted({'sklearn', 'pandas', 'scipy', 'joblib', 'pydantic', 'boto3'} & set(sys.modules)))\n"
    )
    # An installed project is found by site's .pth files, which -S leaves out; NumPy and pyarrow then by their folder.
    site = str(Path(pytest.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(shipment.packages), site])}
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    identity, loaded = done.stdout.splitlines()
    assert identity.startswith("late-payer 2 arrays")
    assert (identity.endswith("True"), loaded) == (True, "[]")


def test_the_zip_holds_code_and_one_version_alone(reader: RegistryReader, tmp_path: Path) -> None:
    shipment = build_shipment(tmp_path, LAYER, pin_version(reader, 2))
    names = zipfile.ZipFile(shipment.packages).namelist()
    assert {name for name in names if not name.endswith(".py")} == {
        "peerloan/spark/pinned/arrays",
        "peerloan/spark/pinned/manifest.json",
    }
    line = shipment.command("spark-submit", "local[2]", ["a=b"], ["--source", "in"])
    assert line[:5] == ["spark-submit", "--master", "local[2]", "--conf", "a=b"]
    assert line[-4:] == [str(shipment.packages), str(shipment.script), "--source", "in"]


def test_without_spark_submit_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere/spark-submit isn't found.*make spark-setup"):
        find_submit("nowhere/spark-submit", tmp_path)


def test_the_format_is_known_by_the_ending_or_must_be_said() -> None:
    done = run_peerloan("spark", "score", "loans", "out", "--version", "2")
    assert (done.returncode, "--format csv" in done.stderr) == (2, True)
