"""``peerloan deploy`` and ``code prune`` by a stack's name: real clients of moto's CloudFormation, S3 and Lambda."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from command_line import run_peerloan
from peerloan.deployment.package import MAX_DIRECT_BYTES
from peerloan.deployment.shipping import PACKAGE_PREFIX
from peerloan.deployment.shipping import deploy as deploy_code
from peerloan.errors import DeploymentError

STACK = "late-payers"
BUCKET = "late-payers-models"
ASSUME = {"Version": "2012-10-17", "Statement": []}


def zipped(content: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("app.py", content)
    return target.getvalue()


class Account:
    """An account with the stack: a bucket from CloudFormation, and a function whose first version is live."""

    def __init__(self) -> None:
        self.cloudformation = boto3.client("cloudformation")
        self.functions = boto3.client("lambda")
        self.buckets = boto3.client("s3")
        self.buckets.create_bucket(Bucket="packages")
        self.buckets.put_object(Bucket="packages", Key="first.zip", Body=zipped("first"))
        self.cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(self.template()))
        self.name = self.functions.list_functions()["Functions"][0]["FunctionName"]
        self.functions.publish_version(FunctionName=self.name)
        self.functions.create_alias(FunctionName=self.name, Name="live", FunctionVersion="1")

    @staticmethod
    def template() -> dict[str, Any]:
        function = {
            "Code": {"S3Bucket": "packages", "S3Key": "first.zip"}, "Handler": "app.handler", "Runtime": "python3.13",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        }  # fmt: skip
        properties = {
            "Role": ("AWS::IAM::Role", {"AssumeRolePolicyDocument": ASSUME}),
            "ModelBucket": (
                "AWS::S3::Bucket",
                {"BucketName": BUCKET, "VersioningConfiguration": {"Status": "Enabled"}},
            ),
            "PredictFunction": ("AWS::Lambda::Function", function),
        }
        return {
            "Resources": {name: {"Type": kind, "Properties": values} for name, (kind, values) in properties.items()},
            "Outputs": {
                # moto makes no alias; its Ref has this form.
                "PredictFunction": {"Value": {"Fn::Sub": "${PredictFunction.Arn}:live"}},
                "ModelBucket": {"Value": {"Ref": "ModelBucket"}},
            },
        }

    def live(self) -> str:
        return str(self.functions.get_alias(FunctionName=self.name, Name="live")["FunctionVersion"])

    def versions(self) -> list[str]:
        answer = self.functions.list_versions_by_function(FunctionName=self.name)
        return [entry["Version"] for entry in answer["Versions"] if entry["Version"] != "$LATEST"]

    def publish(self, content: str) -> str:
        self.functions.update_function_code(FunctionName=self.name, ZipFile=zipped(content))
        return str(self.functions.publish_version(FunctionName=self.name)["Version"])


@pytest.fixture
def account() -> Iterator[Account]:
    with mock_aws():
        yield Account()


def code_folder(folder: Path, *, large: bool = False) -> str:
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text("changed")
    if large:  # Bytes that no packing makes smaller.
        (folder / "code" / "library.so").write_bytes(os.urandom(MAX_DIRECT_BYTES + 1000))
    return str(folder / "code")


def deploy(folder: Path, *words: str, large: bool = False) -> Any:
    return run_peerloan(
        "--state-dir", str(folder / "state"), "deploy", "--code", code_folder(folder, large=large), *words
    )


def test_the_stack_names_the_function_and_the_alias(account: Account, tmp_path: Path) -> None:
    done = deploy(tmp_path, "--stack", STACK)
    assert done.returncode == 0, done.stderr
    assert account.live() == "2"
    assert "'live' -> version 2, before that 1" in done.stdout
    assert "CloudFormation doesn't know of version 2" in done.stderr
    assert "'make deploy' from the same source brings both together again" in done.stderr


def test_a_package_over_50_mb_goes_through_the_stacks_bucket(account: Account, tmp_path: Path) -> None:
    done = deploy(tmp_path, "--stack", STACK, "--json", large=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["version"], account.live()) == ("2", "2")
    assert result["package_bytes"] > MAX_DIRECT_BYTES
    (package,) = account.buckets.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert package["Key"].startswith(PACKAGE_PREFIX)
    assert package["Size"] == result["package_bytes"]


def test_a_package_for_aws_is_never_sent_to_the_local_bucket(account: Account, tmp_path: Path) -> None:
    """With ``--code-bucket`` alone the bucket is on AWS where Lambda is, although a command's models are local."""
    address = "https://lambda.us-east-1.amazonaws.com"
    words = ("--endpoint-url", address, "--function", account.name, "--code-bucket", BUCKET)
    done = deploy(tmp_path, *words, large=True)
    assert done.returncode == 0, done.stderr
    assert account.live() == "2"
    assert account.buckets.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--stack", "nobody"], 1, "Stack nobody: ValidationError"),
        (["--stack", ""], 2, "--stack is empty"),
        (["--stack", STACK, "--ready-within", "nan"], 2, "not a valid int"),
        (["--stack", STACK, "--function", "f", "--code-bucket", "b"], 2, "leave out --function, --code-bucket"),
        (["--endpoint-url", "https://lambda.us-east-1.amazonaws.com"], 1, "Name the function with --function"),
        (["--endpoint-url", "https://lambda.us-east-1.amazonaws.com", "--function", "{name}"], 1, "with --code-bucket"),
        (
            [
                "--endpoint-url",
                "https://lambda.us-east-1.amazonaws.com",
                "--function",
                "{name}",
                "--code-bucket",
                "none",
            ],
            1,
            "Bucket none: 404",
        ),
    ],
)
def test_names_size_and_bucket_are_checked_before_packing(
    account: Account, tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    done = deploy(tmp_path, *(word.format(name=account.name) for word in words), large=True)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert "Packing" not in done.stderr
    assert (account.live(), account.versions()) == ("1", ["1"])


def test_another_deployments_code_is_not_published_as_ones_own() -> None:
    # A session of its own: the default one would keep its credentials for the tests after this one.
    client = boto3.Session().client("lambda")
    with Stubber(client) as answers:
        answers.add_response("get_alias", {"FunctionVersion": "1", "RevisionId": "r"})
        answers.add_response("update_function_code", {"CodeSha256": "mine"})
        answers.add_response("get_function", {"Configuration": {"LastUpdateStatus": "Successful"}})
        answers.add_client_error("publish_version", "InvalidParameterValueException", "CodeSHA256 (mine) is different")
        with pytest.raises(DeploymentError, match="Another deployment has changed the code meanwhile"):
            deploy_code(client, "f", "live", {"ZipFile": b""}, ready_within_s=1)
        answers.assert_no_pending_responses()


def test_a_bucket_of_another_region_is_refused(account: Account, tmp_path: Path) -> None:
    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    address = "https://lambda.us-east-1.amazonaws.com"
    words = ("--endpoint-url", address, "--function", account.name, "--code-bucket", "elsewhere")
    done = deploy(tmp_path, *words, large=True)
    assert done.returncode == 1
    assert "elsewhere is in eu-west-1, and Lambda takes code from a bucket in its own region, us-east-1" in done.stderr


def test_a_stack_that_is_another_projects_is_refused(account: Account, tmp_path: Path) -> None:
    template = {"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}
    account.cloudformation.create_stack(StackName="other", TemplateBody=json.dumps(template))
    done = deploy(tmp_path, "--stack", "other")
    assert (done.returncode, "The stack other has no output PredictFunction and no ModelBucket" in done.stderr) == (
        1,
        True,
    )


def test_the_local_stacks_credentials_never_sign_a_request_to_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    done = deploy(tmp_path, "--stack", STACK)
    assert done.returncode == 1
    assert "Log in to AWS" in done.stderr


def test_prune_keeps_the_newest_and_those_of_aliases(account: Account, tmp_path: Path) -> None:
    for number in range(2, 8):
        assert account.publish(f"content {number}") == str(number)
    weights = {"AdditionalVersionWeights": {"3": 0.1}}
    account.functions.update_alias(FunctionName=account.name, Name="live", FunctionVersion="4", RoutingConfig=weights)
    prune = ("--state-dir", str(tmp_path), "code", "prune", "--keep", "2", "--stack", STACK)
    planned = run_peerloan(*prune, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "would delete versions 5, 2, 1\n" in planned.stdout
    assert len(account.versions()) == 7
    done = run_peerloan(*prune, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["deleted"] == ["5", "2", "1"]
    assert result["kept"] == {"7": "new", "6": "new", "4": "live", "3": "live"}
    assert sorted(account.versions()) == ["3", "4", "6", "7"]
    again = run_peerloan(*prune)
    assert "deleted no version" in again.stdout
