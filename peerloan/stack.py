"""Runs the local stack: starts, watches and ends the bucket and the API as child processes."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from urllib.parse import urlsplit

from emulator.child import ChildStartError, EmulatorChild
from emulator.http_server import OIDC_PATH
from emulator.lambda_service.log_groups.log_file import rotated
from peerloan.access import DEFAULT_AUDIENCE, AuthMode
from peerloan.errors import PortTakenError, StackError, StackRunsError
from peerloan.files import make_folder, write_whole, writing
from peerloan.followed_log import FollowedLog, last_lines
from peerloan.keyring import Keyring
from peerloan.revision import source_revision
from peerloan.running_stack import read_running, running_file, try_lock
from peerloan.workplace import DEFAULT_FILES_BUCKET, DEFAULT_KEY, DEFAULT_LOG_BUCKET, LOCAL_CREDENTIALS, PROJECT

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 10.0
_LOOPBACK = "127.0.0.1"
# The emulator's own lines in its log begin with this; the others are the function's.
_EMULATOR_PREFIX = b"emulator: "
# For load that isn't about the API's limits: more requests than any client on this machine sends.
UNTHROTTLED = ("--parameter-overrides", "ThrottlingRateLimit=1000000", "ThrottlingBurstLimit=1000000")


class Stack:
    """The processes of one local stack; a context manager that locks the folder and ends whatever it started.

    Parameters
    ----------
    state_dir : Path
        Holds the bucket's objects, the logs and running.json.
    bucket : str
        The name of the models' bucket.
    environ : mapping
        The children's environment.
    """

    def __init__(self, state_dir: Path, bucket: str, environ: dict[str, str]) -> None:
        self._state_dir = state_dir
        self._bucket = bucket
        self._environ = _with_local_credentials(environ)
        self._children: list[tuple[str, EmulatorChild]] = []
        self._notes: dict[str, Any] = {"pid": os.getpid()}
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Stack:
        make_folder(self._state_dir)
        with writing(self._state_dir):
            self._lock = try_lock(self._state_dir)
        if self._lock is None:
            raise StackRunsError(self._state_dir, read_running(self._state_dir))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start_bucket(self, port: int, extra_hosts: Sequence[str] = ()) -> str:
        """Start the buckets of the models and the log; return their URL. The first start makes the key that signs."""
        self._make_keyring()
        check_port(port, "--bucket-port")
        hosts = [word for host in (_LOOPBACK, *extra_hosts) for word in ("--host", host)]
        arguments = ["--port", str(port), "--data-dir", str(self._state_dir / "bucket")]
        arguments += ["--bucket", self._bucket, "--bucket", DEFAULT_LOG_BUCKET, "--bucket", DEFAULT_FILES_BUCKET]
        # The name that containers have for this machine.
        arguments += ["--allow-host", "host.docker.internal"]
        url = str(self._start("bucket", [*hosts, *arguments])["url"])
        self._announce(bucket_url=url, bucket=self._bucket)
        return url

    def start_api(
        self,
        port: int,
        bucket_url: str,
        *,
        lambda_port: int | None = None,
        alias_ttl_s: float | None = None,
        throttled: bool = True,
        schedule_interval_s: float | None = None,
        idle_timeout_s: float | None = None,
        auth: AuthMode = AuthMode.OPEN,
        strategy: str | None = None,
        deployment_interval_s: float | None = None,
        scores_files: bool = False,
    ) -> str:
        """Start the API that the template describes, and Lambda's own if it gets a port; return the API's URL.

        Parameters
        ----------
        port, lambda_port : int
            0 for any free port.
        bucket_url : str
            The bucket with the function's models.
        alias_ttl_s : float, optional
            Replaces the template's value.
        throttled : bool, optional
            Whether the template's limits on requests hold.
        schedule_interval_s : float, optional
            Shortens the template's schedules.
        idle_timeout_s : float, optional
            When an idle environment ends.
        auth : AuthMode, optional
            Who may call the API; running.json says it to the clients.
        strategy : str, optional
            How code that has changed since the last start gets the traffic: the template's ``DeploymentStrategy``.
        deployment_interval_s : float, optional
            Shortens the waits of that strategy.
        scores_files : bool, optional
            Whether files that are put into a bucket of their own are scored: the template's ``BatchScoring``.
        """
        check_port(port, "--port")
        variables = {
            "MODEL_BUCKET": self._bucket,
            "AWS_ENDPOINT_URL_S3": bucket_url,
            **self._key_variables(),
        }
        if alias_ttl_s is not None:
            variables["ALIAS_TTL_SECONDS"] = f"{alias_ttl_s:g}"
        env_vars = self._state_dir / "function-env.json"
        write_whole(env_vars, json.dumps({"Parameters": variables}, indent=2).encode(), is_private=True)
        # samconfig.toml is about containers: it opens the API, and names the bucket as they reach it.
        template = ["--template", str(PROJECT / "template.yaml"), "--env-vars", str(env_vars), "--no-config"]
        arguments = [*template, "--host", _LOOPBACK, "--port", str(port), "--s3-endpoint", bucket_url]
        arguments += ["--state-dir", str(self._state_dir / "lambda"), *(() if throttled else UNTHROTTLED)]
        parameters = [f"LogBucketName={DEFAULT_LOG_BUCKET}", f"AuthMode={auth}"]
        if auth == AuthMode.JWT:
            # Port 0 is whichever port the API gets.
            parameters += [f"JwtIssuer=http://{_LOOPBACK}:0{OIDC_PATH}", f"JwtAudience={DEFAULT_AUDIENCE}"]
        if scores_files:
            parameters += ["BatchScoring=on", f"BatchBucketName={DEFAULT_FILES_BUCKET}"]
        if strategy is not None:
            parameters.append(f"DeploymentStrategy={strategy}")
        # Without another revision, SAM publishes no version for new code in the layer or a parameter's new value.
        arguments += ["--parameter-overrides", *parameters, f"Revision={source_revision(PROJECT, parameters)}"]
        # So that `peerloan top` can say which model versions answer.
        arguments += ["--count-header", "X-Model-Version"]
        if schedule_interval_s is not None:
            arguments += ["--schedule-interval", f"{schedule_interval_s:g}"]
        if deployment_interval_s is not None:
            arguments += ["--deployment-interval", f"{deployment_interval_s:g}"]
        if idle_timeout_s is not None:
            arguments += ["--idle-timeout", f"{idle_timeout_s:g}"]
        if lambda_port is not None:
            check_port(lambda_port, "--lambda-port")
            arguments += ["--lambda-port", str(lambda_port)]
        # So that the emulator rotates it.
        arguments += ["--log-file", str(self.log_file("start-api"))]
        urls = self._start("start-api", arguments)
        url = str(urls["url"])
        notes = {"lambda_url": urls["lambda_url"]} if urls["lambda_url"] else {}
        self._announce(api_url=url, auth=self._describe_auth(auth, url), **notes)
        return url

    def _describe_auth(self, auth: AuthMode, url: str) -> dict[str, str]:
        if auth == AuthMode.JWT:
            return {"mode": auth, "issuer": url + OIDC_PATH, "audience": DEFAULT_AUDIENCE}
        return {"mode": auth, **({"region": self._environ["AWS_REGION"]} if auth == AuthMode.IAM else {})}

    def write_container_variables(self, bucket_url: str) -> Path:
        """Write the function's variables for `sam local`, as in env-setup, with this bucket and the trusted keys."""
        document = json.loads((PROJECT / "env-setup" / "sam-local-env.json").read_text(encoding="utf-8"))
        variables = document["PredictFunction"]
        variables["AWS_ENDPOINT_URL_S3"] = f"http://host.docker.internal:{urlsplit(bucket_url).port}"
        variables |= self._key_variables()
        path = self._state_dir / "sam-local-env.json"
        write_whole(path, json.dumps(document, indent=2).encode(), is_private=True)
        return path

    def _key_variables(self) -> dict[str, str]:
        keyring = self._make_keyring()
        return {"TRUSTED_PUBLISHERS": keyring.public_keys(), "LOAN_HASH_KEY": keyring.make_loan_hash_key()}

    def _make_keyring(self) -> Keyring:
        """Return the state folder's keys. At the first start this machine gets one, so that its pickles are trusted."""
        keyring = Keyring(self._state_dir / "keys")
        if keyring.find_signer(DEFAULT_KEY) is None:
            keyring.create(DEFAULT_KEY)
        return keyring

    def wait(self, tell: Callable[[str], None]) -> None:
        """Wait forever; raise ``StackError`` when a process has ended by itself.

        Parameters
        ----------
        tell : callable
            Gets each line that the emulator itself logs from now on, such as which saved code it has deployed.
        """
        with FollowedLog(self.log_file("start-api")) as log:
            while True:
                for line in log.new_lines():
                    if line.startswith(_EMULATOR_PREFIX):
                        tell(line.removeprefix(_EMULATOR_PREFIX).decode("utf-8", "replace"))
                for name, child in self._children:
                    code = child.exit_code()
                    if code is not None:
                        last_words = self._last_words(name)
                        raise StackError(f"The process {name!r} ended by itself with code {code}:\n{last_words}")
                time.sleep(0.2)

    def stop(self) -> None:
        """End every process, the last one first, and wait until it has ended."""
        if "bucket_url" in self._notes:
            running_file(self._state_dir).unlink(missing_ok=True)
        for _, child in reversed(self._children):
            child.stop(_STOP_LIMIT_S)
        self._children.clear()
        if self._lock is not None:
            self._lock.close()

    def _start(self, command: str, arguments: Sequence[str]) -> dict[str, Any]:
        """Start a child and return its addresses once it is ready."""
        path = self.log_file(command)
        with writing(path):
            rotated(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            # To append, since the emulator writes the functions' output into the same file.
            log = path.open("ab")
        with log:
            child = EmulatorChild(command, arguments, output=log, environ=self._environ, folder=PROJECT)
        self._children.append((command, child))
        try:
            return child.wait_ready(_START_LIMIT_S)
        except ChildStartError as error:
            raise StackError(f"The process {command!r} {error}:\n{self._last_words(command)}") from error

    def log_file(self, command: str) -> Path:
        """Return the file that a child's output goes to."""
        return self._state_dir / f"{command}.log"

    def _last_words(self, command: str) -> str:
        return "\n".join(last_lines(self.log_file(command), 10))

    def _announce(self, **notes: Any) -> None:
        self._notes.update(notes)
        write_whole(running_file(self._state_dir), json.dumps(self._notes, indent=2).encode())


def _with_local_credentials(environ: dict[str, str]) -> dict[str, str]:
    """Return an environment without the user's credentials of AWS: the function's code has no use for them."""
    own = {name: value for name, value in environ.items() if name not in ("AWS_SESSION_TOKEN", "AWS_PROFILE")}
    region = own.get("AWS_REGION") or own.get("AWS_DEFAULT_REGION") or LOCAL_CREDENTIALS["region_name"]
    return own | {
        "AWS_ACCESS_KEY_ID": LOCAL_CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": LOCAL_CREDENTIALS["aws_secret_access_key"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


def check_port(port: int, flag: str) -> None:
    """Raise ``PortTakenError`` if a process listens on a loopback port. Port 0 stands for any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            raise PortTakenError(port, flag) from None


def docker_bridge_address() -> str | None:
    """Return the address at which containers reach this machine, or None where they reach loopback by themselves.

    On Linux this is the address of Docker's bridge. Docker Desktop forwards ``host.docker.internal`` to loopback.
    """
    if not sys.platform.startswith("linux"):
        return None
    subnet_and_gateway = "{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}"
    command = ["docker", "network", "inspect", "bridge", "--format", subnet_and_gateway]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"Docker's bridge can't be found ({error}). Is Docker running?") from error
    # Docker names no gateway if it chose the address itself. The bridge then has the subnet's first address.
    return answer[1] if len(answer) > 1 else str(next(ipaddress.ip_network(answer[0]).hosts()))
