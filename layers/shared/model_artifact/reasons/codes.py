"""The table of reasons: stable codes and plain texts. No text repeats a borrower's value.

A code's last word compares the record's value with the reference's: ``HIGH`` or ``LOW`` for numbers and for categories
that have an order, ``MISSING``, or ``OTHER``. Whoever changes a code or its meaning raises ``CODES_VERSION``, which
manifests name. Rewording a text without changing its meaning doesn't count.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any

from model_artifact.reasons.players import PRICING
from model_artifact.schema import FIELDS

PRICING_CODE = "LENDER_PRICING"

TEXTS: Mapping[str, str] = {
    "LOAN_AMNT_HIGH": "The loan is larger than a typical loan that is paid on time.",
    "LOAN_AMNT_LOW": "The loan is smaller than a typical loan that is paid on time.",
    "LOAN_AMNT_MISSING": "The amount of the loan is not known.",
    PRICING_CODE: "The lender's own pricing, interest rate and grade together, rates the risk as higher.",
    "PURPOSE_MISSING": "The purpose of the loan is not known.",
    "PURPOSE_OTHER": "The model rates this purpose as riskier than the typical one.",
    "ANNUAL_INC_HIGH": "The income is higher than is typical of loans that are paid on time.",
    "ANNUAL_INC_LOW": "The income is lower than is typical of loans that are paid on time.",
    "ANNUAL_INC_MISSING": "The income is not known.",
    "REVOL_UTIL_HIGH": "The borrower uses more of the available revolving credit than is typical.",
    "REVOL_UTIL_LOW": "The borrower uses less of the available revolving credit than is typical.",
    "REVOL_UTIL_MISSING": "It is not known how much of the available revolving credit is used.",
    "EMP_LENGTH_HIGH": "The borrower has been employed for longer than is typical.",
    "EMP_LENGTH_LOW": "The borrower has been employed for a shorter time than is typical.",
    "EMP_LENGTH_MISSING": "The length of employment is not stated.",
    "EMP_LENGTH_OTHER": "The length of employment is stated in a way that the model does not know.",
    "DTI_HIGH": "The debt payments take more of the income than is typical.",
    "DTI_LOW": "The debt payments take less of the income than is typical.",
    "DTI_MISSING": "It is not known how much of the income the debt payments take.",
    "DELINQ_2YRS_HIGH": "There were more delinquencies in the last two years than is typical.",
    "DELINQ_2YRS_LOW": "There were fewer delinquencies in the last two years than is typical.",
    "DELINQ_2YRS_MISSING": "It is not known whether there were delinquencies in the last two years.",
    "HOME_OWNERSHIP_MISSING": "The home ownership is not known.",
    "HOME_OWNERSHIP_OTHER": "The model rates this kind of home ownership as riskier than the typical one.",
}

_FIELDS = {field.name: field for field in FIELDS}


def find_code(player: str, record: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    """Return the code of a player's reason, chosen by comparing the loan's value with the typical on-time loan's."""
    if player == PRICING:
        return PRICING_CODE
    return f"{player.upper()}_{_direction(player, record.get(player), reference.get(player))}"


def _direction(name: str, value: Any, reference: Any) -> str:
    field = _FIELDS[name]
    if value is None or (isinstance(value, float) and isnan(value)):
        return "MISSING"
    if field.type == "number":
        return "HIGH" if reference is None or value > reference else "LOW"
    if value in field.order and reference in field.order:
        return "HIGH" if field.order.index(value) > field.order.index(reference) else "LOW"
    return "OTHER"
