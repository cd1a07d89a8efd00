"""How fast days of the prediction log are counted, and in how much memory: ``make bench-watch``.

Made lines with a thousand records and with one record are counted as `peerloan monitor` counts them: unpacked, told
apart by their invocation, checked, and tallied by version. In turns with that, ``json.loads`` reads the same lines and
does nothing else. Then ten million predictions of one day are counted in a process of their own. Times are those of the
processor's, so that they don't count what else the machine does.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "kit"))

from benchmarks_page import WATCH_HEADING, split_page
from interleaved import time_in_turns

from log_texts import MODEL, NOON, log_text
from memory_store import InMemoryStore
from model_registry.stores.base import StoredObject
from model_watch.folding.day_fold import fold_day, fold_days

DAY: Final = NOON.date()
PREDICTIONS: Final = 10_000_000
# An object of the log has lines with so many predictions.
OBJECT_PREDICTIONS: Final = 20_000
_ROUNDS: Final = 15
# In the invocation's id of each line: the object's number goes in for it.
_PLACEHOLDER: Final = b"11111111-2222"


class MadeLog:
    """An ``ObjectStore`` whose objects are made when they are read. ``made_s`` is the time that this took."""

    def __init__(self, raw: bytes) -> None:
        self.made_s = 0.0
        self._raw = raw

    def get(self, key: str, **_options: Any) -> StoredObject:
        """Return lines that differ from those of all other objects in their invocations' ids."""
        started = time.thread_time()
        number = int(key.rpartition("/")[2])
        body = gzip.compress(self._raw.replace(_PLACEHOLDER, b"%08d-2222" % number), 1)
        self.made_s += time.thread_time() - started
        return StoredObject(body, "")


def main(words: Sequence[str] | None = None) -> None:
    """Read the options, measure, print, and write the page's section if asked to."""
    options = _options(words)
    if options.records:
        print(json.dumps(count_day(options.records, options.predictions)))
        return
    rows = [measure(records, options.predictions) for records in (1000, 1)]
    if options.docs:
        write_section(options.docs / "benchmarks.md", options.predictions, rows)


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=int, default=PREDICTIONS, help="of the day that is counted as a whole")
    parser.add_argument("--docs", type=Path, help="write the figures into benchmarks.md of this folder")
    # What the process that counts a whole day is told.
    parser.add_argument("--records", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def measure(records: int, predictions: int) -> str:
    """Print the figures of lines with so many records, and return them as a row of the page's table."""
    raw = made_lines(records)
    lines = raw.splitlines()
    store = InMemoryStore()
    store.put(f"log/dt={DAY}/1.gz", gzip.compress(raw))
    pair = time_in_turns(
        lambda _: sum(1 for line in lines if json.loads(line)),
        lambda _: fold_day(store, MODEL, DAY),
        rounds=_ROUNDS,
        longest_s=30,
    )
    a_second = OBJECT_PREDICTIONS / pair.fast_s
    script = [sys.executable, __file__, "--records", str(records), "--predictions", str(predictions)]
    whole = json.loads(subprocess.run(script, check=True, capture_output=True).stdout)
    ratio = pair.slow_s / pair.fast_s
    what = "1 record" if records == 1 else f"{records:,} records"
    print(f"lines of {what}: {a_second:,.0f} predictions a second, {ratio:.2f} times json.loads alone")
    print(f"{whole['predictions']:,} predictions: {whole['seconds']:,.0f} s, at most {whole['peak_mb']:,.0f} MB")
    print(f"bench: watch-{records} ratio={ratio:.2f}", flush=True)
    return f"| {records:,} | {a_second:,.0f} | {ratio:.2f} | {whole['seconds']:,.0f} s | {whole['peak_mb']:,.0f} MB |"


def made_lines(records: int) -> bytes:
    """Return the lines of one object."""
    numbers = range(OBJECT_PREDICTIONS // records)
    return b"".join(log_text(number, NOON + timedelta(seconds=number), records=records) + b"\n" for number in numbers)


def count_day(records: int, predictions: int) -> dict[str, float]:
    """Count a whole day, and return the predictions, the seconds and the process's peak memory."""
    log = MadeLog(made_lines(records))
    keys = [f"log/dt={DAY}/{number}" for number in range(predictions // OBJECT_PREDICTIONS)]
    folders: dict[date, list[str]] = {DAY - timedelta(days=1): [], DAY: keys, DAY + timedelta(days=1): []}
    started = time.thread_time()
    (tally,) = fold_days(log, MODEL, [DAY], folders)  # type: ignore[arg-type]
    seconds = time.thread_time() - started - log.made_s
    counted = tally.versions[3].records
    if (counted, tally.damaged) != (len(keys) * OBJECT_PREDICTIONS, 0):
        raise SystemExit(f"{counted:,} predictions were counted and {tally.damaged:,} lines damaged.")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"predictions": counted, "seconds": seconds, "peak_mb": peak_mb}


def write_section(page: Path, predictions: int, rows: list[str]) -> None:
    """Write the figures under their heading at the page's end."""
    head = (
        f"{WATCH_HEADING}\n\nWritten by `make bench-watch` (`tests/load/bench_watch.py`). One core counts a day of the "
        "prediction log by version:\nunpacked, each invocation once, every line checked. Times are the processor's. "
        "The ratio is to `json.loads`, which\nreads the same lines unpacked and does nothing else.\n\n"
        f"| records a line | predictions a second | times `json.loads` | {predictions:,} predictions | peak memory |\n"
        "|---|---|---|---|---|\n"
    )
    rest, _ = split_page(page.read_text(encoding="utf-8"))
    page.write_text(f"{rest}\n\n{head}" + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
