"""Publishes every kind of pipeline and prints what became of it: ``make models``, or ``make models KINDS="knn pca"``.

One line a kind, then ``models: accepted=A arrays=B refused=C of 69``. After a run of all kinds without a surprise the
table in docs/models.md is written anew. Kinds whose library isn't installed are left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

# As in the function, before NumPy is imported.
os.environ["OMP_NUM_THREADS"] = "1"

from pipelines.kind import End, Kind
from pipelines.page import PAGE, up_to_date
from pipelines.publishing import Outcome, publish
from pipelines.table import FAMILIES, KINDS


def main(names: Sequence[str]) -> int:
    """Publish the kinds with these names, or all; return 1 if one of them ends otherwise than expected."""
    unknown = sorted(set(names) - KINDS.keys())
    if unknown:
        print(f"models: unknown kinds: {', '.join(unknown)}; docs/models.md lists them", file=sys.stderr)
        return 2
    kinds = [KINDS[name] for name in names or KINDS]
    installed = [kind for kind in kinds if kind.is_installed()]
    for kind in kinds:
        if kind not in installed:
            print(f"models: {kind.name} left out: {kind.library} isn't installed")
    outcomes: dict[str, Outcome] = {}
    # The work is done by the processes that open the pickles.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for kind, outcome in zip(installed, pool.map(publish, installed), strict=True):
            outcomes[kind.name] = outcome
            print(describe(kind, outcome), flush=True)
    ends = [outcome.end for outcome in outcomes.values()]
    arrays, refused = ends.count(End.ARRAYS), ends.count(End.REFUSED)
    are_expected = all(outcomes[kind.name].is_expected_of(kind) for kind in installed)
    if are_expected and not names:
        PAGE.write_text(up_to_date(PAGE.read_text("utf-8"), FAMILIES), "utf-8")
    print(f"models: accepted={len(ends) - refused} arrays={arrays} refused={refused} of {len(kinds)}")
    return 0 if are_expected else 1


def describe(kind: Kind, outcome: Outcome) -> str:
    """Return one line."""
    difference = "" if outcome.end == End.REFUSED else f" difference={outcome.largest_difference:.2g}"
    detail = f": {outcome.detail}" if outcome.detail else ""
    surprise = "" if outcome.is_expected_of(kind) else f" (expected: {kind.end} {kind.refusal})"
    return f"models: {kind.name} {outcome.end}{difference}{detail}{surprise}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
