"""Checks that a loaded model still gives its probe records the probabilities in its manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_artifact.errors import ProbeMismatchError
from model_registry.manifest import Probe

# Sums of a hundred trees differ in the last bits between processors; another model differs by more.
PROBE_TOLERANCE = 1e-9


def check_probes(
    probes: Sequence[Probe], late_probabilities: Callable[[Sequence[Mapping[str, Any]]], Sequence[float]]
) -> None:
    """Score the probe records, and compare their probabilities with those in the manifest.

    Raises
    ------
    ProbeMismatchError
        If a probability differs by more than ``PROBE_TOLERANCE``, or is NaN.
    """
    probabilities = late_probabilities([probe.record for probe in probes]) if probes else ()
    for number, (probe, probability) in enumerate(zip(probes, probabilities, strict=True)):
        if not abs(probability - probe.late_probability) <= PROBE_TOLERANCE:
            raise ProbeMismatchError(number, probe.late_probability, probability)
