"""What a report says, in plain words for somebody who lends money. Each figure has its number of loans."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from model_artifact.reasons.players import PRICING_FIELDS
from model_artifact.schema import FIELDS
from model_monitor.input_shifts import SCORE, Shift
from model_monitor.report import Figure, MonitorReport, OutcomeFigures, VintageFigures
from training.evidence.intervals import in_words

# So many inputs that shifted are described; the table has all of them.
SHOWN_SHIFTS: Final = 4
# The name of a bin that small ones were merged into may be longer.
_LONGEST_BIN: Final = 40

_MEANINGS: Final = {
    "ok": "The model works as it should.",
    "not enough data": "It is too early to judge the model.",
    "look": "The loans have changed, and nobody knows yet whether the model still fits them.",
    "recalibrate": "The model's probabilities are off. Nothing shows that it ranks loans worse than promised.",
    "refit": "The model no longer ranks loans as well as promised.",
}
_COLUMNS: Final = {
    "loan_amnt": "Loan amount",
    "int_rate": "Interest rate",
    "purpose": "Purpose of the loan",
    "grade": "Grade",
    "annual_inc": "Annual income",
    "revol_util": "Share of revolving credit in use",
    "emp_length": "Length of employment",
    "dti": "Debt payments over income",
    "delinq_2yrs": "Delinquencies in two years",
    "home_ownership": "Home ownership",
    SCORE: "Predicted probability",
    "flagged": "Loans called late",
    "warnings": "Records with a warning",
}
_NUMBERS: Final = {SCORE, *(field.name for field in FIELDS if field.type == "number")}
_SHARES: Final = {SCORE, *(field.name for field in FIELDS if (field.unit or "").startswith("fraction"))}
_NUMBER: Final = re.compile(r"-?[0-9][0-9.]*(?:e[-+][0-9]+)?")


def meaning(report: MonitorReport) -> str:
    """Return what the verdict means."""
    return _MEANINGS[report.verdict.kind]


def column_title(name: str) -> str:
    """Return a column's name for people, and its name in the data."""
    title = _COLUMNS.get(name)
    return f"{title} ({name})" if title else name


def bin_title(column: str, name: str) -> str:
    """Return the name of a bin for people: numbers in percent where they are shares, and without exponents."""
    if column not in _NUMBERS:
        return name
    return _NUMBER.sub(lambda number: _written(float(number[0]), is_share=column in _SHARES), name)


def _written(number: float, *, is_share: bool) -> str:
    return f"{number * 100:.3g}%" if is_share else f"{number:,.10g}"


def figure(value: Figure, digits: int) -> str:
    """Write a figure with its interval, or a dash if it can't be computed."""
    return in_words(vars(value), digits)


def description(report: MonitorReport) -> str:
    """Return the sentence below the title."""
    return (
        f"In charge of {report.alias}. As of {report.as_of}: a loan is judged {report.window_days} days after it was "
        "scored, when everybody knows whether it was late."
    )


def findings(report: MonitorReport) -> list[str]:
    """Return what was found, from outcomes to inputs."""
    return [
        *_level(report.outcomes),
        *_ranking(report.outcomes),
        _maturity(report),
        inputs_summary(report),
        *described_shifts(report)[:1],
    ]


def damage(report: MonitorReport) -> list[str]:
    """Say what the figures lack, if anything."""
    lacks = []
    if report.damage.lines:
        lacks.append(f"{report.damage.lines:,} lines of the prediction log can't be read and are in no figure.")
    if report.damage.crashes:
        lacks.append(f"{report.damage.crashes:,} calls crashed or ran out of time: they left no prediction to count.")
    if report.outcomes.unhashed:
        lacks.append(
            f"{report.outcomes.unhashed:,} records have no loan id, so nobody can say what became of these loans."
        )
    return lacks


def shifted(report: MonitorReport) -> list[Shift]:
    """Return the inputs whose shift is more than sampling explains, the largest first."""
    changed = [shift for shift in report.shifts if shift.psi > shift.limit and shift.column != SCORE]
    return sorted(changed, key=lambda shift: -shift.psi)


def inputs_summary(report: MonitorReport) -> str:
    """Say how many inputs differ from the training loans by more than sampling explains."""
    inputs = [shift for shift in report.shifts if shift.column != SCORE]
    if not inputs:
        return "The inputs can't be compared with the training loans: there are no records, or no training profile."
    changed = shifted(report)
    of_records = f"{report.live.records:,} records scored from {report.live.since} to {report.live.until}"
    if not changed:
        return f"The inputs are as in training: what differs among the {of_records} is within what sampling explains."
    names = ", ".join(shift.column for shift in changed)
    return (
        f"{len(changed)} of {len(inputs)} inputs differ from the training loans by more than sampling explains "
        f"({of_records}): {names}, the largest shift first."
    )


def described_shifts(report: MonitorReport) -> list[str]:
    """Return a sentence on each of the largest shifts."""
    return [described_shift(shift) for shift in shifted(report)[:SHOWN_SHIFTS]]


def described_shift(shift: Shift) -> str:
    """Say how a column has shifted, by the bin that changed most."""
    before, after = np.array(shift.before), np.array(shift.after)
    place = int(np.argmax(np.abs(after - before)))
    words = [f"{column_title(shift.column)} has shifted{_direction(shift)}."]
    name = bin_title(shift.column, shift.bins[place])
    name = name if len(name) <= _LONGEST_BIN else "its rare values together"
    words.append(f"{name}: {after[place]:.1%} of the records, and {before[place]:.1%} of the training loans.")
    if shift.column in PRICING_FIELDS:
        words.append("The lender sets it: a new rate card shows like this, and says nothing of who applies.")
    if shift.unseen_share >= 0.0005:
        words.append(f"{shift.unseen_share:.1%} of the records have values that training never saw.")
    return " ".join(words)


def maturity(vintage: VintageFigures) -> str:
    """Say how many loans of a vintage are judged, if that isn't all of them; an empty text otherwise."""
    if not vintage.known:
        return "not judged yet"
    loans = max(vintage.records, vintage.mature)
    return "" if vintage.mature >= loans else f"so far: {vintage.mature:,} of {loans:,} loans are old enough"


def tests_intro(report: MonitorReport) -> str:
    """Say how often the tests are wrong."""
    return (
        "The verdict rests on these tests. They may be looked at each night: of a hundred versions that stay right, at "
        f"most {report.settings['error_rate'] * 100:g} have an alarm within their first year."
    )


def _level(outcomes: OutcomeFigures) -> list[str]:
    ratio = outcomes.observed_over_expected
    if ratio.value is None or ratio.low is None or ratio.high is None:
        return []
    numbers = (
        f"{outcomes.late:,} of {outcomes.known:,} loans were late, and {outcomes.expected_late:,.1f} were expected"
    )
    times = f"{ratio.value:.2f} times, 95% interval {ratio.low:.2f} to {ratio.high:.2f}"
    if ratio.high < 1:
        return [f"Fewer loans were late than expected: {numbers} ({times}). The probabilities are too high."]
    if ratio.low > 1:
        return [f"More loans were late than expected: {numbers} ({times}). The probabilities are too low."]
    return [f"About as many loans were late as expected: {numbers} ({times}, so chance may explain the difference)."]


def _ranking(outcomes: OutcomeFigures) -> list[str]:
    auc = outcomes.auc
    if auc.value is None:
        return []
    interval = "" if auc.low is None or auc.high is None else f", 95% interval {auc.low:.3f} to {auc.high:.3f}"
    return [
        f"Of a late loan and a loan on time, the late one has the higher probability {auc.value * 100:.0f} times in "
        f"100 (ROC-AUC {auc.value:.3f}{interval}; {outcomes.known:,} loans, {outcomes.late:,} of them late). Tossing a "
        "coin gives 50."
    ]


def _maturity(report: MonitorReport) -> str:
    outcomes = report.outcomes
    if outcomes.since is None:
        return (
            f"No loan is judged yet: none of the {max(outcomes.records, report.live.records):,} that were scored is "
            f"{report.window_days} days old."
        )
    return (
        f"These figures are of loans scored from {outcomes.since} to {outcomes.until}: of {outcomes.mature:,} the "
        f"outcome of {outcomes.known:,} is known. Loans scored later aren't judged yet, not even those that are late "
        "already."
    )


def _direction(shift: Shift) -> str:
    """Return whether the values of a number are higher or lower; an empty text if neither holds throughout."""
    if shift.column not in _NUMBERS:
        return ""
    gap = np.cumsum(shift.after) - np.cumsum(shift.before)
    return _one_way(gap.tolist())


def _one_way(gap: Sequence[float]) -> str:
    # A tenth of the largest gap may point the other way: that is noise.
    low, high = min(gap), max(gap)
    if high <= -low / 10:
        return " to higher values"
    return " to lower values" if -low <= high / 10 else ""
