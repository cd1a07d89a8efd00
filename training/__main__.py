"""``python -m training basic|improved``: the wiring place of the training. Nothing else here reads the environment."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from training import data, record
from training.errors import TrainingError
from training.run import RECIPES, TrainingResult, train

EXIT_OK = 0
EXIT_REFUSED = 1

_EPILOG = """\
examples:
  python -m training basic                          train the basic model, on the data that are found
  python -m training improved --data loans.zip      on these
  python -m training improved --data q3.csv q4.csv  on these two: train on the first, test on the second
  python -m training basic --estimators 10 --json   a quick one, its figures as JSON

The data are --data, else PEERLOAN_DATA, else data/peerLoanData.zip, else generated sample data.
"""


def main(argv: Sequence[str], environ: Mapping[str, str], stdout: IO[str], stderr: IO[str]) -> int:
    """Train a model and write it to a folder.

    Parameters
    ----------
    argv : sequence of str
        The arguments after the program's name.
    environ : mapping
        The environment's variables.
    stdout, stderr : text files
        The summary goes to the first; the data's name, the progress and errors to the second.

    Returns
    -------
    int
        0, or 1 if the data were refused or a file can't be read or written. Wrong arguments end in exit code 2.
    """
    arguments = _parser().parse_args(argv)
    console = Console(file=stderr, highlight=False)
    try:
        quarters = data.load(arguments.data, environ)
        console.print(f"Data: {quarters.source}", markup=False, soft_wrap=True)
        with _progress_bar(console) as bar:
            result = train(
                arguments.model,
                quarters,
                n_estimators=arguments.estimators,
                seed=arguments.seed,
                git_commit=_find_git_commit(),
                progress=_StageBars(bar),
            )
        folder = arguments.out or Path("models") / arguments.model
        record.write(folder, result.candidate)
    except (TrainingError, OSError) as error:  # OSError: the folder can't be written, a file can't be read
        console.print(f"error: {error}", markup=False, soft_wrap=True)
        return EXIT_REFUSED
    text = json.dumps(summary(result, folder), indent=2) if arguments.json else describe(result, folder)
    stdout.write(text + "\n")
    return EXIT_OK


def summary(result: TrainingResult, folder: Path) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    candidate = result.candidate
    return {
        "model": result.name,
        "folder": str(folder),
        "pickle_bytes": len(candidate.pickle),
        "source": result.source,
        "description": candidate.description,
        "threshold": {"value": candidate.threshold.value, "how": candidate.threshold.how},
        "data": dict(candidate.data),
        "metrics": dict(candidate.metrics),
        "git_commit": candidate.git_commit,
    }


def describe(result: TrainingResult, folder: Path) -> str:
    """Return the summary for people."""
    candidate = result.candidate
    test = candidate.metrics["test"]
    auc = test["roc_auc"]
    quarter = test["data"]
    return "\n".join(
        (
            candidate.description,
            f"  next quarter   ROC-AUC {auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}], "
            f"PR-AUC {test['pr_auc']:.3f}, "
            f"Brier {test['brier']:.4f}, log loss {test['log_loss']:.3f}, "
            f"observed/expected {test['observed_over_expected']:.2f}",
            f"                 on {quarter['name']}: {quarter['rows']:,} loans, {quarter['late']} of them late",
            f"  threshold      {candidate.threshold.value:.4f} flags {test['flagged_share']:.1%} of its loans and "
            f"finds {test['recall']:.0%} of the late ones",
            f"  written to     {folder} ({len(candidate.pickle) / 1e6:.2f} MB)",
        )
    )


class _StageBars:
    """One bar for each stage of a training, made when the stage is first heard of."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage, total=total)
        self._bar.update(self._tasks[stage], completed=done)


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Train a late-payer model and write model.pkl and training.json.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", choices=sorted(RECIPES), help="which model")
    parser.add_argument(
        "--data", type=Path, nargs="+", metavar="PATH", help="a zip archive, a folder, or two CSV files: training, test"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write to (default: models/<model>)")
    parser.add_argument("--seed", type=_seed, help="the model's random seed (default: 42)")
    parser.add_argument("--estimators", type=_positive, metavar="N", help="how many trees (default: the model's own)")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError("must be from 0 to 4294967295")
    return number


def _find_git_commit() -> str | None:
    """Return the commit of the code that runs (``-dirty`` if it was changed since), or None where it is no checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout, sys.stderr))
