"""`make setup`: what installs an environment, and what it leaves behind when it fails.

Everything that would install is a small script here, which writes down how it was called.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

MAKE_VENV = """\
#!/bin/sh
# Stands for python3: `-m venv FOLDER` makes a folder whose python writes down its arguments.
[ "$1" = -c ] && exit 0
mkdir -p "$3/bin"
printf '#!/bin/sh\\necho "pip $*" >> calls\\n' > "$3/bin/python"
chmod +x "$3/bin/python"
exit {status}
"""
UV = """\
#!/bin/sh
[ "$1" = --version ] && exit {works}
echo "uv $*" >> calls
exit {status}
"""


class Checkout:
    """A folder with the project's Makefile and environments, and scripts in place of python3 and uv."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        shutil.copy(root / "Makefile", folder)
        shutil.copy(root / "pyproject.toml", folder)
        shutil.copytree(root / "env-setup", folder / "env-setup")
        self.write_python()
        self.write_uv()

    def write_python(self, status: int = 0) -> None:
        self.write_program("python3", MAKE_VENV.format(status=status))

    def write_uv(self, status: int = 0, works: int = 0) -> None:
        self.write_program("uv", UV.format(status=status, works=works))

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'programs'}:{os.environ['PATH']}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PIP", "UV"))}
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder, env={**environment, "PATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    @property
    def calls(self) -> list[str]:
        """Return what was installed, in order, without the questions about pip's settings."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if "pip config" not in line]

    def write_program(self, name: str, text: str) -> None:
        program = self.folder / "programs" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path, root: Path) -> Checkout:
    if shutil.which("make") is None:
        pytest.skip("make isn't installed")
    return Checkout(tmp_path, root)


def test_the_hashed_pins_are_installed_by_the_uv_on_path(checkout: Checkout) -> None:
    assert checkout.make("setup").returncode == 0
    dependencies, project = checkout.calls
    assert re.match(r"uv pip install .*--require-hashes -r env-setup/pip_requirements\.txt$", dependencies)
    assert re.match(r"uv pip install .*--no-build-isolation --no-deps -e \.$", project)
    assert (checkout.folder / ".venv/.installed").exists()


def test_without_a_uv_that_works_pip_installs_the_pinned_one_first(checkout: Checkout) -> None:
    checkout.write_uv(works=1)
    checkout.make("setup")
    assert re.match(r"pip -m pip install .*--require-hashes -r .*/pip_requirements_uv\.txt$", checkout.calls[0])


def test_pip_installs_everything_for_those_who_ask_for_it(checkout: Checkout) -> None:
    assert checkout.make("setup", "PIP=pip").returncode == 0
    assert [call.split()[0] for call in checkout.calls] == ["pip", "pip"]
    assert "--require-hashes" in checkout.calls[0]


@pytest.mark.parametrize(
    ("target", "folder", "last"),
    [
        ("setup-dev", ".venv", "--require-hashes -r env-setup/pip_requirements_dev.txt"),
        # pip and uv can't match the extras that SAM CLI asks for with hashed pins.
        ("sam-setup", ".sam-venv", "--no-deps --require-hashes -r env-setup/pip_requirements_sam.txt"),
        ("aws-cli-setup", ".aws-venv", "--require-hashes -r env-setup/pip_requirements_awscli.txt"),
    ],
)
def test_each_environment_has_its_own_pins_and_python(checkout: Checkout, target: str, folder: str, last: str) -> None:
    assert checkout.make(target).returncode == 0
    assert checkout.calls[-1].endswith(f"--python {folder}/bin/python {last}")


@pytest.mark.parametrize(("target", "folder"), [("setup", ".venv"), ("sam-setup", ".sam-venv")])
def test_an_installation_that_failed_is_done_again(checkout: Checkout, target: str, folder: str) -> None:
    checkout.write_uv(status=3)
    failed = checkout.make(target)
    assert failed.returncode != 0
    assert "make PIP=pip" in failed.stderr
    assert not (checkout.folder / folder / ".installed").exists()
    checkout.write_uv()
    assert checkout.make(target).returncode == 0
    assert (checkout.folder / folder / ".installed").exists()


@pytest.mark.parametrize("target", ["setup", "sam-setup", "aws-cli-setup"])
def test_make_names_the_package_that_debians_python_lacks_and_leaves_no_half_folder(
    checkout: Checkout, target: str
) -> None:
    checkout.write_python(status=1)
    failed = checkout.make(target)
    assert failed.returncode != 0
    assert "apt install python3-venv" in failed.stderr
    assert not list(checkout.folder.glob(".*venv"))
    checkout.write_python()
    assert checkout.make(target).returncode == 0


def test_pips_index_holds_for_uv_too(checkout: Checkout, root: Path) -> None:
    checkout.write_program("uv", '#!/bin/sh\n[ "$1" = --version ] || echo "$UV_DEFAULT_INDEX"\n')
    environment = {"PATH": f"{checkout.folder / 'programs'}:{os.environ['PATH']}", "PIP_INDEX_URL": "file:///mirror"}
    done = subprocess.run(
        [root / "env-setup/uv.sh", ".venv", "pip", "install"],
        cwd=checkout.folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "file:///mirror"


def test_no_script_of_the_environments_names_a_host(root: Path) -> None:
    scripts = [path for path in (root / "env-setup").rglob("*") if path.suffix == ".sh" or path.name == "bootstrap"]
    assert len(scripts) >= 4
    for script in scripts:
        assert "://" not in script.read_text(), script
