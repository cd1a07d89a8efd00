"""Judges a candidate against the version that an alias points at, before the candidate is published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
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
    """The candidate failed a rule that ``--require`` asks for; ``failed`` are the verdicts."""

    def __init__(self, requirement: str, failed: Sequence[Verdict]) -> None:
        rules = "\n".join(f"  {verdict.rule}: {verdict.figures}" for verdict in failed)
        super().__init__(
            f"Refused by --require {requirement}; nothing was published.\n{rules}\n"
            "Train another model, or publish it all the same with --force --reason TEXT, which is recorded."
        )
        self.failed = failed


def remembering(inspect: Inspector) -> Inspector:
    """Return an inspector that remembers its results, since gates and publication inspect the same pickle."""
    inspections: dict[bytes, Inspection] = {}

    def inspect_once(pickle: bytes, probe_records: Sequence[Mapping[str, Any]]) -> Inspection:
        if pickle not in inspections:
            inspections[pickle] = inspect(pickle, probe_records)
        return inspections[pickle]

    return inspect_once


def parse_requirement(text: str) -> tuple[Requirement, str]:
    """Return the rule and the alias of ``--require``; a wrong text raises ``UsageError``, which lists the forms."""
    # Imported here: it brings pandas, which takes longer than most commands.
    from training.gates import Requirement

    name, _, alias = text.partition("=")
    if name not in [rule.value for rule in Requirement] or not alias:
        allowed = " or ".join(f"{rule.value}=ALIAS" for rule in Requirement)
        raise UsageError(f"{text!r} isn't a requirement: write {allowed}, as better-than=live.")
    return Requirement(name), alias


def judge_candidate(
    workplace: Workplace, candidate: Candidate, require: str, data: Sequence[Path], force_reason: str | None
) -> Candidate:
    """Return the candidate with the gates' verdicts among its metrics.

    ``data`` are the loans to judge on; if empty, those that training finds. ``force_reason`` is why the candidate is
    published even if it fails. If it is None, a candidate that fails raises ``GateRefusedError``.
    """
    from training.gates import Verdict, failures, judge

    rule, alias = parse_requirement(require)
    reader = workplace.reader()
    in_charge = reader.get_manifest(reader.get_alias(alias).alias.version)
    if hashlib.sha256(candidate.pickle).hexdigest() == in_charge.artifact.sha256:
        note(f"{alias} already points at this pickle (version {in_charge.version}): nothing to judge.")
        return candidate
    contest, fingerprint = _contest(workplace, candidate, in_charge, data)
    same_data = Verdict("same-data", *compare_data(candidate.data, in_charge.data))
    verdicts = (same_data, *judge(rule, contest))
    failed = failures(verdicts)
    if failed and force_reason is None:
        raise GateRefusedError(require, failed)
    for verdict in verdicts:
        note(f"{'passed' if verdict.passed else 'FAILED'}  {verdict.rule}: {verdict.figures}")
    gates = {
        "requirement": require,
        "against_version": in_charge.version,
        "data": fingerprint,
        "verdicts": [asdict(verdict) for verdict in verdicts],
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
    from model_artifact.loading import STUDY_LIMIT_S, load_pickle
    from model_artifact.opening.model_process import ModelProcess
    from training.data import load
    from training.evidence.contest import hold_contest

    # Refuses what isn't a model before the loans are read.
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
    version = load_pickle(workplace.reader(), in_charge.version, workplace.keyring().trust())
    # The names were checked by the inspection.
    with ModelProcess(candidate.pickle, is_name_checked=False, time_limit_s=STUDY_LIMIT_S) as model:
        model.wait()
        contest = hold_contest(model, version.pipeline, quarters.test, candidate.data)
    return contest, asdict(quarters.test.fingerprint)
