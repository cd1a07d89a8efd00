"""Loading a template: its file, what it includes, and the SAM transform."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from emulator.template.errors import ProjectError, TemplateError, UnsupportedError
from emulator.template.http_api_spec import CorsPolicy
from emulator.template.load import load_template
from emulator.template.read import load_project
from tests.unit.emulator.template.template_pieces import FUNCTION, FUNCTIONS, INTEGRATION, api, by_hand

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("Parameters: {P: {Type: String}}" + FUNCTION, {}, "parameter P has no default"),
        ("Parameters: {P: {Type: String, AllowedValues: [a]}}" + FUNCTION, {"P": "b"}, "allowed are a"),
        ("Parameters: {P: {Type: String, AllowedPattern: '[a-z]+'}}" + FUNCTION, {"P": "1"}, "does not match"),
        (FUNCTION.replace("Handler: app.handler", "Handlr: x"), {}, "Handlr"),
        ("Resources: {F: {Type: AWS::Serverless::Function}}", {}, "F"),
        ("Nothing: 1", {}, "has no Resources"),
        ("a: [", {}, "is not YAML"),
    ],
)
def test_a_bad_template_says_what_is_wrong(load_strictly, text: str, overrides: dict[str, str], message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ProjectError, match=message):
        load_strictly(text, **overrides)


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="doesn't exist: name one with -t"):
        load_project(tmp_path / "nothing.yaml")


def test_the_environment_stays_as_it_was(load, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    before = dict(os.environ)
    assert list(load(FUNCTION).functions) == ["F"]
    assert dict(os.environ) == before


def test_an_application_of_the_repository_is_left_out_without_asking_aws(load) -> None:  # type: ignore[no-untyped-def]
    location = "{ApplicationId: !Sub 'arn:aws:serverlessrepo:${AWS::Region}:1:applications/a', SemanticVersion: 1.0.0}"
    application = f"  A: {{Type: AWS::Serverless::Application, Properties: {{Location: {location}}}}}\n"
    project = load(FUNCTION + application)
    assert list(project.functions) == ["F"]
    assert [(part.logical_id, part.property) for part in project.left_out] == [("A", "Type")]


def test_a_function_without_code_has_the_templates_folder(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert load(FUNCTION.replace("      CodeUri: code\n", "")).functions["F"].code_dir == tmp_path.resolve()
    assert load("Globals: {Function: {CodeUri: code}}" + FUNCTION.replace("      CodeUri: code\n", "")).functions[
        "F"
    ].code_dir == (tmp_path / "code")


@pytest.mark.parametrize("path", ["!Ref Folder", "!Sub '${Folder}'", "!If [Always, code, nowhere]", "{Ref: Folder}"])
def test_a_path_may_be_an_intrinsic_function(load, tmp_path: Path, path: str) -> None:  # type: ignore[no-untyped-def]
    named = """
Parameters: {Folder: {Type: String, Default: code}, Other: {Type: String, Default: nowhere}}
Conditions: {Always: !Equals [a, a]}
Globals: {Function: {CodeUri: !Join ["", [!Ref Other]]}}
"""
    function = load(named + FUNCTION.replace("CodeUri: code", f"CodeUri: {path}")).functions["F"]
    assert function.code_dir == (tmp_path / "code").resolve()


def test_resources_keep_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("Transform: AWS::Serverless-2016-10-31\n" + by_hand("  Last: {Type: AWS::S3::Bucket}"))
    names = ["F", "Auth", "Api", "Integration", "Route", "Stage", "Last"]
    assert list(load_template(path, {}, "us-east-1").document["Resources"])[: len(names)] == names


@pytest.mark.fidelity("http-api-definitions")
def test_definitions_in_files(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    definition = f"""
        openapi: 3.0.1
        x-amazon-apigateway-cors: {{allowOrigins: "*"}}
        components: {{x-amazon-apigateway-integrations: {{one: {INTEGRATION}}}}}
        paths:
          /a:
            get: {{x-amazon-apigateway-integration: {{$ref: "#/components/x-amazon-apigateway-integrations/one"}}}}
          /b: {{x-amazon-apigateway-any-method: {{x-amazon-apigateway-integration: {INTEGRATION}}}}}
    """
    (tmp_path / "api.yaml").write_text(dedent(definition))
    included = "DefinitionBody: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: !Sub '${Name}.yaml'}}}"
    for text in (
        "Parameters: {Name: {Type: String, Default: api}}" + api(included),
        api("DefinitionUri: api.yaml"),
    ):
        (read,) = load(text).apis
        assert [route.key for route in read.stages[0].routes] == ["GET /a", "ANY /b"]
        assert read.cors == CorsPolicy(allow_origins=("*",))


def test_a_file_that_includes_itself_is_refused(load_strictly, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    include = "Fn::Transform: {Name: AWS::Include, Parameters: {Location: %s.yaml}}"
    (tmp_path / "a.yaml").write_text("x: {" + include % "b" + "}")
    (tmp_path / "b.yaml").write_text("y: {" + include % "a" + "}")
    with pytest.raises(ProjectError, match=r"a\.yaml includes itself"):
        load_strictly(api("DefinitionBody: {" + include % "a" + "}"))


def test_an_include_that_is_not_local_is_refused(load_strictly) -> None:  # type: ignore[no-untyped-def]
    for location, message in (("s3://b/k", "name a local file"), ("missing.yaml", "missing.yaml")):
        include = f"DefinitionBody: {{Fn::Transform: {{Name: AWS::Include, Parameters: {{Location: {location}}}}}}}"
        with pytest.raises(ProjectError, match=message):
            load_strictly(api(include))


def test_a_transform_that_is_not_imitated_is_named(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("Transform: [AWS::Serverless-2016-10-31, My::Macro]\n" + FUNCTIONS)
    with pytest.raises(UnsupportedError, match="My::Macro"):
        load_project(path, strict=True)
    path.write_text("Transform: {Name: AWS::Include, Parameters: {Location: a.yaml}}\n" + FUNCTIONS)
    with pytest.raises(UnsupportedError, match="AWS::Include"):
        load_project(path, strict=True)


def test_a_template_that_was_transformed_before_needs_no_transform(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Transform: AWS::Serverless-2016-10-31\n" + api("CorsConfiguration: true"))
    script = dedent(
        """
        import sys
        from pathlib import Path
        from emulator.kept_results import KeptResults
        from emulator.template.load import load_template
        document = load_template(Path(sys.argv[1]), {}, sys.argv[2], KeptResults(Path("kept"))).document
        print("samtranslator.translator" in sys.modules, list(document["Resources"].items()))
        """
    )

    def transformed(region: str = "us-east-1") -> tuple[str, str]:
        command = [sys.executable, "-c", script, str(template), region]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        was_imported, _, resources = done.stdout.partition(" ")
        return was_imported, resources

    first = transformed()
    assert first == ("True", first[1])
    assert transformed() == ("False", first[1])
    # Whatever the transform reads is part of the source.
    assert transformed("eu-west-1")[0] == "True"
    template.write_text(template.read_text().replace("CorsConfiguration: true", "FailOnWarnings: true"))
    assert transformed()[0] == "True"
