"""Whether a loaded model still gives its probe records the probabilities that its manifest says."""

from __future__ import annotations

from collections.abc import Sequence

from model_artifact.errors import ProbeMismatchError
from model_registry.manifest import Probe

# Sums of a hundred trees differ in the last bits between processors; no change of a model is as small.
PROBE_TOLERANCE = 1e-9


def compare_probes(probes: Sequence[Probe], probabilities: Sequence[float], tolerance: float = PROBE_TOLERANCE) -> None:
    """Compare the probabilities of the probe records with those in the manifest.

    Raises
    ------
    ProbeMismatchError
        If one differs by more than ``tolerance``, or is no number.
    """
    for number, (probe, probability) in enumerate(zip(probes, probabilities, strict=True)):
        if not abs(probability - probe.late_probability) <= tolerance:
            raise ProbeMismatchError(number, probe.late_probability, probability)
