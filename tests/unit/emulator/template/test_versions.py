"""What makes another version of a template's function, as SAM's own transform names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.template.functions import code_rollout_steps
from emulator.template.read import load_project
from tests.unit.emulator.template.template_pieces import FUNCTION

PARAMETERS = """
Parameters:
  Revision: {Type: String, Default: ""}
  Stage: {Type: String, Default: dev}
"""
ALIAS = "      AutoPublishAlias: live\n"


def version(folder: Path, more: str = "", **parameters: str) -> tuple[str, bool]:
    """Return the logical id of the function's version, and whether other code makes another version as well."""
    path = folder / "template.yaml"
    (folder / "code").mkdir(exist_ok=True)
    path.write_text(f"Transform: AWS::Serverless-2016-10-31\n{PARAMETERS}{FUNCTION}{ALIAS}{more}")
    spec = load_project(path, parameters).functions["F"]
    return spec.version_id, spec.version_follows_code


@pytest.mark.fidelity("version-hash")
def test_without_a_hash_of_its_own_a_version_follows_the_code_and_no_parameter(tmp_path: Path) -> None:
    described = "      Description: !Sub It is ${Stage}\n"
    assert version(tmp_path, described, Stage="dev") == version(tmp_path, described, Stage="prod")
    assert version(tmp_path)[1]


@pytest.mark.fidelity("version-hash")
def test_a_hash_of_its_own_decides_alone(tmp_path: Path) -> None:
    given = "      AutoPublishCodeSha256: !Ref Revision\n"
    first, second = (version(tmp_path, given, Revision=digit * 64) for digit in "ab")
    assert first[0] != second[0]
    assert not first[1]
    assert version(tmp_path, given, Revision="a" * 64, Stage="prod") == first
    # SAM takes an empty one for none.
    assert version(tmp_path, given) == version(tmp_path)


def test_a_version_of_plain_cloudformation_is_another_one_only_by_its_name(tmp_path: Path) -> None:
    plain = """
  G:
    Type: AWS::Lambda::Function
    Properties: {Code: code, Handler: a.b, Runtime: python3.13}
  GVersion: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref G}}
  GAlias:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref G, Name: live, FunctionVersion: !GetAtt GVersion.Version}
"""
    version(tmp_path, plain)
    spec = load_project(tmp_path / "template.yaml").functions["G"]
    assert (spec.version_id, spec.version_follows_code) == ("GVersion", False)


@pytest.mark.fidelity("code-rollout")
@pytest.mark.parametrize(
    ("config", "steps"),
    [
        ("AllAtOnce", ()),
        ("Canary10Percent30Minutes", ((0.1, 1800.0),)),
        ("Linear10PercentEvery1Minute", tuple((share / 10, 60.0) for share in range(1, 10))),
        ("Linear10PercentEvery10Minutes", tuple((share / 10, 600.0) for share in range(1, 10))),
    ],
)
def test_the_steps_of_code_deploys_configurations(config: str, steps: tuple[tuple[float, float], ...]) -> None:
    assert code_rollout_steps(f"CodeDeployDefault.Lambda{config}") == steps
