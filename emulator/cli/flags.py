"""The commands' flags: the emulator's own, and those of `sam local`, some of which have no effect here."""

from __future__ import annotations

import argparse
import functools
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.lambda_service.data_plane.event_queue.retries import RetryWaits
    from emulator.lambda_service.data_plane.faults import Fault

# SAM CLI's word for whichever of the folder's templates there is.
DEFAULT_TEMPLATE = Path("template.[yaml|yml|json]")
DEFAULT_DATA_DIR = Path(".peerloan/bucket")
DEFAULT_STATE_DIR = Path(".peerloan/lambda")
# The commands that run a template's functions, and take the flags of `sam local`.
RUNNING_COMMANDS = ("start", "start-api", "start-lambda", "invoke")
_LAST_PORT = 65_535
_EXAMPLES = """examples:
  python -m emulator                             the template's API on port 3000, Lambda on 3001, a bucket on 9000
  python -m emulator start-api -p 0              the API alone, on a free port
  python -m emulator start-lambda                Lambda alone, for boto3 and the AWS CLI
  python -m emulator bucket --data-dir data      the bucket alone
  python -m emulator invoke MyFunction -e event.json
  python -m emulator fire MyFunctionNightly      what is scheduled, now, in an emulator that runs
"""
# Flags of `sam local` without effect: they are about Docker, SAM CLI itself or its own debuggers.
WITHOUT_EFFECT = (
    "--skip-pull-image", "--force-image-build", "--no-memory-limit", "--shutdown", "--debug", "--save-params",
    "--no-event", "--beta-features", "--no-beta-features", "--language-extensions", "--no-language-extensions",
    "--mount-symlinks", "--no-mount-symlinks", "--skip-prepare-infra", "--prepare-infra",
)  # fmt: skip
_WITHOUT_EFFECT_TAKING_A_VALUE = (
    ("--docker-network",), ("--docker-volume-basedir", "-v"), ("--container-host",), ("--container-host-interface",),
    ("--container-dns",), ("--container-env-vars",), ("--add-host",), ("--invoke-image", "-ii"),
    ("--layer-cache-basedir",), ("--debugger-path",), ("--debug-args",),
    ("--hook-name",), ("--terraform-plan-file",), ("--static-dir", "-s"), ("--runtime", "-r"),
)  # fmt: skip


class Options(argparse.Namespace):
    """A command and the values of its flags; ``--help`` says what they mean.

    A flag that the command doesn't have keeps its default from here. ``ignored`` lists the given flags without effect.
    """

    command: str
    ignored: tuple[str, ...] = ()
    ready_file: Path | None = None
    life_fd: int | None = None
    allow_host: Sequence[str] = ()

    template: Path
    config_file: Path | None = None
    config_env: str | None = None
    no_config: bool = False
    parameter_overrides: Sequence[str]
    strict: bool = False
    values: Path | None = None
    env_vars: Path | None
    log_file: Path | None
    region: str | None
    profile: str | None
    s3_endpoint: str | None
    # The bucket that the emulator itself has started.
    own_bucket: str | None = None
    debug_port: int | None = None
    debug_function: str | None = None
    concurrency: int
    idle_timeout: float
    init_limit: float
    update_time: float = 0.0
    state_dir: Path | None = None
    faults: tuple[tuple[str, Fault], ...] = ()
    async_retry_waits: RetryWaits
    schedule_interval: float | None = None
    deployment_interval: float | None = None
    delivery_interval: float = 2.0
    no_watch: bool = False
    disable_authorizer: bool = False
    count_header: str | None = None
    functions: Sequence[str] = ()
    function: str | None = None
    event: str | None = None

    name: str = ""
    key: str | None = None
    fire_bucket: str | None = None
    url: str | None = None

    host: str
    api_port: int | None = None
    lambda_port: int | None = None
    # The flags that set the port of Lambda's API and of the bucket; messages name them.
    lambda_flag: str = "--lambda-port"
    port_flag: str = "--bucket-port"

    bucket_host: Sequence[str] | None = None
    bucket_port: int
    data_dir: Path | None = None
    bucket: Sequence[str] = ()

    def replaced(self, **changes: Any) -> Options:
        """Return a copy with other values."""
        return Options(**{**vars(self), **changes})


def parse(words: Sequence[str]) -> Options:
    """Return the options that a command line gives.

    `ProjectError` says which value or file can't be used. After `SystemExit` argparse has printed which flag is wrong.
    """
    return _make_parser().parse_args(words, Options())


def unknown_words(words: Sequence[str]) -> list[str]:
    """Return those words of a command line that its command doesn't know; argparse exits at a value that is wrong."""
    return _make_parser().parse_known_args(words, Options())[1]


@functools.cache
def _make_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    parser = argparse.ArgumentParser(
        prog="python -m emulator",
        description="Lambda, its HTTP API and an S3-style bucket on this machine, without Docker.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    _add_start(commands.add_parser("start", help="the API, Lambda and the bucket together (the default)"))
    _add_start_api(commands.add_parser("start-api", help="the API alone; with --lambda-port Lambda, too"))
    _add_start_lambda(commands.add_parser("start-lambda", help="Lambda alone, for boto3 and the AWS CLI"))
    _add_invoke(
        commands.add_parser("invoke", help="call a function once; its answer goes to stdout, its log to stderr")
    )
    _add_bucket(commands.add_parser("bucket", help="the bucket alone"))
    _add_fire(
        commands.add_parser("fire", help="fire a schedule, rule or S3 notification of a running emulator by hand")
    )
    rotate = commands.add_parser("rotate-token-key", help="let a new key sign the tokens of the emulator's own issuer")
    rotate.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, help="the emulator's, which may run")
    return parser


def _add_start(start: argparse.ArgumentParser) -> None:
    _add_api_options(start)
    start.add_argument("--lambda-port", type=_port, default=3001, help="port of Lambda; 0 takes a free one (3001)")
    start.add_argument("--bucket-host", action="append", help="address of the bucket; may be repeated")
    start.add_argument("--bucket-port", type=_port, default=9000, help="port of the bucket (9000)")
    start.add_argument("--data-dir", type=Path, default=DEFAULT_DATA_DIR, help="where the bucket keeps its objects")


def _add_start_api(api: argparse.ArgumentParser) -> None:
    _add_api_options(api)
    api.add_argument("--lambda-port", type=_port, help="serve Lambda's own API, too, on this port; 0 takes a free one")


def _add_start_lambda(start: argparse.ArgumentParser) -> None:
    start.add_argument("functions", nargs="*", metavar="function", help="logical ids; all functions if none is named")
    _add_project_options(start)
    _add_listening_options(start, "lambda_port", 3001)
    _add_service_options(start)
    start.set_defaults(lambda_flag="-p")


def _add_invoke(invoke: argparse.ArgumentParser) -> None:
    invoke.add_argument("function", nargs="?", help="logical id; may be left out if there is only one function")
    invoke.add_argument("-e", "--event", help="a file with the event, or - for stdin; without it the event is {}")
    _add_project_options(invoke)


def _add_fire(fire: argparse.ArgumentParser) -> None:
    fire.add_argument(
        "name", help="logical id of the rule, schedule or bucket, or of SAM's event or function and event"
    )
    fire.add_argument("--key", help="the object's key, for an S3 notification")
    fire.add_argument("--bucket", dest="fire_bucket", help="the bucket's name; else the notification's")
    fire.add_argument("-e", "--event", help="a file with the event to send instead, or - for stdin")
    fire.add_argument("--url", help="address of the emulator's HTTP API or Lambda (http://127.0.0.1:3000, then 3001)")


def _add_bucket(bucket: argparse.ArgumentParser) -> None:
    bucket.add_argument(
        "--host", dest="bucket_host", action="append", help="address to listen on; may be repeated (127.0.0.1)"
    )
    bucket.add_argument("--port", "-p", dest="bucket_port", type=_port, default=9000, help="0 takes a free one (9000)")
    bucket.add_argument("--data-dir", type=Path, default=DEFAULT_DATA_DIR, help="where objects are kept")
    bucket.add_argument("--bucket", action="append", default=[], help="a bucket to create if it doesn't exist")
    bucket.add_argument("--port-flag", default="--port", help=argparse.SUPPRESS)
    _add_process_options(bucket)


def _add_project_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-t", "--template", "--template-file", type=Path, default=DEFAULT_TEMPLATE,
        help="(.aws-sam/build/template.yaml, template.yaml, template.yml or template.json: the first that exists)",
    )  # fmt: skip
    parser.add_argument("--config-file", type=Path, help="SAM CLI's configuration file (samconfig.toml, .yaml or .yml)")
    parser.add_argument("--config-env", help="the environment in it (default)")
    parser.add_argument("--no-config", action="store_true", help="read no configuration file")
    parser.add_argument(
        "--parameter-overrides", nargs="+", action="extend", default=[], metavar="K=V", help="template parameters"
    )
    parser.add_argument(
        "--values", type=Path, metavar="FILE",
        help='JSON with values from elsewhere: {"ssm:/app/url": "…", "secretsmanager:db": {…}, "ImportValue:vpc": "…"}',
    )  # fmt: skip
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse a template with an API, a function or a value that can't be imitated",
    )
    parser.add_argument("-n", "--env-vars", type=Path, help="JSON as `sam local` takes it")
    parser.add_argument("-l", "--log-file", type=Path, help="the functions' output goes there instead of stderr")
    parser.add_argument("--region", help="the functions' region; else AWS_REGION, AWS_DEFAULT_REGION or us-east-1")
    parser.add_argument("--profile", help="the AWS profile whose credentials functions get")
    parser.add_argument("--s3-endpoint", help="AWS_ENDPOINT_URL_S3 for functions whose template doesn't set it")
    parser.add_argument(
        "--concurrency", type=_count, default=1000, help="requests in flight in all functions, at least 1 (1000)"
    )
    parser.add_argument(
        "--idle-timeout", type=_seconds, default=600, help="seconds until an idle environment ends (600)"
    )
    parser.add_argument("--init-limit", type=_seconds, default=10, help="seconds that initialising may take (10)")
    parser.add_argument(
        "-d", "--debug-port", type=int, metavar="PORT",
        help="run a function under debugpy, which waits on this port until a debugger attaches; no limits of time then",
    )  # fmt: skip
    parser.add_argument("--debug-function", metavar="NAME", help="with -d: which function, if there are several")
    for flag in WITHOUT_EFFECT:
        parser.add_argument(flag, nargs=0, action=_NoteIgnoredFlag, help=argparse.SUPPRESS)
    for flags in _WITHOUT_EFFECT_TAKING_A_VALUE:
        parser.add_argument(*flags, action=_NoteIgnoredFlag, help=argparse.SUPPRESS)


def _add_listening_options(parser: argparse.ArgumentParser, name: str, port: int) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument(
        "-p", "--port", dest=name, metavar="PORT", type=_port, default=port, help=f"0 takes a free one ({port})"
    )
    _add_process_options(parser)


def _add_service_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, help="where versions and aliases are kept")
    parser.add_argument(
        "--faults",
        type=_option("read_faults_file"),
        default=(),
        metavar="FILE",
        help="JSON with the faults to inject, as PUT /_emulator/faults takes it",
    )
    parser.add_argument(
        "--update-time", type=_seconds, default=0.5, metavar="S",
        help="seconds for which an update by Lambda's API is InProgress, and a new version Pending, as on AWS (0.5)",
    )  # fmt: skip
    parser.add_argument("--no-watch", action="store_true", help="don't deploy code that is saved meanwhile")
    parser.add_argument(
        "--async-retry-waits", type=_option("parse_retry_waits"), default="60,120", metavar="S,S",
        help="seconds after the first and the second failed attempt of an asynchronous invocation (60,120)",
    )  # fmt: skip
    parser.add_argument(
        "--schedule-interval", type=_option("parse_seconds"), metavar="S",
        help="let every rate(...) of the template's schedules have at most this many seconds; cron(...) stays as it is",
    )  # fmt: skip
    parser.add_argument(
        "--deployment-interval", type=_option("parse_seconds"), metavar="S",
        help="let a rollout of code by CodeDeploy wait at most this many seconds between two steps",
    )  # fmt: skip
    parser.add_argument(
        "--delivery-interval", type=_option("parse_seconds"), default=2.0, metavar="S",
        help="buffer logs that go to a bucket for at most this many seconds (2)",
    )  # fmt: skip
    parser.add_argument(
        "--warm-containers",
        type=str.upper,
        choices=("EAGER", "LAZY"),
        help="without effect: environments always stay warm",
    )


def _add_api_options(parser: argparse.ArgumentParser) -> None:
    _add_project_options(parser)
    _add_listening_options(parser, "api_port", 3000)
    _add_service_options(parser)
    parser.add_argument("--disable-authorizer", action="store_true", help="don't call the API's authorizers")
    parser.add_argument(
        "--count-header", metavar="NAME", help="on the status page, count answers by this header's value, too"
    )


def _add_process_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ready-file", type=Path, help="written once requests are answered: {url, pid, ...}")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="a host name by which clients reach Lambda, the bucket or /_emulator/; may be repeated",
    )  # fmt: skip
    parser.add_argument("--life-fd", type=int, help="read end of a pipe: end at once when its other end is closed")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {_LAST_PORT}, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it is a whole number from 1 on, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not seconds >= 0:
        raise argparse.ArgumentTypeError(f"it is a number of seconds from 0 on, not {text!r}")
    return seconds


def _option(name: str) -> Callable[[str], Any]:
    """Return a function of `emulator.cli.settings.options`, imported at its first call; the bucket does without it."""

    def read(text: str) -> Any:
        return getattr(importlib.import_module("emulator.cli.settings.options"), name)(text)

    return read


class _NoteIgnoredFlag(argparse.Action):
    """Records the name of a given flag that has no effect."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        _values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """See `argparse.Action`."""
        namespace.ignored = (*getattr(namespace, "ignored", ()), option_string)
