"""Builds the function: the only place that makes clients, clocks and random sources and reads the environment."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from model_registry.alias_writer import AliasWriter
from model_registry.stores.base import ObjectStore
from model_rollout.controller import Controller
from model_rollout.log_evidence import LogEvidence
from model_rollout.rollout_store import RolloutStore
from model_watch.log_reader import LogReader
from operate.rollout_round import RolloutRound
from operate.settings import Settings

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
    """Put the function together.

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
    evidence = LogEvidence(lambda: LogReader(log))
    aliases = AliasWriter(models, settings.model, clock=clock, who=WHO, new_id=new_id)
    rollouts = RolloutStore(models, settings.model, new_id=new_id)
    controller = Controller(rollouts, aliases, evidence, clock=clock)
    return RolloutRound(settings, controller, evidence, clock=clock, write=write)


def build_for_lambda() -> RolloutRound:
    """Build the function from the process's environment; see ``Settings.from_environ`` for the variables."""
    settings = Settings.from_environ(os.environ)
    # Imported here: tests and other stores need no botocore.
    from model_registry.stores.s3 import S3Store, make_s3_client

    client = make_s3_client(settings.s3_endpoint_url)
    return build(
        settings,
        S3Store(settings.bucket, client),
        S3Store(settings.log_bucket, client),
        clock=lambda: datetime.now(UTC),
        new_id=lambda: uuid.uuid4().hex,
        write=lambda line: print(line, flush=True),  # noqa: T201
    )
