"""The command ``purge``: a loan is removed from the prediction log and from the outcomes."""

from __future__ import annotations

from typing import Annotated

import typer

from peerloan.output import JsonFlag, note, say, say_json
from peerloan.workplace import Workplace

_NAMED_OBJECTS = 5


def purge(
    ctx: typer.Context,
    loan_id: Annotated[str, typer.Option("--loan-id", help="The loan's id, as it was sent.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before removing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove a loan from the prediction log and the outcomes.

    It can't be restored. Counts that were made of it stay. Cut off, run it again. Exits 1 if an object can't be read.

    Example: peerloan purge --loan-id LN-1042
    """
    # Imported here: NumPy takes longer than most commands.
    from peerloan.logged.loan_hashes import find_hasher
    from peerloan.logged.purging import purge_loan

    workplace: Workplace = ctx.obj
    loan = find_hasher(workplace).hash(loan_id)
    log_store, outcomes = workplace.log_store(), workplace.outcomes()
    if not yes:
        where = f"the log in {workplace.log_bucket} and the outcomes in {workplace.bucket}"
        typer.confirm(f"Remove loan {loan_id} from {where}? It can't be restored.", abort=True, err=True)
    purged = purge_loan(log_store, outcomes, loan)
    if as_json:
        say_json({"loan_id": loan_id, **purged.to_document()})
    else:
        say(
            f"Removed {purged.records:,} records in {purged.lines:,} lines of {purged.objects:,} objects of the log, "
            f"and {purged.outcomes:,} outcomes of {purged.imports:,} imports."
        )
        if not (purged.lines or purged.outcomes):
            note("Nothing names the loan. The id must be as it was sent, and LOAN_HASH_KEY the function's.")
    if purged.unreadable:
        named = "".join(f"\n  {key}" for key in purged.unreadable[:_NAMED_OBJECTS])
        note(f"{len(purged.unreadable):,} objects can't be read. Delete them, or mend them and run it again:{named}")
        raise typer.Exit(1)
