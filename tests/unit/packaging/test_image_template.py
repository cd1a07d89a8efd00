"""The template of the container image is ``template.yaml`` but for what an image brings itself."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse


@pytest.fixture
def derived(image_template: ModuleType, template: dict[str, Any]) -> dict[str, Any]:
    return image_template.image_template(template)


def test_the_function_is_an_image_and_otherwise_as_it_was(derived: dict[str, Any], template: dict[str, Any]) -> None:
    of_zip = template["Resources"]["PredictFunction"]["Properties"]
    of_image = derived["Resources"]["PredictFunction"]["Properties"]
    left_out = {name for name in of_zip if name not in of_image}
    assert left_out == {"CodeUri", "Handler", "Runtime", "Layers"}
    assert of_image == {**{name: of_zip[name] for name in of_zip if name not in left_out}, "PackageType": "Image"}


def test_everything_else_is_as_it_was_and_found_from_the_images_folder(
    derived: dict[str, Any], template: dict[str, Any], root: Path
) -> None:
    functions = ("OperateFunction", "CheckFunction", "ScoreFilesFunction")
    for name, folder in (("SharedLayer", "ContentUri"), *((function, "CodeUri") for function in functions)):
        written = derived["Resources"][name]["Properties"].pop(folder)
        original = template["Resources"][name]["Properties"].pop(folder)
        assert (root / "build/image" / written).resolve() == (root / original).resolve()
    template["Resources"]["PredictFunction"] = derived["Resources"]["PredictFunction"]
    assert derived == template


def test_the_image_begins_with_sam_clis_own_base_image_and_has_the_handler_as_its_command(
    derived: dict[str, Any], template: dict[str, Any], root: Path
) -> None:
    of_zip = template["Resources"]["PredictFunction"]["Properties"]
    image = "public.ecr.aws/lambda/python:" + of_zip["Runtime"].removeprefix("python")
    metadata = derived["Resources"]["PredictFunction"]["Metadata"]
    assert metadata["DockerBuildArgs"] == {"BASE": {"Fn::Sub": image + "-${Architecture}"}}
    dockerfile = (root / "functions/predict/Dockerfile").read_text().splitlines()
    assert f"ARG BASE={image}" in dockerfile
    assert f'CMD ["{of_zip["Handler"]}"]' in dockerfile


def test_what_is_written_is_what_was_derived(image_template: ModuleType, root: Path, tmp_path: Path) -> None:
    written = tmp_path / "template.yaml"
    image_template.main([str(root / "template.yaml"), str(written)])
    expected = image_template.image_template(yaml_parse((root / "template.yaml").read_text()))
    assert yaml_parse(written.read_text()) == expected
