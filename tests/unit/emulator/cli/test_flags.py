"""The flags of `sam local`, as scripts written for it give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.__main__ import main
from emulator.cli.flags import parse
from emulator.cli.settings.options import OptionError, parse_parameter_overrides, parse_retry_waits, parse_seconds
from emulator.cli.terminal import write_ready_file
from emulator.lambda_service.data_plane.event_queue.retries import RetryWaits
from emulator.template.errors import ProjectError

SHARED = [
    "-t", "t.yaml", "-n", "env.json", "--parameter-overrides", "A=1 B=2", "C=3", "--region", "eu-west-1",
    "--profile", "me", "-l", "log.txt",
]  # fmt: skip
DOCKERS = [
    "--skip-pull-image", "--docker-network", "host", "--add-host", "a:1.2.3.4", "--add-host", "b:1.2.3.5",
    "--container-host", "localhost", "--container-host-interface", "0.0.0.0", "--force-image-build",
    "--layer-cache-basedir", "cache", "-v", ".", "--debugger-path", "x", "--debug-args", "y",
    "--container-env-vars", "c.json", "-ii", "image", "--no-memory-limit", "--shutdown", "--debug",
    "--beta-features", "--container-dns", "1.1.1.1",
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("start-api", ["--host", "0.0.0.0", "-p", "3010", "--warm-containers", "eager", "-s", "public"]),
        (
            "start-lambda",
            ["--host", "0.0.0.0", "--port", "3011", "--warm-containers", "LAZY", "-d", "5858", "--debug-function", "F"],
        ),
        ("invoke", ["-e", "event.json", "--no-event", "--mount-symlinks"]),
    ],
)
def test_the_flags_of_sam_local_are_accepted(command: str, more: list[str]) -> None:
    functions = [] if command == "start-api" else ["Function"]
    options = parse([command, *functions, *SHARED, *more])
    assert options.template == Path("t.yaml")
    assert options.env_vars == Path("env.json")
    assert parse_parameter_overrides(options.parameter_overrides) == {"A": "1", "B": "2", "C": "3"}
    assert (options.region, options.profile, options.log_file) == ("eu-west-1", "me", Path("log.txt"))


@pytest.mark.parametrize("command", ["start-api", "start-lambda", "invoke", "start"])
def test_flags_that_only_docker_needs_are_accepted_and_noted(command: str) -> None:
    options = parse([command, *DOCKERS])
    assert list(options.ignored) == [word for word in DOCKERS if word.startswith("-")]
    assert parse([command]).ignored == ()


def test_flags_that_change_answers_and_are_not_imitated_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as misused:
        parse(["start-api", "--ssl-cert-file", "cert.pem"])
    assert misused.value.code == 2
    assert "--ssl-cert-file" in capsys.readouterr().err


def test_waits_of_asynchronous_invocations() -> None:
    assert parse_retry_waits("0.5,2") == RetryWaits((0.5, 2.0))
    for wrong in ("", "1", "1,2,3", "a,b", "-1,2", "nan,1", "1,inf"):
        with pytest.raises(OptionError, match="--async-retry-waits takes two numbers"):
            parse_retry_waits(wrong)


def test_intervals() -> None:
    assert parse(["start-api", "--schedule-interval", "2"]).schedule_interval == 2.0
    assert parse(["start-api"]).schedule_interval is None
    for wrong in ("", "a", "0", "-1", "nan", "inf", "100000"):
        with pytest.raises(OptionError, match=r"a number of seconds from 0.01 to 86400"):
            parse_seconds(wrong)


@pytest.mark.parametrize(
    "words",
    [
        ["-p", "65536"],
        ["-p", "-1"],
        ["--lambda-port", "x"],
        ["--idle-timeout", "nan"],
        ["--init-limit", "-1"],
        ["--concurrency", "0"],
    ],
)
def test_a_number_that_is_out_of_range_is_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as misused:
        parse(["start-api", *words])
    assert misused.value.code == 2
    message = capsys.readouterr().err
    assert words[0] in message
    assert f"not {words[1]!r}" in message


@pytest.mark.parametrize("words", [["bucket", "--data-dir"], ["rotate-token-key", "--state-dir"]])
def test_a_path_that_can_not_be_used_is_named(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    assert main([*words, str(file)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert str(file) in line
    with pytest.raises(ProjectError, match=r"--ready-file .*: Not a directory"):
        write_ready_file(file / "ready", pid=1)
