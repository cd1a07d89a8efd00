"""The function in one process: real models, a bucket in memory, a clock set by hand, events made by hand."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import joblib

from memory_store import InMemoryStore
from model_artifact.features import frame_from_records
from model_artifact.libraries import running_environment
from model_artifact.loading import begin_version
from model_artifact.pipeline import late_probabilities
from model_artifact.reasons import CODES_VERSION
from model_artifact.serving_form.parity import compile_verified
from model_kit import OpenedHere
from model_registry.candidate import Candidate, Inspection, Inspector
from model_registry.errors import StoreUnavailableError
from model_registry.manifest import Reasons, Threshold
from model_registry.reader import RegistryReader
from model_registry.stores.base import MAX_OBJECT_BYTES, ObjectStore, StoredObject
from model_registry.writer import RegistryWriter
from predict_api.app import build
from predict_api.models.clock import Instant
from predict_api.models.model_cache import ModelLoader, VersionLoading
from predict_api.settings import Settings
from registry_kit import PUBLISHER, TRUST
from tests.contract.predict_api.loans_kit import loans_profile, loans_schema

TTL_S = 5.0
RECORD: Mapping[str, Any] = {
    "loan_amnt": 12000,
    "int_rate": 0.1356,
    "purpose": "credit_card",
    "grade": "C",
    "annual_inc": 65000,
    "revol_util": 0.54,
    "emp_length": "3 years",
    "dti": 18.4,
    "delinq_2yrs": 0,
    "home_ownership": "RENT",
}
PROBES = (RECORD, {**RECORD, "grade": "A", "int_rate": 0.07, "emp_length": None}, {**RECORD, "revol_util": None})

_numbers = itertools.count(1)


@dataclass
class HandClock:
    """A clock that moves when it is told to, and a hair with each look, as real ones do."""

    monotonic_s: float = 1000.0
    wall_s: float = 1.7e9

    def now(self) -> Instant:
        """Return this moment."""
        self.monotonic_s += 1e-6
        self.wall_s += 1e-6
        return Instant(self.monotonic_s, self.wall_s)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.monotonic_s += seconds
        self.wall_s += seconds


class WatchedStore:
    """A store that counts its reads, and fails those that it is told to fail."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.reads: list[str] = []
        self.fail: Callable[[str], Exception | None] = lambda key: None

    def get(self, key: str, *, limit_bytes: int = MAX_OBJECT_BYTES) -> StoredObject:
        self._note(key)
        return self._store.get(key, limit_bytes=limit_bytes)

    def get_if_changed(self, key: str, etag: str, *, limit_bytes: int = MAX_OBJECT_BYTES) -> StoredObject | None:
        self._note(key)
        return self._store.get_if_changed(key, etag, limit_bytes=limit_bytes)

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        return self._store.put(key, body, if_absent=if_absent, if_match=if_match)

    def list_keys(self, prefix: str) -> list[str]:
        return self._store.list_keys(prefix)

    def delete(self, key: str) -> None:
        self._store.delete(key)

    def reads_of(self, part: str) -> int:
        """Return how many reads there were of keys with ``part`` in them."""
        return sum(part in key for key in self.reads)

    def break_down(self, part: str = "") -> None:
        """Fail all reads of keys with ``part`` in them, as a bucket does that is out of reach."""
        self.fail = lambda key: StoreUnavailableError("read", key, "it is out of reach") if part in key else None

    def recover(self) -> None:
        """Fail no more."""
        self.fail = lambda key: None

    def _note(self, key: str) -> None:
        self.reads.append(key)
        error = self.fail(key)
        if error is not None:
            raise error


class TrustingWriter(RegistryWriter):
    """A writer that looks at no file before it puts a version in charge.

    The function must hold when a file is damaged after that look, or an older release moved the alias without one.
    """

    def _require_whole(self, versions: set[int], files: Mapping[int, set[str]]) -> None:
        pass


class Registry:
    """A bucket with a writer beside it."""

    def __init__(self, store: ObjectStore | None = None, inspector: Inspector | None = None) -> None:
        self.store = WatchedStore(store or InMemoryStore())
        self.writer = self._make_writer(inspector or inspect_here)

    def publish(self, model: bytes, threshold: float = 0.05, inspect: Inspector | None = None) -> int:
        """Publish a pickle and return its version."""
        writer = self.writer if inspect is None else self._make_writer(inspect)
        return writer.publish(candidate(model, threshold)).manifest.version

    def put(self, key: str, body: bytes) -> None:
        """Overwrite an object behind the registry's back."""
        self.store.put(f"late-payer/{key}", body)

    def get(self, key: str) -> bytes:
        """Return an object as it is stored."""
        return self.store.get(f"late-payer/{key}").body

    def _make_writer(self, inspect: Inspector) -> RegistryWriter:
        return TrustingWriter(
            self.store,
            clock=lambda: datetime.now(UTC),
            who="a test",
            new_id=lambda: f"id-{next(_numbers)}",
            inspect=inspect,
            sign=PUBLISHER.sign,
        )


def candidate(model: bytes, threshold: float = 0.05) -> Candidate:
    """Return a pickle with all that publishing needs."""
    return Candidate(
        pickle=model,
        input_schema=loans_schema(),
        threshold=Threshold(threshold, "set by a test"),
        metrics={"auc": 0.6},
        data={"name": "sample data"},
        probe_records=PROBES,
        git_commit=None,
        description="a model of a test",
        reasons=Reasons(CODES_VERSION, {**RECORD, "grade": "A", "int_rate": 0.08, "home_ownership": "MORTGAGE"}),
        profile=loans_profile(),
    )


def inspect_here(pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
    """Inspect a pickle of our own in this process; what can't be scored is believed."""
    try:
        pipeline = joblib.load(io.BytesIO(pickle))
        probabilities = late_probabilities(pipeline, frame_from_records(probe_records)).tolist()
    except Exception:  # noqa: BLE001 - what can't be scored is believed
        return believe(pickle, probe_records)
    return Inspection(running_environment(), (0, 1), tuple(probabilities))


def inspect_and_compile(pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
    """Inspect a pickle of our own in this process, and compile it as publishing does."""
    form = compile_verified(joblib.load(io.BytesIO(pickle)), probe_records)
    assert form.body is not None, form.why_not
    return replace(inspect_here(pickle, probe_records), serving_form=form.body)


def believe(pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
    """Take a pickle for a model without looking, as a registry would that somebody wrote to by hand."""
    return Inspection(running_environment(), (0, 1), (0.5,) * len(probe_records))


def settings(**changes: Any) -> Settings:
    """Return settings of a service of its own: Powertools keeps one logger a service name."""
    environ = {
        "MODEL_BUCKET": "models",
        "ALIAS_TTL_SECONDS": str(TTL_S),
        "POWERTOOLS_SERVICE_NAME": f"test-{next(_numbers)}",
    }
    return replace(Settings.from_environ(environ), **changes)


@dataclass
class Answer:
    """An answer of the handler."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def version(self) -> int:
        """The version that scored."""
        return int(self.headers["X-Model-Version"])

    @property
    def pointers(self) -> list[str]:
        """The pointers of a problem's errors."""
        return [entry["pointer"] for entry in self.json.get("errors", [])]

    @property
    def codes(self) -> list[str]:
        """The codes of a problem's errors."""
        return [entry["code"] for entry in self.json.get("errors", [])]


@dataclass
class Context:
    """What Lambda passes beside the event, as far as it is used."""

    aws_request_id: str
    remaining_ms: int = 29_000

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the invocation's time."""
        return self.remaining_ms


def _load_at_once(reader: RegistryReader, version: int, *, is_urgent: bool) -> VersionLoading:
    """Load a version within the request, so that a test needn't wait for a thread."""
    return begin_version(reader, version, TRUST, OpenedHere)


class Function:
    """The function on a registry."""

    def __init__(self, registry: Registry, load: ModelLoader | None = None, **changes: Any) -> None:
        self.clock = HandClock()
        self.handler, self.follower = build(
            settings(**changes),
            registry.store,
            load or _load_at_once,
            clock=self.clock.now,
            jitter=lambda: 0.0,
            new_id=lambda: f"new-{next(_numbers)}",
        )

    def post(self, body: Any, *, remaining_ms: int = 29_000, **changes: Any) -> Answer:
        """POST a body, as JSON unless it is a text already, to ``/predict``."""
        text = body if isinstance(body, str) else json.dumps(body)
        return self.send(event("POST", "/predict", body=text, **changes), remaining_ms=remaining_ms)

    def get(self, path: str) -> Answer:
        """GET a path."""
        return self.send(event("GET", path))

    def send(self, sent: Any, *, remaining_ms: int = 29_000) -> Answer:
        """Hand an event to the handler."""
        answer = self.handler(sent, Context(f"invocation-{next(_numbers)}", remaining_ms))
        json.dumps(answer)
        return Answer(answer["statusCode"], answer["headers"], answer["body"])


def event(
    method: str,
    path: str,
    *,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
    is_base64: bool = False,
) -> dict[str, Any]:
    """Return an event in payload format 2.0, as API Gateway makes it."""
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", **(headers or {})},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test",
            },
            "requestId": "request-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000",
            "timeEpoch": 1773342238000,
        },
        "isBase64Encoded": is_base64,
    }
    return made if body is None else {**made, "body": body}


def split(columns: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    """Return a body in the form of ``DataFrame.to_dict("split")``."""
    return {"dataframe_split": {"columns": columns, "data": rows}}


def assert_problem(answer: Answer, status: int) -> None:
    """Check that an answer is a problem of this status that tells nothing of the code."""
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["type"].startswith("urn:peerloan:problem:")
    assert "Traceback" not in answer.body
    assert ".py" not in answer.body


def logs(text: str, message: str) -> list[dict[str, Any]]:
    """Return the structured log lines with this message from captured output."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("message") == message]


def metrics(text: str, name: str) -> list[dict[str, Any]]:
    """Return the embedded-format lines that carry this metric from captured output."""
    lines = [json.loads(line) for line in text.splitlines() if '"_aws"' in line]
    return [line for line in lines if name in line]
