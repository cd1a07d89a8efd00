"""How many times faster than its pickle a serving form scores: ``python tests/load/bench_scoring.py [MODEL.pkl]``.

Both ways take checked JSON records and give probabilities; they take turns within one run, so that what else the
machine does slows both. Prints ``bench: <name> ratio=<pickle over serving form>`` from the medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# One thread for both, before NumPy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/shared"), str(ROOT / "tests/kit")]

ROUNDS = 60
LONGEST_S = 20.0


def main() -> None:
    """Measure, print, end within a minute."""
    from model_artifact.features import frame_from_records
    from model_artifact.reasons.explain import Explainer
    from model_artifact.scoring import late_probabilities
    from model_artifact.serving_form.parity import compile_verified
    from model_artifact.serving_form.scoring import load_scorer
    from model_artifact.unpickling import load_pipeline

    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("model", type=Path, nargs="?", help="a trained model's pickle; none: a small made-up one")
    model = arguments.parse_args().model
    pipeline = load_pipeline(model.read_bytes()) if model else _made_up()
    batch = _batch()
    verified = compile_verified(pipeline, batch[:100])
    if verified.body is None:
        sys.exit(f"There is no serving form to measure: {verified.why_not}")
    scorer = load_scorer(verified.body)
    explainer = Explainer(scorer, batch[0])

    def by_pickle(n_records: int) -> Callable[[int], Any]:
        return lambda turn: late_probabilities(pipeline, frame_from_records(_turned(batch, turn, n_records)))

    print(f"{type(scorer).__name__}: {len(verified.body):,} bytes, largest difference {verified.parity}")
    _compare("scoring-1", by_pickle(1), lambda turn: scorer.late_probability(batch[turn % len(batch)]))
    _compare("scoring-1000", by_pickle(1000), lambda turn: scorer.late_probabilities(_turned(batch, turn, 1000)))
    took = [_timed(lambda turn: explainer.explain(batch[turn % len(batch)]), turn) for turn in range(ROUNDS)]
    print(f"reasons-1: {statistics.median(took) * 1e6:.1f} us")


def _compare(name: str, slow: Callable[[int], Any], fast: Callable[[int], Any]) -> None:
    slow_s, fast_s = [], []
    end = time.perf_counter() + LONGEST_S
    for turn in range(ROUNDS):
        slow_s.append(_timed(slow, turn))
        # The first one after something else finds cold caches; so does a request.
        fast_s += [_timed(fast, turn) for _ in range(3)]
        if time.perf_counter() > end:
            break
    slow_median, fast_median = statistics.median(slow_s), statistics.median(fast_s)
    print(f"{name}: pickle {slow_median * 1e6:,.1f} us, serving form {fast_median * 1e6:,.1f} us")
    print(f"bench: {name} ratio={slow_median / fast_median:.1f}")


def _timed(call: Callable[[int], Any], turn: int) -> float:
    started = time.perf_counter()
    call(turn)
    return time.perf_counter() - started


def _turned(batch: list[Any], turn: int, n_records: int) -> list[Any]:
    start = turn % len(batch)
    return (batch[start:] + batch[:start])[:n_records]


def _batch() -> list[Any]:
    from fitted_pipelines import records

    return list(records()[:1000])


def _made_up() -> Any:
    from fitted_pipelines import fitted

    return fitted("boosting-small")


if __name__ == "__main__":
    main()
