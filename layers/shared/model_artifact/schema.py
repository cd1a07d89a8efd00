"""The ten columns of a loan record. Imports neither NumPy nor pandas, so that every module may import it.

Meanings and units are those of PeerLoan's data dictionary. The hard bounds, which are inclusive, are the limits of any
real loan. A record beyond them has a wrong unit or is broken, and is refused. The range that a model was trained on is
in its manifest (``train_min`` and ``train_max``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FieldType = Literal["number", "category"]


@dataclass(frozen=True)
class Field:
    """One column, for the data and the API.

    To the model, a number is a float64 and a category a string. ``nullable`` is allowed only where the training data
    have gaps, which the pipeline fills. ``hard_min`` and ``hard_max`` are inclusive; they and the unit are None for a
    category. ``whole`` says whether a number must be a whole one. ``order`` are the labels of an ordered category,
    lowest first; empty for other categories.
    """

    name: str
    type: FieldType
    description: str
    unit: str | None = None
    hard_min: float | None = None
    hard_max: float | None = None
    nullable: bool = False
    whole: bool = False
    order: tuple[str, ...] = ()


TARGET = "is_late"

# A record may name its loan. The name is echoed, and no model sees it.
LOAN_ID = "loan_id"
MAX_TEXT_LENGTH = 100
MAX_LOAN_ID_LENGTH = 128

# In a CSV file, a cell with one of these texts is missing: for training, reports and scoring alike. They are those of
# pandas' default list that LendingClub's files use. JSON has null, so there a text is always a text.
MISSING_CELLS = ("", "n/a", "N/A", "NA", "None", "null", "NULL", "NaN", "nan")

GRADES = ("A", "B", "C", "D", "E", "F", "G")
EMP_LENGTHS = ("< 1 year", "1 year", *(f"{years} years" for years in range(2, 10)), "10+ years")

FIELDS: tuple[Field, ...] = (
    # One dollar is the smallest possible loan; ten million is 250 times the largest that is given.
    Field("loan_amnt", "number", "The amount of the loan applied for.", "USD", 1.0, 10_000_000.0),
    # A fraction. The upper bound catches 13.56 for 13.56 %; a rate below one basis point doesn't exist.
    Field("int_rate", "number", "Interest rate: 0.1356 is 13.56 %.", "fraction per year", 0.0001, 1.0),
    Field("purpose", "category", "What the borrower wants the loan for."),
    Field("grade", "category", "The grade given to the loan, A to G.", order=GRADES),
    # An income of zero happens and is accepted; the largest seen is just under ten million.
    Field("annual_inc", "number", "Income as the borrower states it.", "USD per year", 0.0, 1_000_000_000.0),
    # More than the credit limit can be in use (1.24 was seen); ten times the limit can't.
    Field("revol_util", "number", "Share of the revolving credit in use; may exceed 1.", "fraction", 0.0, 10.0, True),
    Field(
        "emp_length", "category", "Length of employment, '< 1 year' to '10+ years'.", nullable=True, order=EMP_LENGTHS
    ),
    # Percentage points, so that 14.46 is right. Beyond ten times the income it is a placeholder, not a ratio.
    Field("dti", "number", "Monthly debt payments over monthly income, in %.", "percentage points", 0.0, 1_000.0),
    # 23 was seen; a hundred is one new delinquency a week for two years.
    Field(
        "delinq_2yrs", "number", "Delinquencies of 30 days and more in the last two years.", "count", 0, 100, whole=True
    ),
    Field("home_ownership", "category", "RENT, OWN, MORTGAGE or ANY."),
)

FIELD_NAMES: tuple[str, ...] = tuple(field.name for field in FIELDS)
NUMERIC_NAMES: tuple[str, ...] = tuple(field.name for field in FIELDS if field.type == "number")
CATEGORY_NAMES: tuple[str, ...] = tuple(field.name for field in FIELDS if field.type == "category")


def describe_requirement(field: Field | None) -> str:
    """Return a sentence that says what a column's values must be; None stands for ``loan_id``."""
    if field is None:
        return f"Must be a text of 1 to {MAX_LOAN_ID_LENGTH} characters."
    or_null = ", or null" if field.nullable else ""
    if field.type == "category":
        return f"Must be a text of 1 to {MAX_TEXT_LENGTH} characters{or_null}. {field.description}"
    kind = "whole number" if field.whole else "number"
    bounds = f"from {field.hard_min:.10g} to {field.hard_max:.10g}"
    return f"Must be a {kind} {bounds} ({field.unit}){or_null}. {field.description}"
