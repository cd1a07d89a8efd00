"""``kill -9`` of a process that changes the state, before each step on disk: the old state or the new is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.operations import Operations, open_operations
from emulator.lambda_service.data_plane.running_version import utc_now
from emulator.template.project import FunctionSpec

ARN_SCOPE = ArnScope("eu-west-1", "123456789012")
# Opens the state, goes through a rollout, and kills itself before the step on disk that it is told.
CHILD = """
import os, signal, sys
from pathlib import Path
from tests.integration.emulator.lambda_service.test_state_kills import FOLLOWED, roll_out
root, kill_at, steps = sys.argv[1], int(sys.argv[2]), 0

def count(event, arguments):
    global steps
    if event in FOLLOWED and any(isinstance(one, str) and root in one for one in map(str, arguments)):
        steps += 1
        if steps == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
roll_out(Path(root), report=lambda words: print(words, flush=True))
print("steps", steps)
"""
FOLLOWED = {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "shutil.rmtree"}


def write_code(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "app.py").write_text(f"TEXT = {text!r}\n")
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "more.bin").write_bytes(text.encode() * 50_000)
    return folder


def roll_out(root: Path, report: object) -> None:
    """Deploy a template, then another code in two steps; report each change once it is acknowledged."""
    assert callable(report)
    folder = root.parent
    spec = FunctionSpec("F", "f", folder / "one", "app.handler", "python3.13", (folder / "layer",), alias="live")
    operations = open_operations(root, ARN_SCOPE, utc_now)
    fingerprint = operations.template.update(spec)
    report("code one")
    version = operations.versions.publish(function_name="f")["Version"]
    report(f"published {version}")
    operations.template.point_alias(spec, version, fingerprint)
    report(f"alias {version} {{}}")
    operations.functions.update_code(function_name="f", code_folder=folder / "two")
    report("code two")
    newer = operations.versions.publish(function_name="f")["Version"]
    report(f"published {newer}")
    for weights in ({newer: 0.5}, {}):
        main = version if weights else newer
        config = {"AdditionalVersionWeights": weights}
        operations.aliases.update(function_name="f", name="live", function_version=main, routing_config=config)
        report(f"alias {main} {json.dumps(weights)}")
    operations.functions.delete(function_name="f", qualifier=version)
    operations.catalogue.remove_unused_code([])
    operations.close()


def facts(operations: Operations) -> list[str]:
    """Return the changes that the state holds, in the order in which `roll_out` reports them."""
    function = operations.catalogue.account.functions.get("f")
    if function is None:
        return []
    steps = []
    texts = []
    for record in (*function.versions.values(), function.latest):
        folder = operations.catalogue.code.folder(record.code.digest)
        text = (folder / "app.py").read_text().split("'")[1]
        assert (folder / "data" / "more.bin").read_bytes() == text.encode() * 50_000, "a copy is whole"
        texts.append(text)
    steps.append(f"code {texts[-1]}")
    steps += [f"published {version}" for version in function.versions]
    if "live" in function.aliases:
        alias = function.aliases["live"]
        assert all(version in function.versions for version in alias.versions)
        steps.append(f"alias {alias.version} {json.dumps(dict(alias.weights))}")
    return steps


@pytest.mark.fidelity("state-survives-kill")
def test_kill_9_before_any_step_on_disk_leaves_the_old_state_or_the_new(tmp_path: Path) -> None:
    def run(root: Path, kill_at: int) -> subprocess.CompletedProcess[str]:
        for name in ("one", "two", "layer"):
            write_code(root.parent / name, name)
        return subprocess.run(
            [sys.executable, "-c", CHILD, str(root), str(kill_at)],
            capture_output=True, text=True, check=False, timeout=60, cwd=Path(__file__).parents[4],
        )  # fmt: skip

    (tmp_path / "whole").mkdir()
    whole = run(tmp_path / "whole" / "state", 0)
    assert whole.returncode == 0, whole.stderr
    *sequence, last = whole.stdout.splitlines()
    steps = int(last.split()[1])
    assert steps > 40
    # Each run takes a start of Python, so of the many steps every fourth is tried, and the first ones all.
    for kill_at in [*range(1, 12), *range(12, steps + 1, 4)]:
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        killed = run(folder / "state", kill_at)
        assert killed.returncode == -9, (kill_at, killed.stderr)
        acknowledged = killed.stdout.splitlines()
        assert acknowledged == sequence[: len(acknowledged)]
        operations = open_operations(folder / "state", ARN_SCOPE, utc_now)
        held = facts(operations)
        # Whatever was acknowledged last of each kind holds, or what was about to be acknowledged.
        for kind in ("code", "published", "alias"):
            done = [words for words in acknowledged if words.startswith(kind)]
            following = [words for words in sequence[len(acknowledged) :] if words.startswith(kind)]
            possible = {done[-1] if done else None, following[0] if following else None}
            now = [words for words in held if words.startswith(kind)]
            assert (now[-1] if now else None) in possible, (kill_at, held, acknowledged)
        scraps = [path.name for path in (folder / "state" / "code").glob(".*")]
        assert scraps == []
        # And it can be gone on from there.
        if held:
            newest = operations.versions.publish(function_name="f")["Version"]
            if "live" not in operations.catalogue.account.functions["f"].aliases:
                operations.aliases.create(function_name="f", name="live", function_version=newest)
        operations.close()


@pytest.mark.parametrize("content", ["", "{}", '{"format": 9}'])
def test_the_emulator_refuses_a_state_that_it_cannot_read(tmp_path: Path, functions: Path, content: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "state.json").write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "emulator", "start-api", "-p", "0", "-t", str(functions / "basic" / "template.yaml"),
         "--state-dir", str(state)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, "one line, no traceback"
    assert str(state) in done.stderr
    assert (state / "state.json").read_text() == content
