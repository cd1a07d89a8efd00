"""`sam` for MiniStack: deploys a template that differs where MiniStack can't do what CloudFormation does.

- MiniStack runs SAM's transform without the parameters' values, by one of which SAM names a function's version. So the
  values become the template's defaults, which the transform knows.
- It refuses alarms on metric math. They watch some metric instead.
- It has no CodeDeploy. Versions follow at once.
"""

from __future__ import annotations

import itertools
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml


def adapted(template: Path, words: Iterable[str]) -> Path:
    """Write the template beside itself, adapted, the words NAME=VALUE being its parameters' values; return the file."""
    document = yaml.safe_load(template.read_text())
    for word in words:
        name, _, value = word.partition("=")
        (document["Parameters"][name]["Default"],) = shlex.split(value) or [""]
    # What roles name that is of CodeDeploy's.
    document["Resources"]["ServerlessDeploymentApplication"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudWatch::Alarm" and properties.pop("Metrics", None):
            properties |= {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": 60}
        elif resource["Type"] == "AWS::Serverless::Function":
            properties.pop("DeploymentPreference", None)
    written = template.with_name("adapted.yaml")
    written.write_text(yaml.safe_dump(document, sort_keys=False))
    return written


def main(sam: str, arguments: list[str]) -> int:
    """Run SAM CLI with another template, and remove that, since what is built makes the next revision."""
    place = arguments.index("--template-file") + 1
    words = itertools.takewhile(
        lambda word: not word.startswith("--"), arguments[arguments.index("--parameter-overrides") + 1 :]
    )
    written = adapted(Path(arguments[place]), words)
    arguments[place] = str(written)
    try:
        return subprocess.run([sam, *arguments], check=False).returncode
    finally:
        written.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
