"""The function's way in: ``handler``, and the one place where clients, clocks and the environment are made.

How a request becomes a prediction:

1. Lambda calls ``handler`` with an HTTP API event. ``http_api`` matches the route; what goes wrong from here on becomes
   a problem by the table in ``problems``.
2. ``request_body`` reads the body as strict JSON, ``envelopes`` finds the records in it, ``schema`` checks all of them
   in one call (types, hard bounds, unknown fields).
3. ``alias_follower`` says which version is in charge. It looks the alias up if that was not done within the TTL, and
   has ``model_cache`` load what is new; ``serving_model`` verifies a version before its pickle is opened.
4. The routing key (the first record's ``loan_id``) decides between the two versions of a canary.
5. The version scores the records; ``service`` puts the probabilities beside its threshold, with warnings about values
   that it has not seen.
6. ``telemetry`` logs the request, without a value of it, and emits its metrics.
"""

from __future__ import annotations

import gc
import os
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from predict_api.http.errors import NoVerifiedModelError
from predict_api.http.http_api import PredictionApi
from predict_api.models.alias_follower import AliasFollower
from predict_api.models.back_off import BackOff
from predict_api.models.clock import Clock, SystemClock
from predict_api.models.model_cache import ModelCache
from predict_api.models.serving_model import ModelLoader, make_loader
from predict_api.service import PredictionService
from predict_api.settings import Settings
from predict_api.telemetry import Telemetry

Handler = Callable[[Any, Any], dict[str, Any]]

_CONNECT_TIMEOUT_S = 1.0
_READ_TIMEOUT_S = 2.0
_S3_ATTEMPTS = 2
# The bucket's outages are short and cheap to ask about; what failed its verification will most likely fail again.
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
    """Put the function together, load what the alias points to, and return the handler and its follower.

    Without a model the function starts all the same: each request tries again, no more often than the back-off allows.

    Parameters
    ----------
    settings : Settings
        How.
    store : ObjectStore
        The bucket.
    load : ModelLoader
        Loads and verifies a version.
    clock : Clock
        The time.
    jitter : callable
        Returns floats in [0, 1).
    new_id : callable
        Returns an id that nobody else has.
    """
    telemetry = _make_telemetry(settings, clock)
    reader = RegistryReader(store, settings.model)
    # Never longer than the TTL: once the bucket answers again, the TTL's promise holds again.
    outage_cap_s = min(_OUTAGE_CAP_S, settings.alias_ttl_s)
    outage_back_off = BackOff(_OUTAGE_FIRST_S, outage_cap_s, jitter)
    cache = ModelCache(
        reader,
        load,
        clock=clock,
        outage_back_off=outage_back_off,
        refusal_back_off=BackOff(_REFUSAL_FIRST_S, _REFUSAL_CAP_S, jitter),
        observer=telemetry,
    )
    follower = AliasFollower(
        reader,
        settings.alias,
        cache,
        ttl_s=settings.alias_ttl_s,
        clock=clock,
        back_off=outage_back_off,
        observer=telemetry,
    )
    service = PredictionService(settings.model, follower)
    try:
        follower.follow()
    except NoVerifiedModelError as error:
        telemetry.not_ready(error)
    return PredictionApi(service, follower, telemetry, clock, new_id), follower


def _make_telemetry(settings: Settings, clock: Clock) -> Telemetry:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.metrics import EphemeralMetrics

    metrics = EphemeralMetrics(namespace=settings.metrics_namespace, service=settings.service)
    metrics.set_default_dimensions(stage=settings.stage)
    logger = Logger(service=settings.service, level=settings.log_level, utc=True)
    logger.append_keys(stage=settings.stage)
    return Telemetry(logger, metrics, clock)


def _build_for_lambda() -> Handler:
    settings = Settings.from_environ(os.environ)
    # Imported here, like the tracer below: tests and other stores need no botocore.
    from model_registry.stores.s3 import S3Store, make_s3_client

    client = make_s3_client(
        settings.s3_endpoint_url,
        connect_timeout_s=_CONNECT_TIMEOUT_S,
        read_timeout_s=_READ_TIMEOUT_S,
        max_attempts=_S3_ATTEMPTS,
    )
    # The system's random numbers: every environment restored from a snapshot would have the same generator in memory.
    api, follower = build(
        settings,
        S3Store(settings.bucket, client),
        make_loader(settings.allowed_names),
        clock=SystemClock(),
        jitter=random.SystemRandom().random,
        new_id=lambda: str(uuid.uuid4()),
    )
    _register_snapshot_hooks(client, follower)
    return _traced(api, settings) if settings.is_traced else api


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the garbage collector from running while what lasts is made, and from looking at it ever after.

    It would go through all that again and again and find nothing: a tenth of a cold start. Frozen, it also stays in the
    memory that forked environments share.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()


def _register_snapshot_hooks(client: Any, follower: AliasFollower) -> None:
    """Let no connection get into a snapshot, and no restored environment trust what the snapshot knew.

    Restored environments that shared a connection would read each other's answers.
    """
    try:
        # Part of Lambda's Python runtimes from 3.12 on, and of nothing else.
        from snapshot_restore_py import register_after_restore, register_before_snapshot
    except ImportError:
        return
    register_before_snapshot(client.close)
    register_after_restore(client.close)
    register_after_restore(follower.restore)


def _traced(api: PredictionApi, settings: Settings) -> Handler:
    from aws_lambda_powertools import Tracer

    tracer = Tracer(service=settings.service, auto_patch=False)
    tracer.patch(["botocore"])
    # Neither answers nor errors go into a trace: both may hold what a client sent.
    traced: Handler = tracer.capture_lambda_handler(_plain(api), capture_response=False, capture_error=False)
    return traced


def _plain(api: PredictionApi) -> Handler:
    def handler(event: Any, context: Any) -> dict[str, Any]:
        """Answer one event."""
        return api(event, context)

    return handler


def __getattr__(name: str) -> Any:
    """Build ``handler`` when it is first asked for.

    Lambda's init phase is the import of this module and the look-up of its handler; building at the look-up keeps the
    import free of work, so that tests can import the module without an environment.
    """
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _no_collections():
        handler = globals()["handler"] = _build_for_lambda()
    return handler
