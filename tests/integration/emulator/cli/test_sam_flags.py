"""The commands take the flags of `sam local` and print its lines, so that scripts written for it work here, too."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from forked_programs import run_program

pytestmark = pytest.mark.fidelity("sam-local-flags")

DOCKERS = ["--skip-pull-image", "--docker-network", "host", "--add-host", "a:1.2.3.4", "--container-host", "localhost",
           "--layer-cache-basedir", "cache", "--force-image-build", "--debug"]  # fmt: skip


@pytest.fixture
def template(functions: Path) -> str:
    return str(functions / "control" / "template.yaml")


@pytest.fixture
def variables(tmp_path: Path) -> str:
    path = tmp_path / "env.json"
    path.write_text(json.dumps({"Plain": {"GREETING": "from a file"}}))
    return str(path)


def run(*words: str, stdin: str = "", cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command; an empty variable is removed from the environment."""
    environ = {name: value for name, value in {**os.environ, **environ}.items() if value}
    return run_program([sys.executable, "-m", "emulator", *words], stdin=stdin, env=environ, cwd=cwd)


def invoked(url: str, function: str) -> Any:
    client = boto3.client("lambda", endpoint_url=url)
    try:
        return json.loads(client.invoke(FunctionName=function)["Payload"].read())
    finally:
        client.close()


def test_start_lambda(start: Callable[..., Any], template: str, variables: str, tmp_path: Path) -> None:
    log = tmp_path / "functions.log"
    server = start(
        "start-lambda", "Plain", "-t", template, "-p", "0", "--host", "127.0.0.1", "-n", variables,
        "--warm-containers", "EAGER", "--region", "eu-west-3", "-l", str(log), *DOCKERS,
        env={"AWS_ACCESS_KEY_ID": "key-of-the-shell"},
    )  # fmt: skip
    assert f" * Running on {server.url}\nPress CTRL+C to quit\n" in server.log
    assert "Starting the Local Lambda Service." in server.log
    ignored = [line for line in server.log.splitlines() if "no effect without Docker" in line]
    assert len(ignored) == 1
    assert all(flag in ignored[0] for flag in DOCKERS if flag.startswith("--"))
    answer = invoked(server.url, "Plain")
    assert (answer["greeting"], answer["region"], answer["key"]) == ("from a file", "eu-west-3", "key-of-the-shell")
    assert ":eu-west-3:" in answer["arn"]
    missing = server.get("/2015-03-31/functions/Published/invocations", "POST", b"{}")
    assert missing.status == 404, "it is not among the functions that were named"
    assert server.stop() == 0
    assert "START RequestId" in log.read_text()
    assert "START RequestId" not in server.log


def test_start_api(start: Callable[..., Any], template: str) -> None:
    server = start(
        "start-api", "--template-file", template, "--port", "0", "--warm-containers", "LAZY",
        "--parameter-overrides", "ParameterKey=Greeting,ParameterValue=overridden", "--skip-pull-image",
    )  # fmt: skip
    assert f"Mounting Published at {server.url}/published [GET, POST]" in server.log
    assert f"emulator: environments, versions and logs, live: {server.url}/_emulator/" in server.log
    assert "You can now browse to the above endpoints to invoke your functions." in server.log
    assert f" * Running on {server.url}\nPress CTRL+C to quit\n" in server.log
    assert server.get("/published").status == 200


def test_start_api_with_a_lambda_port_runs_the_same_functions(start: Callable[..., Any], template: str) -> None:
    server = start("start-api", "-t", template, "-p", "0", "--lambda-port", "0")
    (lambda_url,) = set(re.findall(r"Running on (\S+)", server.log)) - {server.url}
    invoked(lambda_url, "Published:live")
    assert server.get("/published").status == 200
    lines = server.log.splitlines()
    assert len([line for line in lines if line.startswith("REPORT")]) <= 2
    assert len([line for line in lines if "Init Duration" in line]) <= 1, "one environment serves both"


def test_injected_faults_and_the_status_page_are_there_from_the_start(
    start: Callable[..., Any], template: str, tmp_path: Path
) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"faults": [{"function": "Plain", "actionId": "aws:lambda:invocation-error"}]}))
    server = start("start-lambda", "-p", "0", "-t", template, "--faults", str(faults))
    assert invoked(server.url, "Plain")["errorType"] == "Runtime.InjectedFault"
    assert server.get("/_emulator/faults", "DELETE").status == 204
    assert invoked(server.url, "Plain")["event"] == {}
    assert server.get("/_emulator/status").json["functions"]


@pytest.mark.fidelity("status-page")
def test_the_status_page_is_the_same_on_the_apis_port_and_on_lambdas(start: Callable[..., Any], template: str) -> None:
    server = start("start-api", "-t", template, "-p", "0", "--lambda-port", "0")
    (lambda_url,) = set(re.findall(r"Running on (\S+)", server.log)) - {server.url}
    assert invoked(lambda_url, "Plain")["event"] == {}
    statuses = []
    for url in (server.url, lambda_url):
        with urllib.request.urlopen(f"{url}/_emulator/status", timeout=40) as answer:
            functions = json.load(answer)["functions"]
        (plain,) = [
            pool for function in functions if function["function"] == "Plain" for pool in function["environments"]
        ]
        statuses.append((plain["coldStarts"], plain["byState"], [process["pid"] for process in plain["memory"]]))
    assert statuses[0] == statuses[1]
    assert statuses[0][:2] == (1, {"starting": 0, "idle": 1, "busy": 0, "reset": 0})
    assert len(statuses[0][2]) == 1


def test_an_empty_region_counts_as_unset(template: str, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environ |= {"AWS_DEFAULT_REGION": "", "AWS_REGION": "", "AWS_CONFIG_FILE": str(tmp_path / "none")}
    command = [sys.executable, "-m", "emulator", "invoke", "Plain", "-t", template]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["region"] == "us-east-1"


@pytest.mark.parametrize("source", ["none", "file", "stdin"])
def test_invoke(template: str, variables: str, tmp_path: Path, source: str) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"a": 1}')
    flags = {"none": [], "file": ["-e", str(event)], "stdin": ["--event", "-"]}[source]
    done = run("invoke", "Plain", "-t", template, "--env-vars", variables, *flags, *DOCKERS, stdin='{"a": 2}')
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["event"] == {"none": {}, "file": {"a": 1}, "stdin": {"a": 2}}[source]
    assert answer["greeting"] == "from a file"
    assert "REPORT RequestId" in done.stderr


def test_a_profile_gives_its_credentials_and_its_region(template: str, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile me]\nregion = eu-west-3\naws_access_key_id = mine\naws_secret_access_key = secret\n[profile none]\n"
    )
    environ = {
        "AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
        "AWS_DEFAULT_REGION": "",
    }  # fmt: skip
    answer = json.loads(run("invoke", "Plain", "-t", template, "--profile", "me", **environ).stdout)
    assert (answer["key"], answer["region"]) == ("mine", "eu-west-3")
    answer = json.loads(
        run("invoke", "Plain", "-t", template, "--profile", "me", "--region", "us-west-2", **environ).stdout
    )
    assert answer["region"] == "us-west-2"
    for unknown in ("none", "nobody"):
        done = run("invoke", "Plain", "-t", template, "--profile", unknown, **environ)
        assert done.returncode == 1
        assert f"--profile {unknown}: " in done.stderr


@pytest.mark.parametrize("command", ["invoke", "start-lambda"])
def test_a_profiles_program_for_credentials_runs_once(
    start: Callable[..., Any], template: str, tmp_path: Path, command: str
) -> None:
    runs, program, config = tmp_path / "runs", tmp_path / "credentials.py", tmp_path / "config"
    keys = {"Version": 1, "AccessKeyId": "from-a-program", "SecretAccessKey": "secret"}
    program.write_text(f"open({str(runs)!r}, 'a').write('x')\nprint({json.dumps(keys)!r})\n")
    config.write_text(f"[profile me]\ncredential_process = {sys.executable} {program}\n")
    environ = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    if command == "invoke":
        answer = json.loads(run("invoke", "Plain", "-t", template, "--profile", "me", **environ).stdout)
    else:
        answer = invoked(start(command, "-t", template, "-p", "0", "--profile", "me", env=environ).url, "Plain")
    assert answer["key"] == "from-a-program"
    assert runs.read_text() == "x"


def test_taken_ports_name_the_flag_that_moves_them(start: Callable[..., Any], template: str, tmp_path: Path) -> None:
    taken = start("start-lambda", "-p", "0", "-t", template).url.rsplit(":", 1)[1]
    for words, flag in (
        (["start-lambda", "-p", taken], "-p"),
        (["start-api", "-p", "0", "--lambda-port", taken], "--lambda-port"),
        (["start", "-p", "0", "--bucket-port", "0", "--data-dir", str(tmp_path / "data"), "--lambda-port", taken],
         "--lambda-port"),
    ):  # fmt: skip
        done = run(*words, "-t", template)
        assert done.returncode == 1
        assert f"port {taken} on 127.0.0.1 is taken" in done.stderr
        assert f"choose another with {flag}\n" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["start-lambda", "Nobody"], "'Nobody' isn't a function of the template; name one of the functions: "),
        (["start-lambda", "--async-retry-waits", "1"], "--async-retry-waits takes two numbers"),
        (["invoke"], "name one of the functions: "),
        (["invoke", "Nobody"], "'Nobody' isn't a function of the template; name one of the functions: "),
        (["invoke", "Plain", "-e", "nowhere.json"], "-e nowhere.json: "),
        (["invoke", "Plain", "-l", "nowhere/log"], "--log-file nowhere/log: "),
        (["start-api", "--faults", "nowhere.json"], "--faults nowhere.json: the file can't be read (No such file"),
        (["start-api", "-n", "nowhere.json"], "--env-vars nowhere.json: "),
    ],
)
def test_an_error_is_printed_on_one_line(template: str, words: list[str], message: str) -> None:
    done = run(*words, "-t", template)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: "), "as SAM CLI prints it"
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.fidelity("default-template", "sam-settings")
def test_the_folders_template_and_its_configuration_file_are_the_defaults(tmp_path: Path, template: str) -> None:
    project = Path(template).parent
    (tmp_path / "code").symlink_to(project / "code")
    (tmp_path / "template.yml").write_text(Path(template).read_text())
    (tmp_path / "samconfig.toml").write_text(
        "[default.local_invoke.parameters]\n"
        'function_logical_id = "Plain"\nparameter_overrides = "Greeting=configured"\n'
    )
    done = run("invoke", PYTHONPATH=str(Path(__file__).parents[4]), cwd=tmp_path)
    assert json.loads(done.stdout)["greeting"] == "configured", done.stderr
    assert "samconfig.toml, [default.local_invoke], sets function_logical_id, parameter_overrides" in done.stderr
