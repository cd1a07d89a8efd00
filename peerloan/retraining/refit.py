"""Trains the recipe of a retraining on newer loans, as ``peerloan train`` does: in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peerloan.errors import CommandError
from peerloan.retraining.document import Retraining
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from training.thresholds import Stated


class TrainingFailedError(CommandError):
    """The process that trains ended without a model; it has said why."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"The training ended with exit code {exit_code}; nothing was published.")
        self.training_exit_code = exit_code


def train_again(workplace: Workplace, retraining: Retraining, folder: Path) -> tuple[str, dict[str, Any]]:
    """Train into a folder; return a sentence about the model and its facts."""
    recipe = retraining.request.recipe or {}
    command = [sys.executable, "-m", "training", *training_words(recipe, retraining.request.data, folder), "--json"]
    # Its progress goes to the terminal, its result comes here.
    process = subprocess.run(command, check=False, env=dict(workplace.environ), stdout=subprocess.PIPE, text=True)
    if process.returncode:
        raise TrainingFailedError(process.returncode)
    summary = json.loads(process.stdout)
    auc = summary["metrics"]["test"]["roc_auc"]
    loans = f"{summary['data']['train']['rows']:,} loans"
    told = (
        f"Trained on {loans}: {summary['description']} ROC-AUC {auc['value']:.3f} ({auc['low']:.3f} to "
        f"{auc['high']:.3f}) on {summary['data']['test']['rows']:,} later ones."
    )
    return told, {"source": summary["source"], "threshold": summary["threshold"]["value"], "roc_auc": auc}


def training_words(recipe: Mapping[str, Any], data: tuple[str, ...], folder: Path) -> list[str]:
    """Return the arguments of ``python -m training`` for a recipe."""
    words = [str(recipe["name"]), "--data", *data, "--out", str(folder)]
    rule = recipe.get("threshold") or {}
    options = {
        "--contender": recipe.get("contender"),
        "--estimators": recipe.get("estimators"),
        "--seed": recipe.get("seed"),
        "--flag-share": rule.get("flag_share"),
        "--cost-missed-late": rule.get("cost_missed_late"),
        "--cost-call": rule.get("cost_call"),
    }
    return words + [word for name, value in options.items() if value is not None for word in (name, str(value))]


def stated_threshold(recipe: Mapping[str, Any] | None) -> Stated | None:
    """Return the rule of a threshold that somebody stated, which training doesn't choose; None for another rule."""
    from training.thresholds import Stated

    value = ((recipe or {}).get("threshold") or {}).get("stated")
    return None if value is None else Stated(float(value))
