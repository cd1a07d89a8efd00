"""Judges a candidate against the version that an alias points at, before the candidate is published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry.candidate import Candidate
from model_registry.manifest import Manifest
from peerloan.errors import CommandError, UsageError
from peerloan.output import note
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from training.data import Quarter, Quarters
    from training.gates import Requirement, Verdict
    from training.handover import Handover


_KINDS = {True: "generated loans", False: "real loans", None: "unknown loans"}


class GateRefusedError(CommandError):
    """The candidate failed a rule that ``--require`` asks for; ``failed`` are the verdicts."""

    def __init__(self, requirement: str, failed: Sequence[Verdict]) -> None:
        rules = "\n".join(f"  {verdict.rule}: {verdict.figures}" for verdict in failed)
        super().__init__(
            f"Refused by --require {requirement}; nothing was published.\n{rules}\n"
            "Train another model, or publish it all the same with --force --reason TEXT, which is recorded."
        )
        self.failed = failed


def parse_requirement(text: str) -> tuple[Requirement, str]:
    """Return the rule and the alias of ``--require``; a wrong text raises ``UsageError``, which lists the forms."""
    # Imported here: it brings pandas, which takes longer than most commands.
    from training.gates import Requirement

    name, _, alias = text.partition("=")
    if name not in [rule.value for rule in Requirement] or not alias:
        allowed = " or ".join(f"{rule.value}=ALIAS" for rule in Requirement)
        raise UsageError(f"{text!r} isn't a requirement: write {allowed}, as better-than=live.")
    return Requirement(name), alias


@dataclass(frozen=True)
class Gates:
    """The version and the loans that a candidate is judged against, read before any process starts.

    Attributes
    ----------
    workplace : Workplace
        Opens the version in charge.
    require : str
        The text of ``--require``.
    in_charge : Manifest
        The version to replace.
    loans : Quarter
        The loans to judge on.
    force_reason : str or None
        Why the candidate is published even if it fails; None refuses it.
    """

    workplace: Workplace
    require: str
    in_charge: Manifest
    loans: Quarter
    force_reason: str | None

    def judge(self, candidate: Candidate, model: Any) -> Candidate:
        """Return the candidate with the verdicts among its metrics; ``model`` is its pickle, a fitted classifier.

        A candidate that fails raises ``GateRefusedError``, unless it is forced.
        """
        from model_artifact.loading import load_pickle
        from training.evidence.contest import hold_contest
        from training.gates import Verdict, failures, judge

        rule, _ = parse_requirement(self.require)
        trust = self.workplace.keyring().trust()
        version = load_pickle(self.workplace.reader(), self.in_charge.version, trust)
        contest = hold_contest(model, version.pipeline, self.loans, candidate.data)
        same_data = Verdict("same-data", *compare_data(candidate.data, self.in_charge.data))
        verdicts = (same_data, *judge(rule, contest))
        failed = failures(verdicts)
        if failed and self.force_reason is None:
            raise GateRefusedError(self.require, failed)
        for verdict in verdicts:
            note(f"{verdict.word}  {verdict.rule}: {verdict.figures}")
        gates = {
            "requirement": self.require,
            "against_version": self.in_charge.version,
            "data": asdict(self.loans.fingerprint),
            "verdicts": [asdict(verdict) for verdict in verdicts],
            "forced": {"reason": self.force_reason, "by": self.workplace.who} if failed else None,
        }
        return replace(candidate, metrics={**candidate.metrics, "gates": gates})


def prepare_gates(
    workplace: Workplace, handover: Handover, require: str, data: Sequence[Path], force_reason: str | None
) -> Gates | None:
    """Return the gates of ``--require``; None if the alias points at this very pickle already.

    The loans are ``data`` if named, else those that the model is tested on, else those that training finds. A wrong
    requirement, alias or file raises before any process starts.
    """
    from training.data import check_apart, load

    _, alias = parse_requirement(require)
    reader = workplace.reader()
    in_charge = reader.get_manifest(reader.get_alias(alias).alias.version)
    if hashlib.sha256(handover.pickle).hexdigest() == in_charge.artifact.sha256:
        note(f"{alias} already points at this pickle (version {in_charge.version}): nothing to judge.")
        return None
    if handover.test is not None and not data:
        loans = handover.test
    else:
        quarters = load(list(data) or None, workplace.environ)
        _check_kinds(quarters, handover, in_charge)
        note(f"Judging on {quarters.held_out}.")
        loans = quarters.test
    if handover.train is not None:
        check_apart(handover.train, loans)
    return Gates(workplace, require, in_charge, loans, force_reason)


def compare_data(candidate: Mapping[str, Any], in_charge: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether both models were trained on the same kind of loans, real or generated, and a text with both kinds.

    A record without the kind, as a bare pickle has, counts as the same kind.
    """
    kinds = [_KINDS[data.get("is_sample")] for data in (candidate, in_charge)]
    is_same = kinds[0] == kinds[1] or _KINDS[None] in kinds
    return is_same, f"the candidate was trained on {kinds[0]}, the version in charge on {kinds[1]}"


def _check_kinds(quarters: Quarters, handover: Handover, in_charge: Manifest) -> None:
    kinds = (("The candidate", handover.is_sample), (f"Version {in_charge.version}", in_charge.data.get("is_sample")))
    trained_on_real = [name for name, is_sample in kinds if is_sample is False]
    if quarters.is_sample and trained_on_real:
        raise UsageError(
            f"{trained_on_real[0]} was trained on real loans, and the loans to judge on are generated ones. "
            "Name the real ones with --data or PEERLOAN_DATA."
        )
