"""Recognises requests in a form that isn't taken here, and says which form to use. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from predict_api.records.violations import find_similar

_RECORDS = 'Send {"instances": [{…}, …]}; in pandas, {"instances": df.to_dict(orient="records")}.'
_SPLIT = 'Send it as {"dataframe_split": {"columns": […], "data": [[…], …]}}.'


def find_hint(document: Mapping[str, Any], columns: Sequence[str], envelopes: Sequence[str]) -> str | None:
    """Return what to send instead of a body without one of the envelopes, or None if it may be a record.

    ``columns`` are a record's fields. A record has neither arrays nor objects, so two members that hold one are columns
    or rows.
    """
    if document.get("inputs") is not None:
        return (
            f"This route takes no inputs. {_RECORDS} Named tensors go to /v2/models/NAME/infer, and MLflow's inputs to "
            "/invocations."
        )
    if "columns" in document and "data" in document:
        return f"These are the members of pandas' split form. {_SPLIT}"
    nested = [name for name, value in document.items() if isinstance(value, list | dict) and name != "parameters"]
    if len(nested) > 1 and all(name in columns for name in nested):
        return f"Each field holds a column of values, as pandas' orient='columns' and 'list' write them. {_RECORDS}"
    if nested and all(_is_record(document[name], columns) for name in nested):
        return f"The records are members of the body, as pandas' orient='index' writes them. {_RECORDS}"
    if len(nested) == 1 and nested[0] not in columns and isinstance(document[nested[0]], list):
        similar = find_similar(nested[0], envelopes)
        guess = f" Did you mean {similar!r}?" if similar else ""
        return f"The body has an array under a name that isn't taken here.{guess} {_RECORDS}"
    return None


def _is_record(value: object, columns: Sequence[str]) -> bool:
    return isinstance(value, dict) and any(name in columns for name in value)
