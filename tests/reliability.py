"""Writes docs/reliability.md from the outcomes of the fault tests: `make reliability`.

python tests/reliability.py OUTCOMES.json PAGE.md
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

FAULTS = {
    1: "Empty body, `null`, `[]`, a bare string, truncated JSON, invalid UTF-8: 400, no trace",
    2: "Body flagged base64 is decoded; flagged and not base64: 400",
    3: "Each field missing, all missing: 422 with a pointer each",
    4: "Unknown field, typo, wrong case: 422 with a suggestion",
    5: "NaN, Infinity, string, boolean or list for a number, number for a category: 400 or 422",
    6: "Out of hard bounds: 422; out of the training range: 200 with a warning",
    7: "Unseen category: 200 with a warning; null where nothing imputes: 422",
    8: "0, 1, 1,000 and 1,001 rows; 1 MiB and a byte more; one bad row in 1,000",
    9: "Columns shuffled: same scores; `dataframe_split` with duplicate or missing columns: 422",
    10: "Wrong method, content type, path: 405 with Allow, 415, 404; never 500",
    11: "Truncated, empty or foreign pickles: refused at publish and at load; the last good version serves",
    12: "A flipped bit, the right size with the wrong hash, swapped pickles: refused, and not unpickled",
    13: "Malicious pickles: refused before any side effect",
    14: "Another scikit-learn, nine or eleven columns, a regressor, text labels, NaN or p > 1: refused or handled",
    15: "The bucket answers errors, times out, resets: bounded retries, the last good version serves",
    16: "Alias document missing, damaged, from the future: a write is refused, a read keeps the last good",
    17: "`kill -9` at every write step, a full disk under the bucket: the old state or the new; a rerun converges",
    18: "Several writers with one revision: exactly one wins, the others name it",
    19: "100 alias shifts under load while environments come and go",
    20: "Canary, rollback and promotion in random order, against a reference model",
    21: "Candidates that fail, are slow or shift the score: rolled back within the bake time",
    22: "No traffic, or too little, during the bake: not promoted silently",
    23: "The operator's command dies in a rollout; a second operator starts one",
    24: "Slow or failing init, out of memory, time-out, exit: Lambda's answer; the next request is clean",
    25: "Two requests at once: a second environment, never interleaved; 429 beyond the limit",
    26: "A function's answer that isn't a valid one: 502 or 500, as API Gateway gives it",
    27: "An environment killed under load: its own request fails, no other",
    28: "Two controllers drive one rollout, or one is killed anywhere: each step once, and the same end",
    29: "Log objects late, twice, out of order, truncated, of another format: each request counts once",
    30: "The log's delivery stops in a canary: the rollout holds, requests go on, nothing is promoted",
    31: "The shadow raises, hangs, gives NaN, can't be loaded: answers as before; it is counted",
    32: "All canary traffic from one loan, requests repeated ten times: distinct keys count",
    33: "An environment's clock is an hour off, a day has 23 or 25 hours: nothing is lost at a border",
}

HEAD = """# Reliability

The injected faults, and the tests of each. `make reliability` runs them and writes this page. We make no claim about a
row without a test.

"""


def render(outcomes: Mapping[str, Mapping[str, str]]) -> str:
    """Return the page: one item a fault, with the outcome of its tests and where they are."""
    return HEAD + "".join(_item(number, outcomes.get(str(number), {})) for number in FAULTS)


def _item(number: int, tests: Mapping[str, str]) -> str:
    counts = Counter(tests.values())
    result = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no test yet"
    functions = sorted({re.sub(r"\[.*", "", test) for test in tests})
    files = sorted({function.partition("::")[0] for function in functions})
    links = "".join(f"    - [{Path(file).name}](../{file})\n" for file in files)
    return f"{number}. {FAULTS[number]}.\n    **{result}**\n{links}"


def main() -> None:
    """Read the outcomes, write the page."""
    outcomes, page = map(Path, sys.argv[1:])
    page.write_text(render(json.loads(outcomes.read_text())), encoding="utf-8")


if __name__ == "__main__":
    main()
