"""Judges a candidate against the version that an alias points at, before the candidate is published."""

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


_KINDS = {True: "generated loans", False: "real loans", None: "unknown loans"}


class GateRefusedError(CommandError):
    """The candidate failed a rule that ``--require`` asks for.

    Attributes
    ----------
    failed : sequence of Verdict
        The rules that it failed, with the figures.
    """

    def __init__(self, requirement: str, failed: Sequence[Verdict]) -> None:
        rules = "\n".join(f"  {verdict.rule}: {verdict.figures}" for verdict in failed)
        super().__init__(
            f"Refused by --require {requirement}; nothing was published.\n{rules}\n"
            "Train another model, or publish it all the same with --force --reason TEXT, which is recorded."
        )
        self.failed = failed


@dataclass(frozen=True)
class AliasRequirement:
    """The value of ``--require``, such as ``better-than=live``."""

    rule: Requirement
    alias: str

    def __str__(self) -> str:
        return f"{self.rule.value}={self.alias}"


class InspectedOnce:
    """An inspector that remembers its results, since gates and publication ask about the same pickle.

    Parameters
    ----------
    inspect : Inspector
        Does the work.
    """

    def __init__(self, inspect: Inspector) -> None:
        self._inspect = inspect
        self._inspections: dict[str, Inspection] = {}

    def __call__(self, pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
        """Inspect, or return the earlier result."""
        key = hashlib.sha256(pickle).hexdigest()
        if key not in self._inspections:
            self._inspections[key] = self._inspect(pickle, probe_records)
        return self._inspections[key]


def parse_requirement(text: str) -> AliasRequirement:
    """Read the text of ``--require``; a wrong text raises ``UsageError``, which lists the allowed forms."""
    # Imported here: it brings pandas, which takes longer than most commands.
    from training.gates import Requirement

    name, _, alias = text.partition("=")
    if name not in [rule.value for rule in Requirement] or not alias:
        allowed = " or ".join(f"{rule.value}=ALIAS" for rule in Requirement)
        raise UsageError(f"{text!r} isn't a requirement: write {allowed}, as better-than=live.")
    return AliasRequirement(Requirement(name), alias)


def passed_gates(
    workplace: Workplace, candidate: Candidate, require: str, data: Sequence[Path], force_reason: str | None
) -> Candidate:
    """Return the candidate with the gates' verdicts among its metrics.

    Parameters
    ----------
    workplace : Workplace
        Gives access to the bucket.
    candidate : Candidate
        The model to publish.
    require : str
        The requirement, such as ``better-than=live``.
    data : sequence of Path
        The loans to judge on; empty for those that training finds.
    force_reason : str or None
        Why the candidate is published even if it fails. None refuses a candidate that fails.

    Raises
    ------
    GateRefusedError
        If a rule fails and ``force_reason`` is None.
    """
    from training.gates import Verdict, failures, judge

    requirement = parse_requirement(require)
    reader = workplace.reader()
    in_charge = reader.get_manifest(reader.get_alias(requirement.alias).alias.version)
    if _is_in_charge(candidate, in_charge.artifact.sha256):
        note(f"{requirement.alias} already points at this pickle (version {in_charge.version}): nothing to judge.")
        return candidate
    contest, fingerprint = _contest(workplace, candidate, in_charge, data)
    same_data = Verdict("same-data", *compare_data(candidate.data, in_charge.data))
    verdicts = (same_data, *judge(requirement.rule, contest))
    failed = failures(verdicts)
    if failed and force_reason is None:
        raise GateRefusedError(str(requirement), failed)
    for verdict in verdicts:
        note(f"{'passed' if verdict.passed else 'FAILED'}  {verdict.rule}: {verdict.figures}")
    gates = {
        "requirement": str(requirement),
        "against_version": in_charge.version,
        "data": fingerprint,
        "verdicts": [verdict.to_dict() for verdict in verdicts],
        "forced": {"reason": force_reason, "by": workplace.who} if failed else None,
    }
    return replace(candidate, metrics={**candidate.metrics, "gates": gates})


def compare_data(candidate: Mapping[str, Any], in_charge: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether both models were trained on the same kind of loans, real or generated, and a text with both kinds.

    A record without the kind, as a bare pickle has, counts as the same kind.
    """
    kinds = [_KINDS[data.get("is_sample")] for data in (candidate, in_charge)]
    is_same = kinds[0] == kinds[1] or _KINDS[None] in kinds
    return is_same, f"the candidate was trained on {kinds[0]}, the version in charge on {kinds[1]}"


def _contest(workplace: Workplace, candidate: Candidate, in_charge: Any, data: Sequence[Path]) -> tuple[Any, Any]:
    from model_artifact.loading import load_pickle
    from model_artifact.opening.load import load_pipeline
    from training.data import load
    from training.evidence.contest import hold_contest

    # A child process checks that the pickle is a model before this process loads it.
    workplace.inspect(candidate.pickle, candidate.probe_records)
    quarters = load(list(data) or None, workplace.environ)
    note(f"Judging on {quarters.test.fingerprint.name} of {quarters.source}.")
    trained_on_real = [
        name
        for name, data in (("The candidate", candidate.data), (f"Version {in_charge.version}", in_charge.data))
        if data.get("is_sample") is False
    ]
    if quarters.is_sample and trained_on_real:
        raise UsageError(
            f"{trained_on_real[0]} was trained on real loans, and the loans to judge on are generated ones. "
            "Name the real ones with --data or PEERLOAN_DATA."
        )
    version = load_pickle(workplace.reader(), in_charge.version)
    contest = hold_contest(load_pipeline(candidate.pickle), version.pipeline, quarters.test, candidate.data)
    return contest, quarters.test.fingerprint.to_dict()


def _is_in_charge(candidate: Candidate, sha256: str) -> bool:
    return hashlib.sha256(candidate.pickle).hexdigest() == sha256
