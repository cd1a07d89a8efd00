"""Builds the function: the only place that makes clients, clocks and random sources and reads the environment.

How a request becomes a prediction:

1. Lambda calls ``main.handler`` with an HTTP API event. ``http/http_api`` finds the route and answers;
   ``http/problems`` says which error becomes which problem.
2. ``http/request_body`` reads the body as strict JSON, ``records/envelopes`` finds the records in it, and
   ``records/record_schema`` checks them all (types, hard bounds, unknown fields) and lists what is wrong for the 422.
3. ``models/alias_follower`` says which versions answer. It looks the alias up at most once in a TTL;
   ``models/model_cache`` loads a version that is new, and ``model_artifact.loading`` verifies it first.
4. The routing key (the first record's ``loan_id``) decides between the two versions of a canary.
5. The version scores the records; ``service`` compares the probabilities with its threshold and adds warnings about
   values that the version wasn't trained on.
6. If the alias names a shadow, ``shadow`` scores that version too, now that the answer is made up.
7. ``telemetry`` writes one line about the request: its metrics and, from ``prediction_entry``, what is known of its
   version and records; none of the values that the client sent.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from model_artifact.loading import begin_version
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from model_watch.embedded_metrics import EmbeddedMetrics
from predict_api.http.errors import NoVerifiedModelError
from predict_api.http.http_api import PredictionApi
from predict_api.metrics import UNITS
from predict_api.models.alias_follower import AliasFollower
from predict_api.models.back_off import BackOff
from predict_api.models.clock import Clock, read_clocks
from predict_api.models.model_cache import ModelCache, ModelLoader
from predict_api.models.shadow_loader import ShadowLoader
from predict_api.prediction_entry import PredictionEntries
from predict_api.service import PredictionService
from predict_api.settings import Settings
from predict_api.shadow import ShadowScorer
from predict_api.telemetry import Telemetry

Handler = Callable[[Any, Any], dict[str, Any]]

_CONNECT_TIMEOUT_S = 1.0
_READ_TIMEOUT_S = 2.0
_S3_ATTEMPTS = 2
# An outage of the bucket is often short, and asking costs little. A version that failed its verification fails again.
_OUTAGE_FIRST_S = 0.25
_OUTAGE_CAP_S = 5.0
_REFUSAL_FIRST_S = 5.0
_REFUSAL_CAP_S = 300.0


def build(
    settings: Settings,
    store: ObjectStore,
    load: ModelLoader,
    *,
    clock: Clock,
    jitter: Callable[[], float],
    new_id: Callable[[], str],
) -> tuple[PredictionApi, AliasFollower]:
    """Put the function together, load the alias's versions, and return the handler and its alias follower.

    If no version can be loaded, the function starts all the same, and requests try again as the back-off allows.
    ``jitter`` returns floats in [0, 1), and ``new_id`` a new unique id.
    """
    telemetry = _make_telemetry(settings, clock)
    reader = RegistryReader(store, settings.model)
    # At most the TTL: once the bucket answers again, the alias is read again within the TTL.
    outage_cap_s = min(_OUTAGE_CAP_S, settings.alias_ttl_s)
    outage_back_off = BackOff(_OUTAGE_FIRST_S, outage_cap_s, jitter)
    refusal_back_off = BackOff(_REFUSAL_FIRST_S, _REFUSAL_CAP_S, jitter)
    cache = ModelCache(reader, load, clock, outage_back_off, refusal_back_off, telemetry)
    follower = AliasFollower(reader, settings.alias, cache, settings.alias_ttl_s, clock, outage_back_off, telemetry)
    service = PredictionService(settings.model, follower)
    shadow = ShadowScorer(ShadowLoader(reader, load, cache, clock))
    try:
        follower.follow()
    except NoVerifiedModelError as error:
        telemetry.not_ready(error)
    return PredictionApi(service, follower, shadow, telemetry, clock, new_id), follower


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Switch the garbage collector off inside the block, and exempt the objects made there from later collections.

    The function's models and modules live as long as the process. Collecting among them took a tenth of a cold start.
    Exempt objects also stay in the memory that forked environments share.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()


@_without_garbage_collection()
def build_for_lambda() -> Handler:
    """Build the function from the process's environment; see ``Settings.from_environ`` for the variables."""
    settings = Settings.from_environ(os.environ)
    # Imported here, like the tracer below: tests and other stores need no botocore.
    from model_registry.stores.s3 import S3Store, make_s3_client

    client = make_s3_client(
        settings.s3_endpoint_url,
        connect_timeout_s=_CONNECT_TIMEOUT_S,
        read_timeout_s=_READ_TIMEOUT_S,
        max_attempts=_S3_ATTEMPTS,
    )
    # The system's random numbers: environments restored from one snapshot share their generator's state.
    api, follower = build(
        settings,
        S3Store(settings.bucket, client),
        partial(begin_version, trust=settings.trust, memory_limit_mib=settings.memory_mib),
        clock=read_clocks,
        jitter=random.SystemRandom().random,
        new_id=lambda: str(uuid.uuid4()),
    )
    _register_snapshot_hooks(client, follower)
    return _traced(api, settings) if settings.is_traced else api


def _make_telemetry(settings: Settings, clock: Clock) -> Telemetry:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.shared.functions import get_tracer_id

    metrics = None
    if settings.has_metrics:
        metrics = EmbeddedMetrics(settings.metrics_namespace, settings.metric_dimensions, UNITS)
    logger = Logger(service=settings.service, level=settings.log_level, utc=True, use_rfc3339=True)
    logger.append_keys(stage=settings.stage)
    entries = PredictionEntries(settings.model, settings.loan_hasher)
    return Telemetry(logger, metrics, clock, print, get_tracer_id, entries)


def _register_snapshot_hooks(client: Any, follower: AliasFollower) -> None:
    """Close connections before a snapshot, and look the alias up after a restore.

    Restored environments that shared a connection would read each other's answers, and the snapshot may be old.
    """
    try:
        # Only Lambda's Python runtimes, from 3.12 on, have this module.
        from snapshot_restore_py import register_after_restore, register_before_snapshot
    except ImportError:
        return
    register_before_snapshot(client.close)
    register_after_restore(client.close)
    register_after_restore(follower.restore)


def _traced(api: PredictionApi, settings: Settings) -> Handler:
    from aws_lambda_powertools import Tracer

    # A restored environment looks the alias up before its first invocation, when there is no trace to be part of. The
    # SDK would warn of that each time.
    logging.getLogger("aws_xray_sdk.core.lambda_launcher").setLevel(logging.ERROR)
    tracer = Tracer(service=settings.service, auto_patch=False)
    tracer.patch(["botocore"])

    # A function, since the tracer names the segment after it.
    def handler(event: Any, context: Any) -> dict[str, Any]:
        return api(event, context)

    # Neither answers nor errors go into a trace: both may hold a client's values.
    traced: Handler = tracer.capture_lambda_handler(handler, capture_response=False, capture_error=False)
    return traced
