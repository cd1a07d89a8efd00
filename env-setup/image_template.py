"""Write the template of the container image: the same stack as template.yaml, with its function as an image.

SAM CLI takes PackageType as it is written in the template, so no condition can choose between zip and image there.
`make image-build` runs this. It needs SAM's own reader of templates, which SAM CLI and this project's tests install.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

FUNCTION = "PredictFunction"
# The image's template lies in build/image, and the other functions are built from their folders as zips.
_ROOT = "../.."
_FOLDERS = ("CodeUri", "ContentUri")
# An image brings its handler, Python and layers itself. SAM refuses them for one.
_ZIP_ONLY = ("CodeUri", "Handler", "Runtime", "Layers")


def image_template(template: dict[str, Any]) -> dict[str, Any]:
    """Return a template whose function is an image; everything else is as it was, but for the paths of the folders.

    Parameters
    ----------
    template : dict
        ``template.yaml`` with the short forms of intrinsic functions written out.
    """
    derived = copy.deepcopy(template)
    function = derived["Resources"][FUNCTION]
    zip_only = {name: function["Properties"].pop(name) for name in _ZIP_ONLY}
    for resource in derived["Resources"].values():
        for folder in _FOLDERS:
            if folder in resource["Properties"]:
                resource["Properties"][folder] = f"{_ROOT}/{resource['Properties'][folder]}"
    function["Properties"] = {"PackageType": "Image", **function["Properties"]}
    python = zip_only["Runtime"].removeprefix("python")
    function["Metadata"] = {
        "Dockerfile": "Dockerfile",
        "DockerContext": ".",
        # The name by which SAM CLI itself knows the image for zips.
        "DockerBuildArgs": {"BASE": {"Fn::Sub": f"public.ecr.aws/lambda/python:{python}-${{Architecture}}"}},
    }
    return derived


def main(arguments: Sequence[str] | None = None) -> None:
    """Read one template and write the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("template", type=Path)
    parser.add_argument("image_template", type=Path)
    options = parser.parse_args(arguments)
    derived = image_template(yaml_parse(options.template.read_text()))
    note = f"# Made from {options.template.name} by env-setup/image_template.py. Change that file, not this one.\n"
    options.image_template.write_text(note + yaml.safe_dump(derived, sort_keys=False, width=120))


if __name__ == "__main__":
    main()
