"""What makes another version of the function: SAM's own transform of ``template.yaml``, given a revision."""

from __future__ import annotations

import copy
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

_CODE = {
    "PredictFunction": "CodeUri",
    "OperateFunction": "CodeUri",
    "CheckFunction": "CodeUri",
    "ScoreFilesFunction": "CodeUri",
    "SharedLayer": "ContentUri",
}
_FUNCTION = "PredictFunction"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Something that ``sam build`` could have left."""
    for name in ("PredictFunction/predict_api/main.py", "SharedLayer/python/model_registry/names.py", "template.yaml"):
        path = tmp_path / "build" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    shutil.copyfile(Path(__file__).resolve().parents[3] / "template.yaml", path)
    return tmp_path / "build"


def transformed(template: dict[str, Any], parameters: Mapping[str, str], layer: str = "layer") -> dict[str, Any]:
    """Return the resources of the template as CloudFormation gets them."""
    document = copy.deepcopy(template)
    for name, code in _CODE.items():
        document["Resources"][name]["Properties"][code] = f"s3://code/{layer if name == 'SharedLayer' else name}"
    translator = Translator(None, Parser(), boto_session=boto3.Session(region_name="eu-central-1"))  # type: ignore[no-untyped-call]
    return translator.translate(document, dict(parameters))["Resources"]  # type: ignore[no-any-return,no-untyped-call]


def version_of(resources: dict[str, Any]) -> str:
    """Return the logical id of the function's version, to which its alias points."""
    (version,) = (name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version")
    assert resources[f"{_FUNCTION}Aliaslive"]["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}
    return version


def another_value(parameter: dict[str, Any]) -> str:
    """Return a value other than a parameter's default."""
    allowed = [str(value) for value in parameter.get("AllowedValues", ())]
    return next((value for value in allowed if value != str(parameter["Default"])), f"{parameter['Default']}1")


def test_each_parameters_new_value_is_another_version(
    deploy: ModuleType, template: dict[str, Any], built: Path
) -> None:
    versions = {}
    for name in (None, *template["Parameters"]):
        if name == "Revision":
            continue
        given = {} if name is None else {name: another_value(template["Parameters"][name])}
        given["Revision"] = deploy.built_revision(built, given)
        versions[name] = version_of(transformed(template, given))
    assert len(set(versions.values())) == len(versions)


@pytest.mark.parametrize(
    "changed", ["PredictFunction/predict_api/main.py", "SharedLayer/python/model_registry/names.py"]
)
def test_new_code_in_the_function_or_the_layer_is_another_version_and_the_same_code_is_none(
    deploy: ModuleType, template: dict[str, Any], built: Path, changed: str
) -> None:
    versions = []
    for content in ("as it was", "as it was", "new"):
        (built / changed).write_text(content)
        versions.append(version_of(transformed(template, {"Revision": deploy.built_revision(built, {})})))
    assert versions[0] == versions[1] != versions[2]


def test_a_new_version_is_not_refused_by_lambda_as_the_same_as_the_last(template: dict[str, Any]) -> None:
    # Lambda publishes nothing where neither code nor configuration differ, and CloudFormation fails then.
    descriptions = [
        transformed(template, {"Revision": digit * 64})[_FUNCTION]["Properties"]["Description"] for digit in "ab"
    ]
    assert descriptions[0] != descriptions[1]


def test_the_layers_new_content_is_a_new_layer_version_that_both_functions_use(template: dict[str, Any]) -> None:
    layers = set()
    for content in ("old", "new"):
        resources = transformed(template, {}, layer=content)
        (layer,) = (name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::LayerVersion")
        for function in (_FUNCTION, "OperateFunction"):
            assert resources[function]["Properties"]["Layers"] == [{"Ref": layer}]
        layers.add(layer)
    assert len(layers) == 2


@pytest.mark.parametrize("strategy", ["AllAtOnce", "Canary10Percent5Minutes", "Linear10PercentEvery1Minute"])
def test_code_deploy_shifts_the_alias_by_the_strategy_after_a_check_and_by_alarms_without_a_circle(
    template: dict[str, Any], strategy: str
) -> None:
    assert strategy in template["Parameters"]["DeploymentStrategy"]["AllowedValues"]
    resources = transformed(template, {"DeploymentStrategy": strategy})
    update = resources[f"{_FUNCTION}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert update["BeforeAllowTrafficHook"] == {"Ref": "CheckFunction"}
    group = resources[update["DeploymentGroupName"]["Ref"]]["Properties"]
    name, values = group["DeploymentConfigName"]["Fn::Sub"]
    assert name.replace("${ConfigName}", values["ConfigName"]) == f"CodeDeployDefault.Lambda{strategy}"
    watched = {alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]}
    assert watched == {"VersionErrorsAlarm", "ServerErrorsAlarm"}
    # What the alias waits for must not name the alias.
    before, waiting = set(), [f"{_FUNCTION}Aliaslive"]
    while waiting:
        for name in set(re.findall(r"\w+", json.dumps(resources[waiting.pop()]))) & resources.keys() - before:
            assert name != f"{_FUNCTION}Aliaslive" or not before
            before.add(name)
            waiting.append(name)


def test_code_deploy_may_call_the_check_which_asks_the_version_of_this_deployment(template: dict[str, Any]) -> None:
    resources = transformed(template, {"Revision": "a" * 64})
    check = resources["CheckFunction"]["Properties"]
    # The managed policy of CodeDeploy's role names this prefix.
    assert check["FunctionName"]["Fn::Sub"].startswith("CodeDeployHook_")
    assert check["Environment"]["Variables"]["NEW_VERSION"] == {"Ref": version_of(resources)}


def test_a_deployment_without_a_revision_is_refused(template: dict[str, Any]) -> None:
    assert template["Parameters"]["Revision"]["Default"] == "none"
    (assertion,) = template["Rules"]["RevisionIsGiven"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Revision"}, "none"]}]}
    assert "make deploy" in assertion["AssertDescription"]


def test_a_file_moved_or_cut_elsewhere_is_another_revision(deploy: ModuleType, tmp_path: Path) -> None:
    contents: list[dict[str, str]] = [{"a": "bc"}, {"ab": "c"}, {"a": "b", "c": ""}, {"a": "b", "b": "c"}, {"a/b": "c"}]
    revisions = []
    for number, files in enumerate(contents):
        for name, text in files.items():
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        revisions.append(deploy.built_revision(tmp_path / str(number), {}))
    assert all(one != other for one, other in itertools.combinations(revisions, 2))


def run(folder: Path, built: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the script beside a `sam` that notes its arguments; return how it ended, and the arguments."""
    root = Path(__file__).resolve().parents[3]
    (folder / ".aws-sam").mkdir(exist_ok=True)
    if not (folder / ".aws-sam/build").exists() and built.exists():
        built.rename(folder / ".aws-sam/build")
    (folder / "samconfig.toml").write_text((root / "samconfig.toml").read_text())
    sam = folder / "sam"
    sam.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > arguments\nexit 7\n')
    sam.chmod(0o755)
    ended = subprocess.run(
        [sys.executable, str(root / "env-setup/deploy.py"), *words],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    arguments = folder / "arguments"
    return ended, arguments.read_text().splitlines() if arguments.exists() else []


def test_it_hands_sam_the_parameters_of_samconfig_with_those_given_and_the_revision(
    tmp_path: Path, built: Path
) -> None:
    ended, arguments = run(tmp_path, built, "--config-env", "prod", "MemorySize=3008", "LogRetentionDays=400")
    assert ended.returncode == 7, ended.stderr
    tags = arguments.index("--tags")
    given = dict(
        word.replace('"', "").split("=") for word in arguments[arguments.index("--parameter-overrides") + 1 : tags]
    )
    assert arguments[tags + 1 :] == ["Project=late-payer", "Stage=prod"]
    revision = given.pop("Revision")
    strategy = {"DeploymentStrategy": "Canary10Percent5Minutes"}
    # A stack that was on arm64 would stay there, with libraries for x86_64, if this weren't named.
    assert given.pop("Architecture") == "x86_64"
    assert given == {"Stage": "prod", "LogRetentionDays": "400", "MemorySize": "3008", **strategy}
    assert len(revision) == 64
    assert f"Revision {revision}" in ended.stdout
    # Named by its whole path: SAM CLI looks for a relative one beside the built template.
    assert arguments[arguments.index("--config-file") + 1] == str(tmp_path / "samconfig.toml")


def test_values_reach_sam_in_the_quotes_that_it_reads(tmp_path: Path, built: Path) -> None:
    # SAM CLI would cut JwtAudience='it'"'"'s', as a shell quotes it, to "it".
    _, arguments = run(tmp_path, built, "JwtAudience=it's", 'ModelName=a "b"', "JwtIssuer=")
    assert {'JwtAudience="it\'s"', r'ModelName="a \"b\""', 'JwtIssuer=""'} <= set(arguments)


def test_renewing_is_another_revision_of_the_same_build(tmp_path: Path, built: Path) -> None:
    revisions = [run(tmp_path, built, *words)[0].stdout for words in ((), (), ("--renew",), ("--renew",))]
    assert revisions[0] == revisions[1]
    assert len(set(revisions)) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--config-env", "test"], "no environment test to deploy; it has default, prod, image"),
        (["MemorySize"], "NAME=VALUE, not 'MemorySize'"),
        (["JwtAudience=a\\b"], "SAM CLI changes backslashes in values; JwtAudience can't have one"),
        (["--config-env", "image"], "run sam build first"),
        # SAM CLI leaves out what the template lacks, and ends well.
        (["MemorySze=3008"], "The template has no parameter MemorySze; did you mean MemorySize?"),
        (["Colour=red"], "The template has no parameter Colour; it has ModelBucketName, "),
    ],
)
def test_what_it_refuses_before_it_calls_sam(tmp_path: Path, built: Path, words: list[str], says: str) -> None:
    ended, arguments = run(tmp_path, built, *words)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert arguments == []


@pytest.mark.parametrize(("machine", "architecture"), [(0x3E, "x86_64"), (0xB7, "arm64")])
def test_libraries_of_another_architecture_are_refused_before_anything_is_deployed(
    tmp_path: Path, built: Path, machine: int, architecture: str
) -> None:
    library = built / "PredictFunction/numpy/core.cpython-313-linux-gnu.so"
    library.parent.mkdir()
    library.write_bytes(b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little") + bytes(40))
    other = {"x86_64": "arm64", "arm64": "x86_64"}[architecture]
    ended, arguments = run(tmp_path, built, f"Architecture={other}")
    assert (ended.returncode, arguments) == (2, [])
    assert f"built for {architecture}, but Architecture is {other}" in ended.stderr
    ended, arguments = run(tmp_path, built, f"Architecture={architecture}")
    assert f'Architecture="{architecture}"' in arguments


def test_without_the_parameter_it_compares_with_the_templates_default(
    deploy: ModuleType, template: dict[str, Any], built: Path
) -> None:
    (built / "a.so").write_bytes(b"\x7fELF" + bytes(14) + b"\x3e\x00")
    config = {"default": {"deploy": {"parameters": {"parameter_overrides": "Stage=dev"}}}}
    _, parameters = deploy.deployment(config, "default", [])
    assert parameters["Architecture"] == template["Parameters"]["Architecture"]["Default"] == "x86_64"
    deploy.check_architecture(built, parameters)
    _, parameters = deploy.deployment(config, "default", ["Architecture=arm64"])
    with pytest.raises(deploy.DeployError, match="PREDICT_ARCHITECTURE=arm64"):
        deploy.check_architecture(built, parameters)
