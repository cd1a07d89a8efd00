"""Code that changes while the emulator runs, and state that survives a restart: real processes, real files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GENEROUS_S = 30
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Latest:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: latest
      Handler: app.handler
      Runtime: python3.13
      Layers: [!Ref Shared]
      Events: {Get: {Type: HttpApi, Properties: {Path: /latest, Method: GET}}}
  Live:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: live
      Handler: app.handler
      Runtime: python3.13
      AutoPublishAlias: live
      SnapStart: {ApplyOn: PublishedVersions}
      Layers: [!Ref Shared]
      Events: {Get: {Type: HttpApi, Properties: {Path: /live, Method: GET}}}
  Zipped:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: function.zip
      Handler: app.handler
      Runtime: python3.13
      Layers: [!Ref ZippedLayer]
      Events: {Get: {Type: HttpApi, Properties: {Path: /zipped, Method: GET}}}
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer, CompatibleRuntimes: [python3.13]}
  ZippedLayer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer.zip, CompatibleRuntimes: [python3.13]}
"""
APP = """
import shared

def handler(event, context):
    return {{"text": {text!r}, "layer": shared.TEXT, "version": context.function_version}}
"""


class Project:
    """Two functions with a layer, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("latest", "live"):
            self.write(name, "one")
        self.write_layer("one")
        self.zip("function.zip", "app.py", APP.format(text="one"))
        # Lambda's place for packages of one version of Python, which needn't be that of this process.
        self.zip("layer.zip", "python/lib/python3.13/site-packages/shared.py", "TEXT = 'one'")
        self.template = folder / "template.yaml"
        self.template.write_text(TEMPLATE)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).mkdir(exist_ok=True)
        # As editors do: a new file, renamed over the old one.
        new = self.folder / name / "app.py~"
        new.write_text(APP.format(text=text))
        new.replace(self.folder / name / "app.py")

    def write_layer(self, text: str) -> None:
        (self.folder / "layer").mkdir(exist_ok=True)
        (self.folder / "layer" / "shared.py").write_text(f"TEXT = {text!r}\n")

    def zip(self, archive: str, name: str, text: str) -> None:
        new = self.folder / f"{archive}~"
        with zipfile.ZipFile(new, "w") as written:
            written.writestr(name, text)
        new.replace(self.folder / archive)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def serve(start: Callable[..., Any], project: Project, *more: str) -> Any:
    return start("start-api", "-p", "0", "-t", str(project.template), *more)


def wait_for(api: Any, path: str, **expected: str) -> Any:
    """Send requests until the answer has the expected values; every answer in between is checked, too."""
    deadline = time.monotonic() + GENEROUS_S
    while True:
        answer = api.get(path)
        if answer.status == 200 and expected.items() <= answer.json.items():
            return answer.json
        assert time.monotonic() < deadline, (answer.body, api.log)
        time.sleep(0.02)


def wait_for_log(api: Any, text: str) -> None:
    deadline = time.monotonic() + GENEROUS_S
    while text not in api.log:
        assert time.monotonic() < deadline, api.log
        time.sleep(0.02)


@pytest.mark.fidelity("saved-code-deployed", "zipped-code")
def test_saved_code_answers_without_a_restart(start: Callable[..., Any], project: Project) -> None:
    api = serve(start, project)
    assert api.get("/latest").json == {"text": "one", "layer": "one", "version": "$LATEST"}
    assert api.get("/live").json == {"text": "one", "layer": "one", "version": "1"}
    assert api.get("/zipped").json == {"text": "one", "layer": "one", "version": "$LATEST"}
    project.write("latest", "two")
    wait_for(api, "/latest", text="two")
    project.zip("function.zip", "app.py", APP.format(text="two"))
    wait_for(api, "/zipped", text="two")
    project.write("live", "two")
    assert wait_for(api, "/live", text="two")["version"] == "2"
    project.write_layer("two")
    assert wait_for(api, "/live", layer="two") == {"text": "two", "layer": "two", "version": "3"}
    wait_for(api, "/latest", layer="two")


def test_ignored_files_deploy_nothing_and_the_last_of_many_changes_wins(
    start: Callable[..., Any], project: Project
) -> None:
    api = serve(start, project)
    cache = project.folder / "live" / "__pycache__"
    cache.mkdir()
    for name in ("app.cpython-313.pyc", "other.pyc"):
        (cache / name).write_bytes(b"x")
    (project.folder / "live" / ".app.py.swp").write_bytes(b"x")
    (project.folder / "live" / "app.py").touch()
    project.write("latest", "two")
    wait_for(api, "/latest", text="two")
    assert api.get("/live").json["version"] == "1"
    for number in range(40):
        project.write("live", f"edit {number}")
    wait_for(api, "/live", text="edit 39")
    assert api.get("/live").json["text"] == "edit 39"


def test_the_emulators_own_files_beside_the_code_deploy_nothing(start: Callable[..., Any], tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.template.write_text(project.template.read_text().replace("CodeUri: live", "CodeUri: .\n      Timeout: 9"))
    (project.folder / "app.py").write_text(APP.format(text="one"))
    data, state, log = (project.folder / name for name in ("data", "state", "functions.log"))
    api = start(
        "-p", "0", "--lambda-port", "0", "--bucket-port", "0", "--data-dir", str(data), "--state-dir", str(state),
        "-l", str(log), "-t", str(project.template),
    )  # fmt: skip
    assert api.get("/live").json["version"] == "1"
    (data / "noise").write_bytes(b"x")
    project.write("latest", "two")
    assert wait_for(api, "/live", version="2")
    wait_for(api, "/latest", text="two")
    copies = [folder for folder in (state / "code").iterdir() if (folder / "template.yaml").exists()]
    assert copies
    for copy in copies:
        assert not {"data", "state", "functions.log"} & {entry.name for entry in copy.iterdir()}
    (project.folder / "app.py").write_text(APP.format(text="three"))
    assert wait_for(api, "/live", text="three")["version"] == "3", "requests alone, which are logged, deploy nothing"


def test_code_that_fails_leaves_the_alias_until_it_is_corrected(start: Callable[..., Any], project: Project) -> None:
    api = serve(start, project)
    (project.folder / "live" / "app.py").write_text("import nowhere\n")
    wait_for_log(api, "Live: version 2 can't be initialised, so 'live' isn't moved to it: Runtime.ImportModuleError")
    assert api.get("/live").json["version"] == "1"
    project.write("live", "mended")
    assert wait_for(api, "/live", text="mended")["version"] == "3"


@pytest.mark.fidelity("saved-code-deployed")
def test_a_source_folder_that_is_replaced_is_still_followed(start: Callable[..., Any], project: Project) -> None:
    api = serve(start, project)
    for text in ("two", "three"):
        folder = project.folder / "latest"
        folder.rename(project.folder / "old")
        shutil.rmtree(project.folder / "old")
        project.write("latest", text)
        wait_for(api, "/latest", text=text)
    project.write("latest", "four")
    wait_for(api, "/latest", text="four")


@pytest.mark.fidelity("saved-code-deployed")
def test_a_build_is_deployed_when_it_is_done(start: Callable[..., Any], tmp_path: Path) -> None:
    build = tmp_path / ".aws-sam" / "build"
    project = Project(build)
    api = serve(start, project)
    assert api.get("/live").json["version"] == "1"
    # What `sam build` does: everything is removed, the functions are written, and last the template.
    shutil.rmtree(build)
    build.mkdir()
    project.write_layer("two")
    project.write("live", "two")
    (build / "live" / "half.py").touch()
    project.write("latest", "two")
    (build / "live" / "half.py").unlink()
    time.sleep(1)  # Long enough for a change to be seen; that nothing comes of it is what is tested.
    assert api.get("/live").json == {"text": "one", "layer": "one", "version": "1"}
    project.template.write_text(TEMPLATE)
    assert wait_for(api, "/live", text="two") == {"text": "two", "layer": "two", "version": "2"}
    wait_for(api, "/latest", text="two", layer="two")


def test_a_changed_template_is_noted_and_no_watch_switches_the_watcher_off(
    start: Callable[..., Any], project: Project, tmp_path: Path
) -> None:
    api = serve(start, project)
    project.template.write_text(TEMPLATE + "# changed\n")
    wait_for_log(api, "template.yaml has changed: restart the emulator to apply it")
    still = serve(start, Project(tmp_path / "other"), "--no-watch")
    (tmp_path / "other" / "latest" / "app.py").write_text(APP.format(text="two"))
    time.sleep(1)  # As above.
    assert still.get("/latest").json["text"] == "one"


def test_versions_survive_kill_9_and_what_changed_meanwhile_is_deployed(
    start: Callable[..., Any], project: Project, tmp_path: Path
) -> None:
    state = ("--state-dir", str(tmp_path / "state"))
    api = serve(start, project, *state)
    project.write("live", "two")
    assert wait_for(api, "/live", text="two")["version"] == "2"
    wait_for_log(api, "Live: changed code is deployed")
    api.kill()
    again = serve(start, project, *state)
    assert again.get("/live").json == {"text": "two", "layer": "one", "version": "2"}
    again.kill()
    project.write("live", "three")
    third = serve(start, project, *state)
    assert third.get("/live").json == {"text": "three", "layer": "one", "version": "3"}
    refused = subprocess.run(
        [sys.executable, "-m", "emulator", "start-api", "-p", "0", "-t", str(project.template), *state],
        capture_output=True, text=True, check=False, timeout=60, env={**os.environ},
    )  # fmt: skip
    assert refused.returncode == 1
    assert "another emulator keeps its functions in" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert third.get("/live").json["version"] == "3"
