"""Says how to write a number that came in another form, such as ``13.56%``, ``12,000`` or ``n/a``. Pure.

The API, scoring and training use it for their messages. A hint never quotes the value, which is a borrower's.
"""

from __future__ import annotations

import re

from model_artifact.schema import FIELDS, MISSING_CELLS, Field, describe_requirement

_AS_FRACTION = "Write a percentage as a fraction: 0.1356 for 13.56%."
_NULLABLE = " and ".join(field.name for field in FIELDS if field.nullable)
_IS_MISSING = f"The value is missing; only {_NULLABLE} may be."
_MISSING_TEXTS = {text.casefold() for text in MISSING_CELLS} | {"-", "--", "?", "missing", "unknown"}
_LONGEST_NUMBER = 40
_DIGITS = r"[+-]?[0-9]+(\.[0-9]+)?"
# The first pattern that the whole text matches gives the hint.
_HINTS = (
    (_DIGITS, "Write the number without quotation marks."),
    (r"([$€£]|USD|EUR|GBP).*|.*([$€£]|USD|EUR|GBP)", "Write the amount without a currency: 12000 for $12,000."),
    (r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", "Write the number without commas between the thousands: 12000."),
    (r"[+-]?[0-9]{1,3}([ _'’\u00a0][0-9]{3})+([.,][0-9]+)?", "Write the number without spaces or signs in it: 12000."),
    (r"[+-]?[0-9.]*,[0-9]+", "Write a point before the decimals: 13.56 for 13,56."),
    (rf"{_DIGITS} ?[kKmM]", "Write the number out: 12000 for 12k."),
)


def describe_wrong_value(field: Field | None, value: object) -> str:
    """Return what a column's values must be, and how to write this one; None stands for ``loan_id``."""
    is_text = field is None or field.type == "category"
    hint = "" if is_text and value is not None else number_hint(field, value)
    return f"{describe_requirement(field)} {hint}".rstrip()


def number_hint(field: Field | None, value: object) -> str:
    """Return a sentence on how to write a wrong value of a numeric column, or an empty text.

    ``field`` is None for a column that isn't one of the ten.
    """
    is_fraction = field is not None and (field.unit or "").startswith("fraction")
    if value is None:
        return _IS_MISSING
    if isinstance(value, int | float):
        greatest = (field and field.hard_max) or 0.0
        return _AS_FRACTION if is_fraction and greatest < value <= 100 * greatest else ""
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return ""
    text = value.strip()
    if text.casefold() in _MISSING_TEXTS:
        return "Write null for a missing value." if field is not None and field.nullable else _IS_MISSING
    if text.endswith("%"):
        return _AS_FRACTION if is_fraction else "Write the number without the percent sign."
    return next((hint for pattern, hint in _HINTS if re.fullmatch(pattern, text)), "")
