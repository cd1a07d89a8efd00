"""The command ``up``: the whole stack on this machine."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from emulator.http_server import ADMIN_PATH
from model_registry.names import DEFAULT_ALIAS
from peerloan.access import AuthMode, find_access
from peerloan.api_client import ApiClient
from peerloan.errors import NoLiveVersionError
from peerloan.first_model import ensure_model
from peerloan.output import note, say
from peerloan.running_stack import read_running
from peerloan.stack import Stack, check_port, docker_bridge_address
from peerloan.workplace import (
    DEFAULT_API_PORT,
    DEFAULT_BUCKET,
    DEFAULT_BUCKET_PORT,
    DEFAULT_FILES_BUCKET,
    DEFAULT_LAMBDA_PORT,
    LOCAL_CREDENTIALS,
    PROJECT,
    Workplace,
    remember_data,
)

# On AWS a rollout advances each minute, which is long to wait for on one's own machine.
_SCHEDULE_INTERVAL_S = 2.0


def up(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(help="The API's port; 0 for any free one.")] = DEFAULT_API_PORT,
    bucket_port: Annotated[int, typer.Option(help="The bucket's port; 0 for any free one.")] = DEFAULT_BUCKET_PORT,
    lambda_port: Annotated[
        int, typer.Option(help="The port of Lambda's own API; 0 for any free one.")
    ] = DEFAULT_LAMBDA_PORT,
    api: Annotated[bool, typer.Option(help="Start the API, not the bucket alone.")] = True,
    auth: Annotated[
        AuthMode, typer.Option(help="Who may call the API: everybody, signed requests, or the issuer's tokens.")
    ] = AuthMode.OPEN,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="How code that has changed since the last start gets the traffic: as Canary10Percent5Minutes."
        ),
    ] = None,
    deployment_interval: Annotated[
        float | None, typer.Option(help="Seconds that the strategy waits between two steps, at most.")
    ] = None,
    files: Annotated[
        bool,
        typer.Option("--files", help=f"Score each CSV file that is put under batch/in/ of {DEFAULT_FILES_BUCKET}."),
    ] = False,
    docker: Annotated[bool, typer.Option("--docker", help="Let containers (sam local) reach the bucket.")] = False,
) -> None:
    """Run the bucket and the API on this machine until Ctrl-C. An empty bucket gets the basic model, trained now.

    Examples: peerloan up

    peerloan up --no-api --docker
    """
    workplace: Workplace = ctx.obj
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    is_up = False
    try:
        with Stack(workplace.state_dir, DEFAULT_BUCKET, dict(workplace.environ)) as stack:
            check_port(bucket_port, "--bucket-port")
            if api:
                check_port(port, "--port")
                check_port(lambda_port, "--lambda-port")
            remember_data(workplace.state_dir, workplace.environ)
            address = docker_bridge_address() if docker else None
            bucket_url = stack.start_bucket(bucket_port, [address] if address else [])
            local = workplace.at(bucket=DEFAULT_BUCKET, endpoint_url=bucket_url, model=workplace.model, state_dir=None)
            try:
                ensure_model(local)
            except NoLiveVersionError as error:
                if api:
                    raise
                note(str(error))  # The bucket runs without a model, and must run before the alias can be set.
            note(f"Bucket: {bucket_url}/{DEFAULT_BUCKET}" + (f", for containers at {address}" if address else ""))
            if docker:
                note(f"Containers: sam local start-api --env-vars {stack.write_container_variables(bucket_url)}")
            if api:
                url = stack.start_api(
                    port,
                    bucket_url,
                    lambda_port=lambda_port,
                    schedule_interval_s=_SCHEDULE_INTERVAL_S,
                    auth=auth,
                    strategy=strategy,
                    deployment_interval_s=deployment_interval,
                    scores_files=files,
                )
                _show_first_answer(ApiClient(url, find_access(workplace, url)), _curl_words(auth, workplace.state_dir))
                _say_what_serves(local)
                note(f"Environments, versions and logs, live: {url}{ADMIN_PATH}")
                if files:
                    folder = f"{bucket_url}/{DEFAULT_FILES_BUCKET}/batch"
                    note(f"Files: curl -T loans.csv {folder}/in/loans.csv; the results: {folder}/out/")
                note(f"Lambda, for boto3, the AWS CLI and peerloan deploy: {workplace.lambda_url()}")
                note(f"The function's log: {stack.log_file('start-api')}")
            is_up = True  # Set before the next line is printed, because its reader may press Ctrl-C at once.
            note("Ctrl-C ends it.")
            stack.wait(note)
    except KeyboardInterrupt:
        note("Stopped.")
        if not is_up:
            # The exit code of shells for SIGINT: nothing is up, so the rest of a script can't work.
            raise typer.Exit(130) from None


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _curl_words(auth: AuthMode, state_dir: Path) -> str:
    """Return the words by which curl authenticates."""
    if auth == AuthMode.IAM:
        notes, keys = read_running(state_dir), LOCAL_CREDENTIALS
        user = f"{keys['aws_access_key_id']}:{keys['aws_secret_access_key']}"
        return f" --aws-sigv4 aws:amz:{notes['auth']['region']}:execute-api --user {user}"
    if auth == AuthMode.JWT:
        command = Path(sys.prefix, "bin", "peerloan")
        own_folder = "" if state_dir == PROJECT / ".peerloan" else f" --state-dir {shlex.quote(str(state_dir))}"
        is_near = command.is_relative_to(Path.cwd())
        program = command.relative_to(Path.cwd()) if is_near else command
        return f' -H "Authorization: Bearer $({shlex.quote(str(program))}{own_folder} token)"'
    return ""


def _show_first_answer(client: ApiClient, curl_words: str) -> None:
    """Print a curl command to paste, and the answer that the API has just given to it."""
    event = json.loads((PROJECT / "events" / "late-payer.json").read_text(encoding="utf-8"))
    record = json.loads(event["body"])
    url = client.url
    answer, cold_ms = _timed(client, record)
    _, warm_ms = _timed(client, record)
    say(f"\nThe API answers at {url}. Try it:\n")
    say(f"curl -s{curl_words} {url}/predict -H 'Content-Type: application/json' -d '{json.dumps(record)}'\n")
    say(f"{json.dumps(answer, indent=2)}\n\n(answered just now; {cold_ms:.0f} ms cold, {warm_ms:.1f} ms warm)")


def _say_what_serves(workplace: Workplace) -> None:
    """Say which data the version in charge was trained on, and whether that is what ``PEERLOAN_DATA`` names."""
    manifest = workplace.reader().get_manifest(workplace.reader().get_alias(DEFAULT_ALIAS).alias.version)
    train = manifest.data.get("train", {})
    kind = "generated sample data" if manifest.data.get("is_sample") else str(train.get("name", "unknown data"))
    note(f"Version {manifest.version} was trained on {kind}.")
    if manifest.data.get("is_sample") and workplace.environ.get("PEERLOAN_DATA"):
        note("PEERLOAN_DATA names other loans. Train on them: peerloan train basic; then publish and set the alias.")


def _timed(client: ApiClient, record: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    answer = client.predict(record)
    return answer, (time.perf_counter() - started) * 1000
