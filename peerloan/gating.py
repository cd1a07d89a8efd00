"""Judging a candidate against the version that an alias points at, before it is published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry.candidate import Candidate, Inspection, Inspector
from peerloan.errors import CommandError, UsageError
from peerloan.output import note
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from training.gates import Requirement, Verdict


class GateRefusedError(CommandError):
    """The candidate did not pass the rules that were asked for.

    Attributes
    ----------
    failed : sequence of Verdict
        The rules that it did not pass, with the figures.
    """

    def __init__(self, asked: str, failed: Sequence[Verdict]) -> None:
        rules = "\n".join(f"  {verdict.rule}: {verdict.figures}" for verdict in failed)
        super().__init__(
            f"Refused by --require {asked}; nothing was published.\n{rules}\n"
            "Train another model, or publish it all the same with --force --reason TEXT, which is recorded."
        )
        self.failed = failed


@dataclass(frozen=True)
class Asked:
    """What ``--require`` asks for, as ``better-than=live``."""

    requirement: Requirement
    alias: str

    def __str__(self) -> str:
        return f"{self.requirement.value}={self.alias}"


class InspectedOnce:
    """An inspector that remembers what it found: gates and publication ask about the same pickle.

    Parameters
    ----------
    inspect : Inspector
        Does the work.
    """

    def __init__(self, inspect: Inspector) -> None:
        self._inspect = inspect
        self._found: dict[str, Inspection] = {}

    def __call__(self, pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
        """Inspect, or say again what was found."""
        key = hashlib.sha256(pickle).hexdigest()
        if key not in self._found:
            self._found[key] = self._inspect(pickle, probe_records)
        return self._found[key]


def parse_requirement(text: str) -> Asked:
    """Read the option's text; raises ``UsageError`` with what it may be."""
    # Imported here: it brings pandas, which takes longer than most commands.
    from training.gates import Requirement

    name, _, alias = text.partition("=")
    if name not in [one.value for one in Requirement] or not alias:
        allowed = " or ".join(f"{one.value}=ALIAS" for one in Requirement)
        raise UsageError(f"{text!r} is no requirement: write {allowed}, as better-than=live.")
    return Asked(Requirement(name), alias)


def passed_gates(
    workplace: Workplace, candidate: Candidate, require: str, data: Sequence[Path], force_reason: str | None
) -> Candidate:
    """Return the candidate with the gates' verdicts among its metrics.

    Parameters
    ----------
    workplace : Workplace
        Where the version in charge is.
    candidate : Candidate
        What is to be published.
    require : str
        As ``better-than=live``.
    data : sequence of Path
        The loans to judge on; empty for those that training would find.
    force_reason : str or None
        Why it is published even if it does not pass; None if it is not.

    Raises
    ------
    GateRefusedError
        If a rule is not passed and there is no reason to publish it all the same.
    """
    from training.gates import failures, judge

    asked = parse_requirement(require)
    reader = workplace.reader()
    in_charge = reader.get_manifest(reader.get_alias(asked.alias).alias.version)
    if _is_in_charge(candidate, in_charge.artifact.sha256):
        note(f"This is the pickle of version {in_charge.version}, which {asked.alias} points at: nothing to judge.")
        return candidate
    contest, fingerprint = _contest(workplace, candidate, in_charge, data)
    verdicts = judge(asked.requirement, contest)
    failed = failures(verdicts)
    if failed and force_reason is None:
        raise GateRefusedError(str(asked), failed)
    for verdict in verdicts:
        note(f"{'passed' if verdict.passed else 'FAILED'}  {verdict.rule}: {verdict.figures}")
    gates = {
        "requirement": str(asked),
        "against_version": in_charge.version,
        "data": fingerprint,
        "verdicts": [verdict.to_dict() for verdict in verdicts],
        "forced": {"reason": force_reason, "by": workplace.who} if failed else None,
    }
    return replace(candidate, metrics={**candidate.metrics, "gates": gates})


def _contest(workplace: Workplace, candidate: Candidate, in_charge: Any, data: Sequence[Path]) -> tuple[Any, Any]:
    from model_artifact.opening.load import load_pipeline
    from model_artifact.verification import load_verified
    from training.data import load
    from training.evidence.contest import hold

    # Before its pickle is loaded here: a child process finds out whether it is a model at all.
    workplace.inspect(candidate.pickle, candidate.probe_records)
    quarters = load(list(data) or None, workplace.environ)
    note(f"Judging on {quarters.test.fingerprint.name} of {quarters.source}.")
    if quarters.is_sample and not candidate.data.get("is_sample", True):
        raise UsageError(
            "The candidate was trained on real loans, and here are generated ones: name its data by --data."
        )
    version = load_verified(workplace.reader().get_artifact(in_charge), in_charge)
    contest = hold(load_pipeline(candidate.pickle), version, quarters.test, candidate.data)
    return contest, quarters.test.fingerprint.to_dict()


def _is_in_charge(candidate: Candidate, sha256: str) -> bool:
    return hashlib.sha256(candidate.pickle).hexdigest() == sha256
