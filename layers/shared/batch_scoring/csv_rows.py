"""Reads a CSV file in steps of whole rows: their text unchanged for the output, and their values for the model.

A step's cells are read column by column. Only the rows that aren't valid are then read one by one, to say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from batch_scoring.csv_header import Header
from batch_scoring.csv_lines import SplitRows, split_rows
from batch_scoring.row_rules import Columns, Rejection, find_rejections, read_cells, read_columns
from batch_scoring.source_file import LineSource
from model_artifact.column_rules import which_are_valid
from model_artifact.schema import FIELD_NAMES, LOAN_ID


@dataclass(frozen=True)
class Step:
    """Some lines of a file.

    ``rows`` are the valid rows' text as in the file, without line endings; ``columns`` are their values: the ten
    fields, and ``loan_id`` if the file has it. ``rejected`` counts the invalid rows; ``rejections`` lists their faults.
    """

    rows: Sequence[str]
    columns: Columns
    rejections: Sequence[Rejection]
    rejected: int
    n_lines: int


def read_step(file: LineSource, header: Header, first_line: int, size_bytes: int) -> Step | None:
    """Read whole rows, at least ``size_bytes`` of them; return None at the end of the file.

    ``first_line`` is the number of the next line of the file.
    """
    raw = file.read(size_bytes)
    if not raw:
        return None
    if not raw.endswith(b"\n"):
        raw += file.read_line()
    return _read_rows(split_rows(raw, file, header, first_line), header)


def _read_rows(split: SplitRows, header: Header) -> Step:
    names = [name for name in (*FIELD_NAMES, LOAN_ID) if name in header.names]
    cells = {name: split.column(header.names.index(name)) for name in names}
    columns, unreadable = read_columns(cells)
    is_valid = which_are_valid(columns)
    is_valid[list(unreadable)] = False
    if is_valid.all():
        return Step(split.texts, columns, split.rejections, len(split.rejections), split.n_lines)
    places = np.flatnonzero(~is_valid).tolist()
    records = [read_cells({name: column[place] for name, column in cells.items()}) for place in places]
    faults = find_rejections(records, [split.lines[place] for place in places])
    return Step(
        list(compress(split.texts, is_valid)),
        {
            name: values[is_valid] if isinstance(values, np.ndarray) else list(compress(values, is_valid))
            for name, values in columns.items()
        },
        sorted([*split.rejections, *faults], key=lambda rejection: rejection.line),
        len(places) + len(split.rejections),
        split.n_lines,
    )
