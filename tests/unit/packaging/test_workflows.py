"""The workflows of GitHub: which code they run with which rights. The rest is actionlint's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

WORKFLOWS = sorted((Path(__file__).resolve().parents[3] / ".github/workflows").glob("*.yml"))
READ_ONLY: tuple[dict[str, str], ...] = ({}, {"contents": "read"})


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load(path.read_text())["jobs"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_pinned_to_a_commit_whose_version_is_named(path: Path) -> None:
    uses = re.findall(r"uses: (.+)", path.read_text())
    assert uses
    assert [name for name in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", name)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_and_each_job_ends(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] in READ_ONLY
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 60


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_command_holds_an_expression_whose_text_would_be_run(path: Path) -> None:
    steps = [step for job in jobs(path).values() for step in job["steps"]]
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


def test_only_the_deployment_asks_for_a_token_in_an_environment_that_can_be_protected() -> None:
    with_token = {
        (path.stem, name): job
        for path in WORKFLOWS
        for name, job in jobs(path).items()
        if "id-token" in job.get("permissions", {})
    }
    assert list(with_token) == [("deploy", "deploy")]
    assert with_token["deploy", "deploy"]["environment"]
    assert with_token["deploy", "deploy"]["permissions"] == {"contents": "read", "id-token": "write"}


def test_each_environment_that_can_be_chosen_is_one_of_samconfig(root: Path) -> None:
    # PyYAML reads the key `on` as true.
    deploy = yaml.safe_load((root / ".github/workflows/deploy.yml").read_text())
    assert deploy[True]["workflow_dispatch"]["inputs"]["environment"]["options"] == ["dev", "prod"]
    environments = re.findall(r"^\[(\w+)\.deploy\.parameters\]", (root / "samconfig.toml").read_text(), re.MULTILINE)
    assert {"default", "prod"} <= set(environments)
