"""Made-up records that every version scores when it is published, and again whenever it is loaded.

They aren't rows of any data file. Together they reach each branch of the pipelines: a usual loan, low and high risk,
gaps that are filled, and a label that no encoder has seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_USUAL: Mapping[str, Any] = {
    "loan_amnt": 12000,
    "int_rate": 0.1299,
    "purpose": "debt_consolidation",
    "grade": "C",
    "annual_inc": 65000.0,
    "revol_util": 0.45,
    "emp_length": "4 years",
    "dti": 17.5,
    "delinq_2yrs": 0,
    "home_ownership": "RENT",
}

PROBE_RECORDS: tuple[Mapping[str, Any], ...] = (
    _USUAL,
    {
        **_USUAL,
        "int_rate": 0.055,
        "grade": "A",
        "purpose": "credit_card",
        "annual_inc": 240000.0,
        "revol_util": 0.06,
        "emp_length": "10+ years",
        "dti": 6.25,
        "home_ownership": "MORTGAGE",
    },
    {
        **_USUAL,
        "loan_amnt": 33000,
        "int_rate": 0.255,
        "grade": "E",
        "purpose": "small_business",
        "annual_inc": 31000.0,
        "revol_util": 0.97,
        "emp_length": "< 1 year",
        "dti": 36.75,
        "delinq_2yrs": 4,
    },
    {**_USUAL, "revol_util": None, "emp_length": None},
    {**_USUAL, "purpose": "a purpose that nobody had", "home_ownership": "OWN", "annual_inc": 0.0},
)
