"""The command ``decisions``: what was once decided about a loan, and whether the same version says so again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerloan.commands.predict import read_document
from peerloan.errors import CommandError, UsageError
from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from peerloan.logged.decisions import Agreement, Decision


class NoDecisionError(CommandError):
    """The log has no decision of the loan."""


def decisions(
    ctx: typer.Context,
    loan_id: Annotated[str, typer.Argument(help="The loan's id, as it was sent.")],
    record: Annotated[
        str | None, typer.Option(help="The loan's record as JSON, a JSON file or - for stdin: score it again.")
    ] = None,
    since: Annotated[str, typer.Option(help="How far back to look: 30m, 12h, 7d, 400d.")] = "30d",
    request_id: Annotated[str | None, typer.Option(help="Only the decision of this request.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Find past decisions of a loan in the prediction log.

    With --record the recorded version scores the record again. Exits 1 if it doesn't agree to the last bit or can't be
    loaded any more, or if the log has no decision of the loan.

    Examples: peerloan decisions LN-1042

    peerloan decisions LN-1042 --record loan.json --since 7d
    """
    from peerloan.logged.decisions import Agreement

    workplace: Workplace = ctx.obj
    checked = None if record is None else _read_record(record, loan_id)
    found = _find(workplace, loan_id, since, request_id)
    agreements = [] if checked is None else _score_again(workplace, found, checked)
    pairs = list(zip_longest(found, agreements))
    if as_json:
        members = [decision.to_document() | _again_members(again) for decision, again in pairs]
        say_json({"loan_id": loan_id, "decisions": members})
    else:
        for decision, agreement in pairs:
            _say(decision, agreement)
    if not all(isinstance(again, Agreement) and again.agrees for again in agreements):
        raise typer.Exit(1)


def _find(workplace: Workplace, loan_id: str, since: str, request_id: str | None) -> list[Decision]:
    """Return the loan's decisions, oldest first; raise ``NoDecisionError`` if there is none."""
    from peerloan.logged.decisions import find_decisions
    from peerloan.logged.loan_hashes import find_hasher
    from peerloan.logged.period import read_predictions

    loan_hash = find_hasher(workplace).hash(loan_id)
    found = [
        decision
        for decision in find_decisions(read_predictions(workplace, since, "--since"), loan_hash)
        if request_id in (None, decision.request_id)
    ]
    if not found:
        of_request = "" if request_id is None else f" of request {request_id}"
        raise NoDecisionError(
            f"The log has no decision{of_request} of loan {loan_id} within {since}. The id must be as it was sent; a "
            "line arrives some seconds after its request."
        )
    return sorted(found, key=lambda decision: decision.time)


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


def _score_again(
    workplace: Workplace, found: Sequence[Decision], record: Mapping[str, Any]
) -> list[Agreement | Exception]:
    """Return the agreement of each decision, or why its version can't be loaded: it may have been deleted."""
    from model_artifact.errors import ArtifactError
    from model_artifact.loading import LoadedModel, load_version
    from model_registry.errors import RegistryError
    from peerloan.logged.decisions import score_again

    reader, trust = workplace.reader(), workplace.keyring().trust()
    models: dict[int, LoadedModel | Exception] = {}
    for version in {decision.version for decision in found}:
        try:
            models[version] = load_version(reader, version, trust)
        except (ArtifactError, RegistryError) as error:
            models[version] = error
    agreements: list[Agreement | Exception] = []
    for decision in found:
        model = models[decision.version]
        agreements.append(model if isinstance(model, Exception) else score_again(decision, model, record))
    return agreements


def _again_members(again: Agreement | Exception | None) -> dict[str, Any]:
    if isinstance(again, Exception):
        return {"again": None, "not_scored_again": str(again)}
    return {"again": vars(again)} if again else {}


def _say(decision: Decision, agreement: Agreement | Exception | None) -> None:
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
    if isinstance(agreement, Exception):
        say(f"  not scored again: {agreement}")
    elif agreement.agrees:
        say(f"  scored again by version {decision.version}: the same to the last bit")
    else:
        again = "late" if agreement.is_late else "on time"
        say(f"  scored again by version {decision.version}: {again}, probability {agreement.late_probability!r}")
        note("The record isn't the one that was scored, or a decision was recorded wrongly.")
