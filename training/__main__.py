"""``python -m training basic|improved``: the training's command line, and the one place that reads the environment."""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from training import candidate_folder, data
from training.errors import TrainingError
from training.evidence.summary import summarise
from training.reason_wording import read_wording, worded
from training.run import RECIPES, TrainingResult, train
from training.thresholds import FlagShare, ThresholdRule, rule_of

EXIT_OK = 0
EXIT_REFUSED = 1
# The exit code that shells report for a process ended by SIGINT.
EXIT_INTERRUPTED = 130

_EPILOG = """\
examples:
  python -m training basic                          train the basic model on the data that it finds
  python -m training improved --data loans.zip      train on these data
  python -m training improved --data q2.csv q3.csv q4.csv  train on q2 and q3, test on q4
  python -m training basic --estimators 10 --json   train quickly, print the figures as JSON
  python -m training improved --flag-share 0.05     the team can call one loan in twenty
  python -m training improved --cost-missed-late 900 --cost-call 12

The data are --data, else PEERLOAN_DATA, else data/peerLoanData.zip, else generated sample data.
"""

# The fields of the training record that ``--json`` prints.
_SUMMARY = ("description", "threshold", "data", "metrics", "git_commit", "holdout_parity")


def main(argv: Sequence[str], environ: Mapping[str, str], stdout: IO[str], stderr: IO[str]) -> int:
    """Train a model and write it to a folder.

    Parameters
    ----------
    argv : sequence of str
        The arguments after the program's name.
    environ : mapping
        The environment's variables.
    stdout, stderr : text files
        The summary goes to the first; the data's name, the progress and errors go to the second.

    Returns
    -------
    int
        0, or 1 if the data were refused or a file can't be read or written, 130 after Ctrl-C. Wrong arguments end in
        exit code 2.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        if arguments.contender not in (None, *RECIPES[arguments.model].contenders):
            raise ValueError(f"the {arguments.model} model has no contenders; leave out --contender")
        rule = rule_of(arguments.flag_share, arguments.cost_missed_late, arguments.cost_call) or FlagShare()
    except ValueError as error:
        parser.error(str(error))
    folder = arguments.out or Path("models") / arguments.model
    console = Console(file=stderr, highlight=False)
    try:
        result = _train_into(folder, arguments, rule, environ, console)
        text = json.dumps(summary(result, folder), indent=2) if arguments.json else describe(result, folder)
        stdout.write(text + "\n")
        stdout.flush()
    except KeyboardInterrupt:
        console.print("Stopped; nothing was written.")
        return EXIT_INTERRUPTED
    except TrainingError as error:
        console.print(f"error: {error}", markup=False, soft_wrap=True)
        return EXIT_REFUSED
    except OSError as error:
        console.print(f"error: {error.filename or 'the output'}: {error.strerror}", markup=False, soft_wrap=True)
        return EXIT_REFUSED
    return EXIT_OK


def summary(result: TrainingResult, folder: Path) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    record = asdict(result.candidate)
    return {
        "model": result.name,
        "folder": str(folder),
        "pickle_bytes": len(record["pickle"]),
        "source": result.source,
        **{name: record[name] for name in _SUMMARY},
    }


def describe(result: TrainingResult, folder: Path) -> str:
    """Return the summary for people."""
    candidate = result.candidate
    written = f"  written to     {folder} ({len(candidate.pickle) / 1e6:.2f} MB)"
    return "\n".join([*summarise(candidate), written])


def _train_into(
    folder: Path, arguments: argparse.Namespace, rule: ThresholdRule, environ: Mapping[str, str], console: Console
) -> TrainingResult:
    # Checked first, so that no minutes are spent on a model that can't be saved.
    candidate_folder.check_writable(folder)
    wording = read_wording(arguments.reasons) if arguments.reasons else None
    quarters = data.load(arguments.data, environ)
    console.print(f"Data: {quarters.source}", markup=False, soft_wrap=True)
    with _progress_bar(console) as bar:
        result = train(
            arguments.model,
            quarters,
            n_estimators=arguments.estimators,
            seed=arguments.seed,
            threshold_rule=rule,
            git_commit=_find_git_commit(),
            is_compared=not arguments.no_comparison,
            contender=arguments.contender,
            progress=_StageBars(bar),
        )
    candidate = replace(result.candidate, reasons=worded(result.candidate.reasons, wording))
    candidate_folder.write(folder, candidate)
    return replace(result, candidate=candidate)


class _StageBars:
    """A progress bar for each stage of a training, made at the stage's first report."""

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
        "--data",
        type=Path,
        nargs="+",
        action="extend",
        metavar="PATH",
        help="a zip archive, a folder, or CSV files, oldest first: the last is tested on",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write (default: models/<model>)")
    parser.add_argument("--seed", type=_whole_number(0, 2**32 - 1), help="the model's random seed (default: 42)")
    parser.add_argument(
        "--estimators", type=_whole_number(1, 100_000), metavar="N", help="how many trees (default: the model's own)"
    )
    names = sorted({name for recipe in RECIPES.values() for name in recipe.contenders})
    parser.add_argument("--contender", choices=names, help="train this one of the improved model's contenders")
    parser.add_argument("--flag-share", type=float, metavar="SHARE", help="flag this share of the loans (default: 0.1)")
    parser.add_argument(
        "--cost-missed-late", type=float, metavar="COST", help="what a late payer costs who isn't called"
    )
    parser.add_argument("--cost-call", type=float, metavar="COST", help="what a call costs")
    parser.add_argument(
        "--reasons", type=Path, metavar="TOML", help="words for some codes of reasons, or exclude = true"
    )
    parser.add_argument("--no-comparison", action="store_true", help="don't train the basic model to compare with")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be from {least} to {most}")
        return int(text)

    return number


def _find_git_commit() -> str | None:
    """Return the commit of the running code, ``-dirty`` if it was changed since; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout.strip() or None


if __name__ == "__main__":
    exit_code = main(sys.argv[1:], os.environ, sys.stdout, sys.stderr)
    # Python would look through all of scikit-learn for garbage once more, which takes a fifth of the import's time.
    gc.freeze()
    sys.exit(exit_code)
