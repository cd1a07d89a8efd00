"""The texts of the report and the model card: ``statements.toml``, and which of them a version needs."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Any

from training.evidence.gathering import Evidence


def text(name: str) -> str:
    """Return a text by its name in the file."""
    return _join_lines(_texts()[name])


def items(name: str) -> tuple[str, ...]:
    """Return a list of statements by its name in the file."""
    return tuple(map(_join_lines, _texts()[name]))


def assumptions(evidence: Evidence) -> tuple[str, ...]:
    """Return the version's assumptions."""
    is_calibrated = "calibration" in evidence.manifest.metrics
    return (text("calibrated_assumption" if is_calibrated else "uncalibrated_assumption"), *items("assumptions"))


def warnings(evidence: Evidence) -> tuple[str, ...]:
    """Return the warnings that come before everything else."""
    cases = {
        "sample": evidence.is_sample,
        "other_data": not evidence.is_own_data,
        "not_reproduced": evidence.is_reproduced is False,
    }
    texts = tuple(text(name) for name, applies in cases.items() if applies)
    forced = evidence.manifest.metrics.get("gates", {}).get("forced")
    return (
        (*texts, f"This version was published against its gates. Reason given: {forced['reason']}") if forced else texts
    )


@functools.cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(resources.files("training.evidence.report").joinpath("statements.toml").read_text("utf-8"))


def _join_lines(lines: str) -> str:
    return " ".join(lines.split())
