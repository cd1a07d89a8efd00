"""Generates edge cases: records on which a wrong serving form would differ from its pipeline.

The same form always gives the same records. Every number is within the schema's hard bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, cycle, islice
from math import inf, nextafter
from random import Random
from typing import Any

from model_artifact.schema import FIELDS
from model_artifact.serving_form.form import CurvesForm, ServingForm, TreesForm, leaf_forms

MAX_NODES = 5_000
MAX_BASES = 50
BASES_A_NODE = 20
MAX_SHARED_THRESHOLDS = 10_000
MIXED_RECORDS = 1_000

_SEED = 20_240
_UNSEEN = ("", " ", "nan", "None", "missing", "a label that no one knows", "\U0001f4b8")

Record = dict[str, Any]


def adversarial_records(form: ServingForm, records: Sequence[Mapping[str, Any]]) -> Iterator[Record]:
    """Yield the edge cases of a form, made from at least one usual record.

    In this order: records with one field missing, extreme or unseen; mixtures of these; records with each threshold
    and its two neighbouring floats (at most 10,000 thresholds a field where several parts of a composite are trees);
    and for each node (at most 5,000, spread evenly) records that reach it with a value at its threshold.
    """
    bases = [{spec.name: record.get(spec.name) for spec in FIELDS} for record in records[:MAX_BASES]]
    pools = _pools(form)
    yield from _one_by_one(bases[0], pools)
    yield from _mixed(bases, pools)
    trees = [leaf for leaf in leaf_forms(form) if isinstance(leaf, TreesForm)]
    # The parts of a composite share the effort: each record is scored by all of them.
    yield from _around(_thresholds(form), bases, None if len(trees) <= 1 else MAX_SHARED_THRESHOLDS)
    for part in trees:
        yield from _every_node(part, bases, MAX_NODES // len(trees))


def _pools(form: ServingForm) -> dict[str, list[Any]]:
    """Return each field's special values."""
    pools: dict[str, list[Any]] = {}
    for spec in FIELDS:
        if spec.type == "number":
            low, high = spec.hard_min or 0.0, spec.hard_max or 0.0
            inside = nextafter(low, inf), nextafter(high, -inf), (low + high) / 3, 1 / 3 + low
            pools[spec.name] = [None, low, high, *inside]
        else:
            labels = form.labels[spec.name]
            altered = [label.upper() for label in labels] + [f" {label}" for label in labels]
            pools[spec.name] = [None, *labels, *_UNSEEN, *altered]
    return pools


def _one_by_one(base: Record, pools: Mapping[str, Sequence[Any]]) -> Iterator[Record]:
    yield dict(base)
    for name, values in pools.items():
        for value in values:
            yield {**base, name: value}
    yield dict.fromkeys(base)


def _mixed(bases: Sequence[Record], pools: Mapping[str, Sequence[Any]]) -> Iterator[Record]:
    random = Random(_SEED)  # noqa: S311
    for base in islice(cycle(bases), MIXED_RECORDS):
        yield {name: random.choice(values) if random.random() < 0.5 else base[name] for name, values in pools.items()}


def _thresholds(form: ServingForm) -> list[set[float]]:
    """Return for each field the numbers at which a node or a curve's piece goes over to another."""
    thresholds: list[set[float]] = [set() for _ in FIELDS]
    for part in leaf_forms(form):
        if isinstance(part, TreesForm):
            for column, value in zip(part.node_column, part.node_value, strict=True):
                if column >= 0:
                    thresholds[part.column_field[column]].update((value, *part.blank_of(column)[:2]))
        elif isinstance(part, CurvesForm):
            place = 0
            for number, n_steps, n_pieces in zip(part.curve_field, part.curve_steps, part.curve_pieces, strict=True):
                # After a step the pieces are about another number than the record's.
                if not n_steps:
                    thresholds[number].update(part.piece_start[place : place + n_pieces])
                place += n_pieces
    return thresholds


def _around(thresholds: Sequence[set[float]], bases: Sequence[Record], limit: int | None) -> Iterator[Record]:
    """Yield records whose numbers all are at a threshold or next to one, until each such value was used.

    If a field has more thresholds than ``limit``, as many are taken, spread evenly.
    """
    edges = {
        spec.name: list(chain.from_iterable(_neighbours(number, value) for value in _spread(sorted(of_field), limit)))
        for number, (spec, of_field) in enumerate(zip(FIELDS, thresholds, strict=True))
        if spec.type == "number"
    }
    for row, base in enumerate(islice(cycle(bases), max(map(len, edges.values())))):
        yield {**base, **{name: values[row % len(values)] for name, values in edges.items() if values}}


def _spread(values: list[float], limit: int | None) -> list[float]:
    return values if limit is None else values[:: max(1, -(-len(values) // limit))]


def _every_node(form: TreesForm, bases: Sequence[Record], max_nodes: int) -> Iterator[Record]:
    questions = [
        (root, node) for root, end in form.tree_spans() for node in range(root, end) if form.node_column[node] >= 0
    ]
    step = max(1, len(questions) // max_nodes)
    for number, (root, node) in enumerate(questions[::step]):
        path = _path(form, root, node)
        if path is None:
            continue
        best = None
        # If both sides lead to equal leaves, a wrong threshold would go unnoticed, so another base is tried.
        for base in islice(cycle(bases), number % len(bases), number % len(bases) + BASES_A_NODE):
            record = _reaching(form, path, base)
            best = record or best
            if record is not None and _tells_apart(form, node, record):
                break
        if best is not None:
            yield from _at_threshold(form, node, path, best)


@dataclass
class _Path:
    """The conditions for reaching a node: numbers above ``low`` and at most ``high``, categories' codes in a set."""

    low: dict[int, float] = field(default_factory=dict)
    high: dict[int, float] = field(default_factory=dict)
    codes: dict[int, set[int]] = field(default_factory=dict)

    def admits(self, number: int, value: float) -> bool:
        """Return whether the field may have this value."""
        return self.low.get(number, -inf) < value <= self.high.get(number, inf)


def _path(form: TreesForm, root: int, target: int) -> _Path | None:
    """Return the conditions for reaching a node, or None if no record can meet them."""
    path, node = _Path(), root
    while node != target:
        is_left = target < form.node_right[node]
        number = form.column_field[form.node_column[node]]
        if FIELDS[number].type == "category":
            side = 0 if is_left else 1
            allowed = {code for code, code_side in enumerate(_sides(form, node)) if code_side == side}
            path.codes[number] = path.codes.get(number, allowed) & allowed
            if not path.codes[number]:
                return None
        elif is_left:
            path.high[number] = min(path.high.get(number, inf), form.node_value[node])
        else:
            path.low[number] = max(path.low.get(number, -inf), form.node_value[node])
        node = node + 1 if is_left else form.node_right[node]
    return path


def _reaching(form: TreesForm, path: _Path, base: Record) -> Record | None:
    """Return the base, changed so that it takes the path, or None if the hard bounds don't allow that."""
    record = dict(base)
    for number in {*path.low, *path.high}:
        name = FIELDS[number].name
        if record[name] is None or not path.admits(number, record[name]):
            candidates = (path.high.get(number, inf), nextafter(path.low.get(number, -inf), inf))
            fitting = [x for x in candidates if path.admits(number, x) and _is_possible(number, x)]
            if not fitting:
                return None
            record[name] = fitting[0]
    for number, codes in path.codes.items():
        record[FIELDS[number].name] = _label(form, FIELDS[number].name, min(codes))
    return record


def _at_threshold(form: TreesForm, node: int, path: _Path, record: Record) -> Iterator[Record]:
    number = form.column_field[form.node_column[node]]
    name = FIELDS[number].name
    if FIELDS[number].type == "category":
        for code in sorted(path.codes.get(number, range(len(form.labels[name]) + 2))):
            yield {**record, name: _label(form, name, code)}
        return
    for value in _neighbours(number, form.node_value[node]):
        if path.admits(number, value):
            yield {**record, name: value}
    yield {**record, name: None}


def _tells_apart(form: TreesForm, node: int, record: Record) -> bool:
    """Return whether a record at the node's threshold gets different leaves from its two sides."""
    number = form.column_field[form.node_column[node]]
    left = right = record
    if FIELDS[number].type == "number":
        threshold = form.node_value[node]
        left = {**record, FIELDS[number].name: threshold}
        right = {**record, FIELDS[number].name: nextafter(threshold, inf)}
    return _leaf(form, node + 1, left) != _leaf(form, form.node_right[node], right)


def _leaf(form: TreesForm, node: int, record: Record) -> float:
    while form.node_column[node] >= 0:
        column = form.node_column[node]
        spec = FIELDS[form.column_field[column]]
        value = record[spec.name]
        if spec.type == "category":
            labels = form.labels[spec.name]
            code = labels.index(value) if value in labels else len(labels) + (value is not None)
            is_left = not _sides(form, node)[code]
        else:
            low, high, is_blank_left = form.blank_of(column)
            if value is None:
                is_left = bool(form.column_missing_left[column])
            else:
                is_left = is_blank_left if low <= value <= high else value <= form.node_value[node]
        node = node + 1 if is_left else form.node_right[node]
    return form.node_value[node]


def _sides(form: TreesForm, node: int) -> Sequence[int]:
    first = form.node_column[node] * form.n_codes
    name = FIELDS[form.column_field[form.node_column[node]]].name
    return form.category_sides[first : first + len(form.labels[name]) + 2]


def _label(form: TreesForm, name: str, code: int) -> str | None:
    """Return a value of the category that has this code."""
    labels = form.labels[name]
    return (*labels, None, "".join(labels) + "?")[code]


def _neighbours(number: int, threshold: float) -> list[float]:
    around = (nextafter(threshold, -inf), threshold, nextafter(threshold, inf))
    return [value for value in around if _is_possible(number, value)]


def _is_possible(number: int, value: float) -> bool:
    low, high = FIELDS[number].hard_min, FIELDS[number].hard_max
    return low is not None and high is not None and low <= value <= high
