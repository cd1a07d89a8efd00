"""Makes what spark-submit gets: a script, and a zip with the code of the workers and the version that scores."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_registry.reader import RegistryReader
from peerloan.errors import CommandError, UsageError
from peerloan.files import make_folder, writing
from peerloan.spark.pinned_version import ARRAYS, MANIFEST, PinnedVersion

SCRIPT, PACKAGES_ZIP = "peerloan_job.py", "peerloan_packages.zip"
# Of the shared layer; ``peerloan.spark`` comes with them.
PACKAGES = ("batch_scoring", "model_artifact", "model_registry", "model_watch")
# Zip files begin with 1980. A fixed time makes equal zips of equal code.
_TIME = (1980, 1, 1, 0, 0, 0)
_SCRIPT_TEXT = """\
import sys

if sys.version_info < (3, 11):
    sys.exit(f"Python 3.11 or newer is needed, and this is {sys.version.split()[0]}. See docs/scale.md.")

from peerloan.spark.job import main

main(sys.argv[1:])
"""


@dataclass(frozen=True)
class Shipment:
    """The files of a job in a folder."""

    folder: Path

    @property
    def script(self) -> Path:
        """What spark-submit runs."""
        return self.folder / SCRIPT

    @property
    def packages(self) -> Path:
        """What spark-submit gets as ``--py-files``."""
        return self.folder / PACKAGES_ZIP

    def command(self, submit: str, master: str | None, conf: Sequence[str], arguments: Sequence[str]) -> list[str]:
        """Return the line that runs the job."""
        options = [] if master is None else ["--master", master]
        options += [part for setting in conf for part in ("--conf", setting)]
        return [submit, *options, "--py-files", str(self.packages), str(self.script), *arguments]


def pin_version(reader: RegistryReader, version: int) -> PinnedVersion:
    """Read a version from the bucket; raise ``UsageError`` if it has no arrays."""
    manifest = reader.get_manifest(version)
    if manifest.serving_form is None:
        why = f" ({manifest.why_no_serving_form})" if manifest.why_no_serving_form else ""
        raise UsageError(
            f"Version {version} is served from its pickle{why}, and Spark's workers open no pickle. Score with "
            "peerloan score, or publish a pipeline that has arrays (docs/models.md)."
        )
    return PinnedVersion(manifest.to_json(), reader.get_serving_form(manifest))


def build_shipment(folder: Path, shared_layer: Path, version: PinnedVersion | None) -> Shipment:
    """Write the files of a job into a folder, which is made.

    ``shared_layer`` is the folder of the project's shared packages; ``version`` scores, None for a job that doesn't.
    Raises ``FileWriteError``.
    """
    make_folder(folder)
    shipment = Shipment(folder)
    package = Path(__file__).parent
    project = package.parent.parent
    files = {
        path.relative_to(shared_layer): path.read_bytes() for name in PACKAGES for path in _code(shared_layer / name)
    }
    files |= {
        path.relative_to(project): path.read_bytes() for path in (package.parent / "__init__.py", *_code(package))
    }
    if version is not None:
        files |= {Path("peerloan/spark", MANIFEST): version.manifest, Path("peerloan/spark", ARRAYS): version.arrays}
    with writing(folder), zipfile.ZipFile(shipment.packages, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name.as_posix(), _TIME), content, zipfile.ZIP_DEFLATED)
        shipment.script.write_text(_SCRIPT_TEXT)
    return shipment


def _code(package: Path) -> list[Path]:
    return sorted(package.rglob("*.py"))


def find_submit(submit: str | None, project: Path) -> str:
    """Return the spark-submit that runs jobs; raise ``UsageError`` if there is none."""
    own = project / ".spark-venv/bin/spark-submit"
    found = shutil.which(submit or (own if own.exists() else "spark-submit"))
    if found is None:
        raise UsageError(
            f"{submit or 'spark-submit'} isn't found. Install PySpark: make spark-setup. Or name another one with "
            "--submit."
        )
    return found


def run_submit(command: Sequence[str], environ: Mapping[str, str], *, is_local: bool) -> None:
    """Run spark-submit in the foreground; raise ``CommandError`` if the job fails."""
    environment = dict(environ)
    beside = Path(command[0]).parent / "python"
    if beside.exists():
        # PySpark's own script takes whatever python3 comes first.
        environment.setdefault("PYSPARK_PYTHON", str(beside))
    if is_local:
        environment.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        if "JAVA_HOME" not in environment and shutil.which("java", path=environment.get("PATH", os.defpath)) is None:
            raise UsageError(
                "Spark needs Java 17 or newer, and there is no java. On Debian or Ubuntu: "
                "apt install openjdk-17-jre-headless"
            )
    status = subprocess.run(command, env=environment, check=False).returncode
    if status:
        raise CommandError(f"The Spark job failed (exit code {status}); what it printed says why.")
