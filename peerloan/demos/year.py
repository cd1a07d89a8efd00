"""Runs the sample year on a local stack: clients, outcomes, the monitor's looks, retrainings and their rollouts."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from model_monitor.settings import default_settings
from model_registry.names import DEFAULT_ALIAS
from peerloan.demos.figures import Look
from peerloan.demos.moved_log import FreshLog
from peerloan.demos.operator import LOOK_S, Operator
from peerloan.demos.sample_year import SCORING_DAYS, Quarter, quarters_of_the_year, write_loans_before
from peerloan.errors import EXIT_BY_VERDICT, CommandError
from peerloan.first_model import train_into
from peerloan.handover import publish_folder
from peerloan.load import Answer, load, send_each
from peerloan.output import note
from peerloan.workplace import DATA_VARIABLE, Workplace

_CLIENTS: Final = 8
# The clients leave some of two processors to whoever judges their requests.
_PAUSE_S: Final = 0.02
# One contender, since choosing among five takes a minute; the recipe in the manifest names it to each retraining.
_RECIPE: Final = ("--contender", "partly_monotone", "--estimators", "120")
_PLAN: Final = ("--steps", "20,50", "--every", "3s", "--shadow", "3s", "--bake", "3s")
_DELIVERY_LIMIT_S: Final = 120.0
_RETRAIN_LIMIT_S: Final = 900.0


@dataclass
class YearRun:
    """One run of the year.

    Attributes
    ----------
    local : Workplace
        At the stack's bucket.
    url : str
        The API's address.
    looks : list of Look
        What the monitor said, quarter by quarter.
    retrained, promoted : int
        New versions, and those of them that got all the traffic.
    problems : Counter
        Requests that weren't answered with 200, by status and problem.
    """

    local: Workplace
    url: str
    looks: list[Look] = field(default_factory=list)
    retrained: int = 0
    promoted: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    _answered: int = 0

    async def run(self) -> None:
        """Live through the four quarters."""
        operator = Operator(self.local)
        log = FreshLog(self.local.log_store(), self.local.clock)
        verdict = ""
        past: Quarter | None = None
        for quarter in quarters_of_the_year(default_settings().outcome_window_days):
            if past and verdict in ("recalibrate", "refit"):
                await self._retrain(operator, verdict, past, quarter)
            await self._score(log, quarter)
            report = await self._look(operator, quarter)
            verdict = str(report["verdict"]["kind"])
            past = quarter

    async def _retrain(self, operator: Operator, verdict: str, past: Quarter, quarter: Quarter) -> None:
        """Make the next version as the verdict asks for, and roll it out while clients score the quarter's first loans.

        The clients begin once the rollout has: they would take the processors from the training.
        """
        how = ["--recalibrate"]
        if verdict == "refit":
            how = [word for path in past.write_loans(self.local.state_dir) for word in ("--data", str(path))]
        began = time.monotonic()
        await operator.run("retrain", DEFAULT_ALIAS, *how, *_PLAN, limit_s=_RETRAIN_LIMIT_S)
        self.retrained += 1
        requests = quarter.single_requests()
        async with load(f"{self.url}/predict", requests, _CLIENTS, pause_s=_PAUSE_S) as answers:
            rollout = await operator.wait_for_end(is_resumed=True)
        self._count(answers)
        self.promoted += rollout.state == "promoted"
        took = f"{rollout.state.replace('_', ' ')} after {time.monotonic() - began:.0f} s"
        note(f"Version {rollout.candidate}: {took}. {rollout.why}\n")

    async def _score(self, log: FreshLog, quarter: Quarter) -> None:
        """Score all loans of the quarter, and move what was logged since the last quarter to its days."""
        self._count(await send_each(f"{self.url}/predict", quarter.batch_requests(), _CLIENTS))
        deadline = time.monotonic() + _DELIVERY_LIMIT_S
        while (delivered := await asyncio.to_thread(log.count_requests)) < self._answered:
            if time.monotonic() > deadline:
                raise CommandError(f"Of {self._answered:,} answers {delivered:,} reached the prediction log.")
            await asyncio.sleep(LOOK_S)
        await asyncio.to_thread(log.move, quarter.first, SCORING_DAYS)
        days = f"{quarter.first} to {quarter.last}"
        note(f"{quarter.vintage}: {self._answered:,} requests; their log lines moved to {days}.")
        self._answered = 0

    async def _look(self, operator: Operator, quarter: Quarter) -> dict[str, Any]:
        """Import what became of the quarter's loans, and have the monitor look on the day on which it is known."""
        outcomes = await asyncio.to_thread(quarter.write_outcomes, self.local.state_dir)
        as_of = ("--as-of", quarter.known_on.isoformat())
        await operator.run("outcomes", "import", str(outcomes), *as_of)
        report = await operator.ask("monitor", DEFAULT_ALIAS, *as_of, codes=EXIT_BY_VERDICT.values())
        self.looks.append(Look.of(report, quarter.vintage))
        note(
            f"{quarter.known_on}, version {report['version']}: {report['verdict']['kind']}: "
            f"{report['verdict']['reason']}"
        )
        return report

    def _count(self, answers: list[Answer]) -> None:
        # A request that failed may have reached the function, or not.
        self._answered += sum(answer.status == 200 for answer in answers)
        self.problems.update(f"{answer.status} {answer.problem}" for answer in answers if answer.status != 200)


def publish_first_model(local: Workplace) -> Workplace:
    """Train a model on the loans of before the year, publish it and put it in charge.

    Returns
    -------
    Workplace
        Where these loans are what versions are compared on.
    """
    trained_on, tested_on = write_loans_before(local.state_dir)
    folder: Path = local.state_dir / "first"
    train_into(local, folder, "improved", *_RECIPE, "--data", str(trained_on), str(tested_on))
    version = publish_folder(local, folder).manifest.version
    local.writer().assign(DEFAULT_ALIAS, version, reason="first model")
    loans = os.pathsep.join([str(trained_on), str(tested_on)])
    return replace(local, environ={**local.environ, DATA_VARIABLE: loans})
