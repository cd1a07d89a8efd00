"""Finds the key with which the function hashes loan ids, for commands that look for loans in the log."""

from __future__ import annotations

from model_watch.loan_hash import LoanHasher
from peerloan.errors import UsageError
from peerloan.workplace import Workplace, is_local


def find_hasher(workplace: Workplace) -> LoanHasher:
    """Return what hashes loan ids as the log does; raise ``UsageError`` if the key isn't known or isn't one."""
    key = workplace.environ.get("LOAN_HASH_KEY")
    # The local stack's key is that of its own log. In another log it would find no loan, as if there were none.
    if not key and workplace.endpoint_url is not None and is_local(workplace.endpoint_url):
        key = workplace.keyring().find_loan_hash_key()
    if not key:
        where = workplace.endpoint_url or "AWS"
        raise UsageError(
            f"The key of the loans' hashes in this log ({where}) isn't known. Set the environment variable "
            "LOAN_HASH_KEY to the function's own: the LoanHashKey that the stack was deployed with. Only the local "
            "stack's is known; it makes one when it first starts."
        )
    try:
        return LoanHasher(key)
    except ValueError as error:
        raise UsageError(f"LOAN_HASH_KEY can't be used. {error}") from None
