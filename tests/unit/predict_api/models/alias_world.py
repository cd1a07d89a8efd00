"""A bucket, a clock and models that are mere values, with an alias follower among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from memory_store import InMemoryStore
from model_artifact.errors import ArtifactError
from model_artifact.loading import LoadedModel
from model_registry.alias import Alias, RoutingConfig
from model_registry.errors import RegistryError, StoreUnavailableError
from model_registry.manifest import Artifact, Manifest, Threshold
from model_registry.names import history_key
from model_registry.reader import RegistryReader
from model_registry.stores.base import remaining_s
from predict_api.models.alias_follower import (
    ActiveVersions,
    AliasFollower,
)
from predict_api.models.back_off import BackOff, Failures
from predict_api.models.clock import Instant
from predict_api.models.model_cache import ModelCache, VersionLoading

TTL_S = 5.0


@dataclass
class Clock:
    """A clock that is moved by hand."""

    time_s: float = 100.0
    set_back_s: float = 0.0

    def now(self) -> Instant:
        return Instant(self.time_s, self.time_s - self.set_back_s)


class Scorer:
    """Gives every record the same probability."""

    def late_probabilities(self, records: Sequence[Mapping[str, Any]]) -> list[float]:
        return [0.5 for _ in records]

    def late_probabilities_of_columns(self, columns: Any) -> Any:
        raise NotImplementedError


def model(version: int) -> LoadedModel:
    """Return a version without columns and probes."""
    artifact = Artifact(1, "0" * 64)
    manifest = Manifest(
        "late-payer", version, artifact, {}, (), (0, 1), Threshold(0.5, ""), {}, {}, (), None, "", "", ""
    )
    return LoadedModel(manifest, artifact, Scorer())


@dataclass
class Observer:
    """Counts what it is told."""

    loaded: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    failed_look_ups: int = 0

    def model_loaded(self, model: LoadedModel, duration_s: float) -> None:
        self.loaded.append(model.manifest.version)

    def model_refused(self, version: int, error: Exception, failures: Failures) -> None:
        self.refused.append(version)

    def alias_look_up_failed(self, error: Exception, failures: Failures) -> None:
        self.failed_look_ups += 1


class _Loading:
    """A version on its way; a pickle is ready once the world says so."""

    def __init__(self, world: World, version: int) -> None:
        self._world = world
        self._version = version

    def is_ready(self, within_s: float = 0.0) -> bool:
        if self._version not in self._world.opening:
            return True
        self._world.clock.time_s += min(within_s, self._world.opening_takes_s)
        return within_s > self._world.opening_takes_s

    def start(self) -> None:
        pass

    def abandon(self) -> None:
        self._world.abandoned.append(self._version)

    def wait(self) -> LoadedModel:
        if self._version in self._world.bad_pickles:
            raise ArtifactError("bad")
        return model(self._version)


class World:
    """A bucket, a follower of its alias, and the ways to disturb them."""

    def __init__(self, ttl_s: float = TTL_S, jitter: float = 0.0) -> None:
        self.clock = Clock()
        self.store = InMemoryStore()
        self.observer = Observer()
        self.is_down = False
        self.is_history_down = False
        self.bad: set[int] = set()
        # Pickles that their process is still opening, and those that it won't open.
        self.opening: set[int] = set()
        self.opening_takes_s = 0.0
        self.abandoned: list[int] = []
        self.bad_pickles: set[int] = set()
        self.look_up_takes_s = 0.0
        self.load_takes_s = 0.0
        self.revision = 0
        self.look_up_budgets_s: list[float] = []
        self.load_budgets_s: list[float] = []
        world = self

        class Reader(RegistryReader):
            def get_alias(self, alias: str) -> Any:
                world.disturb()
                return super().get_alias(alias)

            def get_alias_if_changed(self, alias: str, etag: str) -> Any:
                world.disturb()
                return super().get_alias_if_changed(alias, etag)

            def get_revision(self, alias: str, revision: int) -> Alias:
                if world.is_history_down:
                    raise StoreUnavailableError("read", f"{alias}/{revision}", "no time is left for it")
                return super().get_revision(alias, revision)

        reader = Reader(self.store)
        back_off = BackOff(0.25, ttl_s, lambda: jitter)
        self.cache = ModelCache(
            reader,
            self.load,
            clock=self.clock.now,
            outage_back_off=back_off,
            refusal_back_off=BackOff(5.0, 300.0, lambda: jitter),
            observer=self.observer,
        )
        self.follower = AliasFollower(
            reader,
            "live",
            self.cache,
            ttl_s=ttl_s,
            clock=self.clock.now,
            back_off=back_off,
            observer=self.observer,
        )

    def disturb(self) -> None:
        self.look_up_budgets_s.append(remaining_s())
        self.clock.time_s += self.look_up_takes_s
        if self.is_down:
            raise StoreUnavailableError("read", "live", "it is down")

    def load(self, reader: RegistryReader, version: int, *, is_urgent: bool) -> VersionLoading:
        self.load_budgets_s.append(remaining_s())
        self.clock.time_s += self.load_takes_s
        if self.is_down:
            raise StoreUnavailableError("read", str(version), "it is down")
        if version in self.bad:
            raise RegistryError("bad")
        return _Loading(self, version)

    def point(self, version: int, weights: dict[int, float] | None = None) -> Alias:
        self.revision += 1
        alias = Alias(
            "live", self.revision, version, RoutingConfig(weights or {}), "rollout", "", "", "", str(self.revision)
        )
        self.store.put("late-payer/aliases/live.json", alias.to_json())
        self.store.put(history_key("late-payer", "live", self.revision), alias.to_json())
        return alias

    def serve(self) -> ActiveVersions:
        return self.follower.follow()

    def wait(self, seconds: float) -> None:
        self.clock.time_s += seconds


def versions(deployment: ActiveVersions) -> list[int]:
    return list(deployment.models)
