"""What the stack's processes are told."""

from __future__ import annotations

from emulator.options import parse_parameter_overrides
from emulator.template import load_project
from peerloan.stack import UNTHROTTLED
from peerloan.workplace import PROJECT


def test_unthrottled_lifts_the_limits_that_the_template_has() -> None:
    limits = []
    for overrides in ({}, parse_parameter_overrides(UNTHROTTLED[1:])):
        (api,) = load_project(PROJECT / "template.yaml", overrides).apis
        limits += [stage.default_throttle for stage in api.stages]
    with_limits, without = limits
    assert with_limits is not None
    assert without is not None
    assert (with_limits.rate, with_limits.burst) == (500, 200)
    assert (without.rate, without.burst) == (1_000_000, 1_000_000)
