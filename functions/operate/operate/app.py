"""Builds the functions: the only place that makes clients, clocks and random sources and reads the environment."""

from __future__ import annotations

import functools
import os
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from model_monitor.monitor import look
from model_monitor.settings import default_settings
from model_registry.alias_writer import AliasWriter
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from model_rollout.code_versions import list_code_versions
from model_rollout.controller import Controller
from model_rollout.log_evidence import LogEvidence
from model_rollout.rollout_store import RolloutStore
from model_watch.log_reader import LogReader
from operate.api_calls import invoke_version
from operate.code_check import CodeCheck
from operate.code_ping import CodePing
from operate.jobs import MONITOR, PING_CODE, ROLLOUTS, Jobs
from operate.nightly_look import NightlyLook
from operate.rollout_round import RolloutRound
from operate.settings import CheckSettings, LookSettings, PingSettings, Settings

# In the alias's history: what the rollouts' controller did.
WHO = "operate"


def build(
    settings: Settings,
    models: ObjectStore,
    log: ObjectStore,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], str],
    write: Callable[[str], None],
) -> RolloutRound:
    """Put the job together that drives the rollouts.

    Parameters
    ----------
    settings : Settings
        The model, and what is in each log line.
    models, log : ObjectStore
        The bucket of the models, and the one that the prediction log is delivered to.
    clock : callable
        Returns now, with a time zone.
    new_id : callable
        Returns a new unique text.
    write : callable
        Takes a line of the function's own log.
    """
    evidence = LogEvidence(lambda: LogReader(log, settings.model), clock)
    aliases = AliasWriter(models, settings.model, clock=clock, who=WHO, new_id=new_id)
    rollouts = RolloutStore(models, settings.model, new_id=new_id)
    controller = Controller(rollouts, aliases, evidence, clock=clock)
    return RolloutRound(settings, controller, evidence, clock=clock, write=write)


def build_look(
    settings: LookSettings,
    models: ObjectStore,
    log: ObjectStore,
    *,
    clock: Callable[[], datetime],
    write: Callable[[str], None],
) -> NightlyLook:
    """Put the job together that monitors the version in charge, with the settings of monitor.toml."""
    look_at = functools.partial(look, models, log, settings.model, settings.alias, default_settings())
    return NightlyLook(settings, look_at, clock=clock, write=write)


def build_ping(
    settings: PingSettings,
    functions: Any,
    *,
    clock: Callable[[], datetime],
    write: Callable[[str], None],
    sleep: Callable[[float], None],
) -> CodePing:
    """Put the job together that calls versions of the code; ``functions`` is a client of Lambda."""
    function, _, deployed = settings.deployed_version.rpartition(":")

    def call(version: str, event: Mapping[str, Any]) -> dict[str, Any]:
        return invoke_version(functions, f"{function}:{version}", event)

    list_versions = functools.partial(list_code_versions, functions, function, of_stack={deployed})
    return CodePing(settings, list_versions, call, clock=clock, write=write, sleep=sleep)


def build_check(
    settings: CheckSettings,
    models: ObjectStore,
    functions: Any,
    deployments: Any,
    *,
    write: Callable[[str], None],
    sleep: Callable[[float], None],
) -> CodeCheck:
    """Put CheckFunction together; ``functions`` and ``deployments`` are clients of Lambda and CodeDeploy."""

    def report(deployment: str, execution: str, status: str) -> None:
        deployments.put_lifecycle_event_hook_execution_status(
            deploymentId=deployment, lifecycleEventHookExecutionId=execution, status=status
        )

    return CodeCheck(
        RegistryReader(models, settings.model),
        settings.alias,
        ask_new=functools.partial(invoke_version, functions, settings.new_version),
        ask_serving=functools.partial(invoke_version, functions, settings.serving_version),
        report=report,
        write=write,
        sleep=sleep,
    )


def build_check_for_lambda() -> CodeCheck:
    """Build CheckFunction from the process's environment; ``CheckSettings.from_environ`` names the variables."""
    settings = CheckSettings.from_environ(os.environ)
    from botocore.session import Session

    from model_registry.stores.s3 import S3Store, make_s3_client

    session = Session()
    functions, deployments = session.create_client("lambda"), session.create_client("codedeploy")
    models = S3Store(settings.bucket, make_s3_client(settings.s3_endpoint_url))
    return build_check(settings, models, functions, deployments, write=_write, sleep=time.sleep)


def build_for_lambda() -> Jobs:
    """Build OperateFunction from the process's environment; its settings' ``from_environ`` name the variables."""
    rollouts = _build_rollouts_for_lambda()
    return Jobs({ROLLOUTS: lambda: rollouts, PING_CODE: _build_ping_for_lambda, MONITOR: _build_look_for_lambda})


def _build_rollouts_for_lambda() -> RolloutRound:
    settings = Settings.from_environ(os.environ)
    models, log = _stores(settings)
    return build(settings, models, log, clock=_now, new_id=lambda: uuid.uuid4().hex, write=_write)


def _build_look_for_lambda() -> NightlyLook:
    settings = LookSettings.from_environ(os.environ)
    models, log = _stores(settings)
    return build_look(settings, models, log, clock=_now, write=_write)


def _stores(settings: Settings) -> tuple[ObjectStore, ObjectStore]:
    """Return the bucket of the models, and that of the log."""
    # Imported here: tests and other stores need no botocore.
    from model_registry.stores.s3 import S3Store, make_s3_client

    client = make_s3_client(settings.s3_endpoint_url)
    return S3Store(settings.bucket, client), S3Store(settings.log_bucket, client)


def _build_ping_for_lambda() -> CodePing:
    settings = PingSettings.from_environ(os.environ)
    from botocore.config import Config
    from botocore.session import Session

    # Longer than the timeout of PredictFunction, and few attempts, so that one version leaves time for the others.
    config = Config(read_timeout=35, retries={"mode": "standard", "total_max_attempts": 2})
    functions = Session().create_client("lambda", config=config)
    return build_ping(settings, functions, clock=_now, write=_write, sleep=time.sleep)


def _now() -> datetime:
    return datetime.now(UTC)


def _write(line: str) -> None:
    print(line, flush=True)  # noqa: T201
