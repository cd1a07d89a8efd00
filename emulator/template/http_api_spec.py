"""An HTTP API as plain values: its stages, routes, CORS policy, authorizers and limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_ROUTE = "$default"
DEFAULT_STAGE = "$default"
ANY_METHOD = "ANY"
MAX_INTEGRATION_S = 30.0
# An account's limits. One of them applies where the template sets only the other.
ACCOUNT_RATE = 10_000.0
ACCOUNT_BURST = 5_000


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer (``REQUEST``).

    Parameters
    ----------
    name : str
        What routes call it.
    function : str
        The logical id of its function.
    qualifier : str or None
        The alias or version that is called.
    payload_format : str
        Of the event: ``1.0`` or ``2.0``.
    simple_answers : bool
        It answers ``{"isAuthorized": …}`` rather than an IAM policy. Payload format 2.0 alone has that.
    identity_sources : tuple of str
        Selection expressions, such as ``$request.header.Authorization``. A request that lacks one is refused
        unasked; together they are the key of the cache.
    ttl_s : int
        How long an answer is cached, at most 3,600; 0 caches none.
    """

    name: str
    function: str
    qualifier: str | None = None
    payload_format: str = "2.0"
    simple_answers: bool = False
    identity_sources: tuple[str, ...] = ()
    ttl_s: int = 0


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """One route of an HTTP API.

    Parameters
    ----------
    method : str
        A verb in capitals, or `ANY_METHOD`.
    path : str
        `DEFAULT_ROUTE`, or a path of plain segments, ``{parameter}`` segments and a last ``{parameter+}``.
    function : str
        The logical id of the function behind it.
    qualifier : str or None
        The alias or version that is called.
    timeout_s : float
        How long the API waits: at most 30.
    payload_format : str
        Of the event and the answer: ``1.0`` or ``2.0``.
    authorizer : Authorizer or None
        The authorizer that decides before the function is called.
    key : str
        What an event calls the route: ``POST /predict`` or ``$default``. Follows from method and path.
    """

    method: str
    path: str
    function: str
    qualifier: str | None = None
    timeout_s: float = MAX_INTEGRATION_S
    payload_format: str = "2.0"
    authorizer: Authorizer | None = None
    # Kept, because each request needs it.
    key: str = field(init=False)

    def __post_init__(self) -> None:
        key = self.path if self.path == DEFAULT_ROUTE else f"{self.method} {self.path}"
        object.__setattr__(self, "key", key)


@dataclass(frozen=True, slots=True)
class Throttle:
    """A route's limits.

    Parameters
    ----------
    rate : float
        Requests per second in the long run.
    burst : int
        Requests at once.
    """

    rate: float = ACCOUNT_RATE
    burst: int = ACCOUNT_BURST


@dataclass(frozen=True, slots=True)
class CorsPolicy:
    """What scripts of other origins may do, as ``CorsConfiguration`` has it. An empty field sends no header."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age_s: int | None = None


@dataclass(frozen=True, slots=True)
class HttpStage:
    """One stage of an API.

    Parameters
    ----------
    name : str
        `DEFAULT_STAGE`, or the first segment of every path.
    routes : tuple of HttpRoute
        Stages differ in them where an integration's address holds a stage variable.
    variables : mapping
        Stage variables.
    throttles : mapping
        Route key → its limits. Routes without an entry have `default_throttle`, each for itself.
    default_throttle : Throttle or None
        None limits nothing.
    """

    name: str = DEFAULT_STAGE
    routes: tuple[HttpRoute, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    throttles: Mapping[str, Throttle] = field(default_factory=dict)
    default_throttle: Throttle | None = None


@dataclass(frozen=True, slots=True)
class HttpApi:
    """One HTTP API.

    Parameters
    ----------
    logical_id : str
        Its name in the template.
    stages : tuple of HttpStage
        At least one.
    cors : CorsPolicy or None
        None leaves CORS to the functions.
    """

    logical_id: str
    stages: tuple[HttpStage, ...]
    cors: CorsPolicy | None = None

    @property
    def routes(self) -> tuple[HttpRoute, ...]:
        """The routes of every stage, each once; paths are without the stage."""
        return tuple(dict.fromkeys(route for stage in self.stages for route in stage.routes))


def without_authorizers(api: HttpApi) -> HttpApi:
    """Return an API whose routes everybody may call."""
    stages = (
        dataclasses.replace(stage, routes=tuple(dataclasses.replace(route, authorizer=None) for route in stage.routes))
        for stage in api.stages
    )
    return dataclasses.replace(api, stages=tuple(stages))
