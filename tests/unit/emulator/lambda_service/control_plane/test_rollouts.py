"""Any sequence of operations on versions and aliases, against a model of a few lines."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.control_plane.operations import Operations, open_operations
from emulator.lambda_service.data_plane.running_version import utc_now
from emulator.lambda_service.errors import LambdaApiError
from emulator.lambda_service.function_version import LATEST
from emulator.template.project import FunctionSpec

pytestmark = pytest.mark.fidelity("alias-weights")

F = {"function_name": "f"}
ALIASES = st.sampled_from(["live", "beta"])
VERSIONS = st.integers(0, 5).map(lambda number: str(number) if number else LATEST)
WEIGHTS = st.sampled_from([0.0, 0.1, 0.5, 1.0])
Content = tuple[str, int]


@dataclasses.dataclass
class Model:
    """A function as its caller understands it."""

    latest: Content = ("a", 3)
    published: dict[str, Content] = dataclasses.field(default_factory=dict)
    aliases: dict[str, tuple[str, dict[str, float]]] = dataclasses.field(default_factory=dict)
    count: int = 0

    def allows(self, main: str, weights: dict[str, float]) -> bool:
        versions = {LATEST, *self.published}
        return {main, *weights} <= versions and not (weights and LATEST in {main, *weights}) and main not in weights


class Rollouts(RuleBasedStateMachine):
    """Operations, restarts in between, and the state that they must lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        for text in "abc":
            (self.folder / text).mkdir()
            (self.folder / text / "app.py").write_text(text)
        self.model = Model()
        self.operations = self.open()
        self.operations.template.update(FunctionSpec("F", "f", self.folder / "a", "app.handler", "python3.13"))

    def open(self) -> Operations:
        return open_operations(self.folder / "state", ArnScope("eu-west-1", "123456789012"), utc_now)

    def teardown(self) -> None:
        self.operations.close()
        shutil.rmtree(self.folder)

    @rule()
    def restart(self) -> None:
        self.operations.close()
        self.operations = self.open()

    @rule(text=st.sampled_from("abc"))
    def change_code(self, text: str) -> None:
        before = self.operations.functions.get_configuration(**F)["RevisionId"]
        after = self.operations.functions.update_code(**F, code_folder=self.folder / text, revision_id=before)
        assert after["RevisionId"] != before
        self.model.latest = (text, self.model.latest[1])

    @rule(timeout=st.integers(3, 5))
    def change_configuration(self, timeout: int) -> None:
        self.operations.functions.update_configuration(**F, changes={"Timeout": timeout})
        self.model.latest = (self.model.latest[0], timeout)

    @precondition(lambda self: len(self.model.published) < 5)
    @rule()
    def publish(self) -> None:
        model = self.model
        newest = next(reversed(list(model.published.items())), None)
        if newest is not None and newest[1] == model.latest:
            expected = newest[0]
        else:
            model.count += 1
            expected = str(model.count)
            model.published[expected] = model.latest
        assert self.operations.versions.publish(**F)["Version"] == expected

    @rule(name=ALIASES, main=VERSIONS, other=VERSIONS, weight=WEIGHTS, is_weighted=st.booleans())
    def assign(self, name: str, main: str, other: str, weight: float, is_weighted: bool) -> None:
        weights = {other: weight} if is_weighted else {}
        change = self.operations.aliases.update if name in self.model.aliases else self.operations.aliases.create
        routing: dict[str, Any] = {"AdditionalVersionWeights": weights}
        if self.model.allows(main, weights):
            change(**F, name=name, function_version=main, routing_config=routing)
            self.model.aliases[name] = (main, weights)
        else:
            with pytest.raises(LambdaApiError):
                change(**F, name=name, function_version=main, routing_config=routing)

    @rule(name=ALIASES)
    def delete_alias(self, name: str) -> None:
        self.operations.aliases.delete(**F, name=name)
        self.model.aliases.pop(name, None)

    @rule(version=VERSIONS)
    def delete_version(self, version: str) -> None:
        used = {version for main, weights in self.model.aliases.values() for version in (main, *weights)}
        if version != LATEST and version not in used:
            # A version that doesn't exist counts as deleted.
            self.operations.functions.delete(**F, qualifier=version)
            self.model.published.pop(version, None)
            return
        with pytest.raises(LambdaApiError) as caught:
            self.operations.functions.delete(**F, qualifier=version)
        assert caught.value.status == (400 if version == LATEST else 409)

    @invariant()
    def routes_lead_where_the_model_says(self) -> None:
        contents = {LATEST: self.model.latest, **self.model.published}
        for name, (main, weights) in self.model.aliases.items():
            for draw in (0.0, 0.05, 0.3, 0.99):
                expected = next((version for version, weight in weights.items() if draw < weight), main)
                resolved = self.operations.catalogue.resolve("f", name, draw)
                assert resolved.function.version == expected
                assert resolved.arn_used.endswith(f":f:{name}")
        for version, (text, timeout) in contents.items():
            spec = self.operations.catalogue.resolve("f", version, 0.5).function.spec
            assert ((spec.code_dir / "app.py").read_text(), spec.timeout_s) == (text, timeout)

    @invariant()
    def lists_say_what_the_model_says(self) -> None:
        versions = self.operations.versions.list(**F)["Versions"]
        assert [version["Version"] for version in versions] == [LATEST, *self.model.published]
        aliases = {
            alias["Name"]: (
                alias["FunctionVersion"],
                alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
            )
            for alias in self.operations.aliases.list(**F)["Aliases"]
        }
        assert aliases == self.model.aliases


TestRollouts = Rollouts.TestCase
TestRollouts.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
