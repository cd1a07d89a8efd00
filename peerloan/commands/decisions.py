"""The command ``decisions``: what was once decided about a loan, and whether the same version says so again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerloan.commands.predict import read_document
from peerloan.errors import CommandError, UsageError
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from model_watch.loan_hash import LoanHasher
    from peerloan.logged.decisions import Agreement, Decision


class NoDecisionError(CommandError):
    """The log has no decision of the loan."""


def decisions(
    ctx: typer.Context,
    loan_id: Annotated[str, typer.Argument(help="The loan's id, as it was sent.")],
    record: Annotated[
        str | None, typer.Option(help="The loan's record as JSON, a JSON file or - for stdin: score it again.")
    ] = None,
    since: Annotated[str, typer.Option(help="How far back to look: 12h, 7d; at most 30d.")] = "30d",
    request_id: Annotated[str | None, typer.Option(help="Only the decision of this request.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Find past decisions of a loan in the prediction log.

    With --record the recorded version scores the record again. Exits 1 if it doesn't agree to the last bit, or if the
    log has no decision of the loan.

    Examples: peerloan decisions LN-1042

    peerloan decisions LN-1042 --record loan.json --since 7d
    """
    workplace: Workplace = ctx.obj
    checked = None if record is None else _read_record(record, loan_id)
    found = _find(workplace, loan_id, since, request_id)
    agreements = [None] * len(found) if checked is None else _score_again(workplace, found, checked)
    if as_json:
        members = [
            {**decision.to_document(), **({} if agreement is None else {"again": vars(agreement)})}
            for decision, agreement in zip(found, agreements, strict=True)
        ]
        say_json({"loan_id": loan_id, "decisions": members})
    else:
        for decision, agreement in zip(found, agreements, strict=True):
            _say(decision, agreement)
    if not all(agreement is None or agreement.agrees for agreement in agreements):
        raise typer.Exit(1)


def _find(workplace: Workplace, loan_id: str, since: str, request_id: str | None) -> list[Decision]:
    """Return the loan's decisions, oldest first; raise ``NoDecisionError`` if there is none."""
    from model_watch.log_reader import LogReader
    from peerloan.logged.days import note_damage, read_period, read_predictions
    from peerloan.logged.decisions import find_decisions

    period: timedelta = read_period(since, "--since")
    loan_hash = _hasher(workplace).hash(loan_id)
    now = workplace.clock()
    reader = LogReader(workplace.log_store())
    decisions = find_decisions(read_predictions(reader, now - period, now), loan_hash)
    found = sorted(
        (decision for decision in decisions if request_id in (None, decision.request_id)),
        key=lambda decision: decision.time,
    )
    note_damage(reader)
    if not found:
        of_request = "" if request_id is None else f" of request {request_id}"
        raise NoDecisionError(
            f"The log has no decision{of_request} of loan {loan_id} within {since}. The id must be as it was sent; a "
            "line arrives some seconds after its request."
        )
    return found


def _hasher(workplace: Workplace) -> LoanHasher:
    from model_watch.loan_hash import LoanHasher

    key = workplace.environ.get("LOAN_HASH_KEY") or workplace.keyring().find_loan_hash_key()
    if not key:
        raise UsageError(
            "The key of the loans' hashes isn't known. Set LOAN_HASH_KEY to what the function has (the template's "
            "LoanHashKey); the local stack makes one when it first starts."
        )
    try:
        return LoanHasher(key)
    except ValueError as error:
        raise UsageError(f"LOAN_HASH_KEY can't be used. {error}") from None


def _read_record(source: str, loan_id: str) -> dict[str, Any]:
    """Return the checked record; raise ``UsageError`` if it isn't one, or is another loan's."""
    from model_artifact.record_rules import InvalidRecordsError, check_records

    document = read_document(source)
    if not isinstance(document, dict):
        raise UsageError("--record takes one record: a JSON object with the ten fields.")
    if document.get("loan_id", loan_id) != loan_id:
        raise UsageError(f"The record is another loan's: its loan_id isn't {loan_id}.")
    try:
        return check_records([document])[0]
    except InvalidRecordsError as error:
        faults = "; ".join(f"{fault.name or 'the record'}: {fault.code}" for fault in error.faults)
        raise UsageError(f"The API would refuse this record ({faults}).") from None


def _score_again(workplace: Workplace, found: Sequence[Decision], record: Mapping[str, Any]) -> list[Agreement | None]:
    from model_artifact.loading import load_version
    from peerloan.logged.decisions import score_again

    reader, trust = workplace.reader(), workplace.keyring().trust()
    models = {version: load_version(reader, version, trust) for version in {decision.version for decision in found}}
    return [score_again(decision, models[decision.version], record) for decision in found]


def _say(decision: Decision, agreement: Agreement | None) -> None:
    verdict = "late" if decision.is_late else "on time"
    alias = "" if decision.alias is None else f", alias {decision.alias} revision {decision.alias_revision}"
    rollout = "" if decision.rollout is None else f", rollout {decision.rollout}"
    say(f"{decision.time:%Y-%m-%d %H:%M:%S %Z}  {verdict}, probability {decision.late_probability!r}")
    say(f"  threshold {decision.threshold!r}, version {decision.version}{alias}{rollout}")
    say(f"  request {decision.request_id}")
    if decision.warnings:
        say(f"  warnings: {', '.join(decision.warnings)}")
    if agreement is None:
        return
    if agreement.agrees:
        say(f"  scored again by version {decision.version}: the same to the last bit")
    else:
        again = "late" if agreement.is_late else "on time"
        say(f"  scored again by version {decision.version}: {again}, probability {agreement.late_probability!r}")
        note("The record isn't the one that was scored, or a decision was recorded wrongly.")
