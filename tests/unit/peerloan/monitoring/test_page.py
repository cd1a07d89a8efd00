"""The monitor's page: it needs no other file, is the same each time, and can show any report."""

from __future__ import annotations

import base64
import html
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from model_monitor.expected import ExpectedFigures
from model_monitor.input_shifts import Shift
from model_monitor.report import (
    EvidenceFigures,
    Figure,
    Latency,
    LiveFigures,
    MonitorReport,
    OutcomeFigures,
    ScoreDistributions,
)
from model_monitor.verdict import KINDS, Verdict
from monitor_kit import make_report
from peerloan.monitoring import heat_map, sentences, tables
from peerloan.monitoring.page import render_monitor_page

SECTIONS = ["vintages", "calibration", "inputs", "scores", "challengers", "tests", "words"]
UNKNOWN = Figure(None, None, None)
REPORT = make_report()
VINTAGE = REPORT.vintages[0]
UNJUDGED = replace(
    VINTAGE,
    vintage="2026-Q2",
    version=4,
    records=0,
    mature=0,
    known=0,
    late=0,
    expected_late=0.0,
    observed_over_expected=UNKNOWN,
    auc=UNKNOWN,
    brier=UNKNOWN,
    calibration=(),
)
CHALLENGER = {
    "version": 4,
    "loans": 6_000,
    "late": 90,
    "auc_difference": {"value": 0.012, "low": -0.004, "high": 0.028},
    "log_loss_difference": {"value": -0.0012, "low": -0.002, "high": -0.0004},
    "swaps": {"only_champion": 40, "only_champion_late": 1, "only_challenger": 55, "only_challenger_late": 6},
    "cost_difference": {"value": -512.4, "low": -900.0, "high": -100.0},
    "costs": {"missed_late": 900.0, "call": 12.0},
    "e_value": 64.2,
    "e_value_worse": 0.01,
    "threshold": 40.0,
    "verdict": {"kind": "better", "reason": "Since 2026-02-01 version 4 predicts better than version 3: <so>."},
}
NO_OUTCOMES = {
    **CHALLENGER,
    "version": 5,
    "loans": 0,
    "late": 0,
    "auc_difference": {"value": None, "low": None, "high": None},
    "verdict": {"kind": "not enough data", "reason": "No loan that both version 3 and version 5 scored is known."},
}
NOTHING_LIVE = LiveFigures(
    None, None, 0, 0, Latency(None, None), 0, None, None, {}, None, ExpectedFigures(None, None, None)
)
NOTHING_MATURE = OutcomeFigures(
    None, None, 0, 0, 0, 0, 0, 0, 0.0, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, None
)


def words_of(report: MonitorReport) -> str:
    """Return the page's text without its drawings."""
    page = re.sub(r"<style>.*?</style>", "", render_monitor_page(report), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_the_page_has_its_sections_begins_with_the_verdict_and_needs_no_other_file():
    page = render_monitor_page(make_report(challengers=(CHALLENGER, NO_OUTCOMES)))
    assert page.startswith("<!doctype html>")
    assert "<title>late-payer version 3: monitoring</title>" in page
    assert re.findall(r'<section id="([a-z]+)">', page) == SECTIONS
    assert page.index("Verdict: recalibrate") < page.index("<dl") < page.index("<section")
    assert "peerloan retrain live --recalibrate" in page
    assert "script" not in set(re.findall(r"<(\w+)", page))
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "url(" not in re.sub(r'src="data:[^"]*"', "", page)
    assert "&lt;so&gt;" in page
    assert render_monitor_page(make_report(challengers=(CHALLENGER, NO_OUTCOMES))) == page


def test_every_plot_is_a_drawing_that_refers_to_nothing_else():
    images = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', render_monitor_page(REPORT))
    assert len(images) == 4
    for image in images:
        for element in ElementTree.fromstring(base64.b64decode(image)).iter():
            assert all(value.startswith("#") for name, value in element.attrib.items() if name.endswith("href"))


def test_it_says_in_words_what_was_found_and_of_how_many_loans():
    words = words_of(make_report(challengers=(CHALLENGER,)))
    for sentence in (
        "The model's probabilities are off. Nothing shows that it ranks loans worse than promised.",
        "Fewer loans were late than expected: 480 of 39,000 loans were late, and 850.5 were expected (0.56 times",
        "73 times in 100 (ROC-AUC 0.728, 95% interval 0.705 to 0.750; 39,000 loans, 480 of them late)",
        "of 40,000 the outcome of 39,000 is known",
        "1 of 1 inputs differ from the training loans by more than sampling explains (50,000 records",
        "Interest rate (int_rate) has shifted to higher values. 1.2e+03% to 2.9e+03%: 66.0% of the records, and 50.0% "
        "of the training loans. The lender sets it: a new rate card shows like this",
        "12 records have no loan id",
        "6,000 loans that both scored in one request and whose outcome is known, 90 of them late",
        "55 loans 6 of them were late",
        "a call costs 12, a missed late loan 900",
    ):
        assert sentence in words


def test_a_quarter_that_is_not_old_enough_is_marked():
    report = make_report(vintages=(VINTAGE, UNJUDGED))
    (newest, cells), (oldest, judged) = heat_map.of_report(report).rows
    assert (newest, oldest) == ("2026-Q2", "2026-Q1")
    assert cells[0] is None
    assert (cells[1].figure, cells[1].loans, cells[1].color) == ("–", ("45,000 records scored",), "")
    assert judged[0].is_partly
    assert judged[0].loans[-1] == "so far: 40,000 of 44,000 loans are old enough"
    assert judged[1] is None
    page = render_monitor_page(report)
    assert 'class="unjudged"' in page
    assert 'class="partly"' in page
    whole = render_monitor_page(make_report(vintages=(replace(VINTAGE, records=VINTAGE.mature),)))
    assert 'class="partly"' not in whole
    assert "so far:" not in whole


@pytest.mark.parametrize(
    ("ratio", "blue", "red"),
    [
        (Figure(0.5, 0.4, 0.6), True, False),
        (Figure(2.0, 1.6, 2.6), False, True),
        (Figure(0.0, 0.0, 0.4), True, False),
    ],
)
def test_the_heat_maps_colour_says_which_way_the_probabilities_are_off(ratio, blue, red):
    color = heat_map.color(ratio)
    channels = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    assert (channels[2] > channels[0], channels[0] > channels[2]) == (blue, red)


def test_what_chance_explains_has_no_colour():
    grey = heat_map.color(Figure(1.4, 0.9, 2.1))
    assert grey == heat_map.color(Figure(0.7, 0.4, 1.1)) == heat_map.color(Figure(1.4, None, None))
    assert heat_map.color(UNKNOWN) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_every_verdict_has_its_meaning_and_its_next_step(kind):
    words = words_of(make_report(verdict=Verdict(kind, "The reason.")))
    assert (
        f"Verdict: {kind} {sentences.meaning(make_report(verdict=Verdict(kind, '')))} The reason. What to do:" in words
    )


def test_a_version_that_has_answered_nothing_has_a_page():
    report = make_report(
        verdict=Verdict("not enough data", "No prediction is mature yet."),
        live=NOTHING_LIVE,
        outcomes=NOTHING_MATURE,
        shifts=(),
        tests=(),
        vintages=(),
        scores=ScoreDistributions((), (), ()),
    )
    words = words_of(report)
    for sentence in ("No loan has been scored yet.", "No outcome is known yet.", "No record has been scored yet."):
        assert sentence in words
    assert "data:image" not in render_monitor_page(report)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(1.2, 1.9, "More loans were late than expected"), (0.8, 1.3, "About as many loans were late as expected")],
)
def test_the_level_is_said_with_what_chance_explains(low, high, words):
    outcomes = replace(REPORT.outcomes, observed_over_expected=Figure((low + high) / 2, low, high))
    assert words in words_of(make_report(outcomes=outcomes))


def test_inputs_that_are_as_in_training_are_said_to_be():
    calm = replace(REPORT.shifts[0], psi=0.0, after=(0.5, 0.5))
    words = words_of(make_report(shifts=(calm,)))
    assert "The inputs are as in training" in words
    assert "within sampling" in words


@pytest.mark.parametrize(
    ("column", "after", "direction"),
    [
        ("dti", (0.1, 0.3, 0.6), "has shifted to higher values."),
        ("dti", (0.6, 0.3, 0.1), "has shifted to lower values."),
        ("dti", (0.5, 0.0, 0.5), "has shifted."),
        ("purpose", (0.1, 0.3, 0.6), "has shifted."),
    ],
)
def test_the_direction_of_a_shift_is_said_of_numbers_alone(column, after, direction):
    shift = Shift(column, 0.3, 0.001, 0.002, 0.01, 0.0, (0.3, 0.4, 0.3), after, ("a", "b", "c"))
    sentence = sentences.described_shift(shift)
    assert direction in sentence
    assert "rate card" not in sentence
    assert sentence.endswith("1.0% of the records have values that training never saw.")


@pytest.mark.parametrize(
    ("column", "name", "title"),
    [
        ("int_rate", "0.1041 to 0.1198", "10.4% to 12%"),
        ("score", "below 0.004701", "below 0.47%"),
        ("annual_inc", "1.2e+04 to 1.035e+05", "12,000 to 103,500"),
        ("emp_length", "10+ years", "10+ years"),
        ("dti", "missing / unseen", "missing / unseen"),
    ],
)
def test_the_names_of_bins_have_no_exponents_and_shares_are_in_percent(column, name, title):
    assert sentences.bin_title(column, name) == title


def test_inputs_without_an_alarm_share_a_row():
    calm = [EvidenceFigures(name, e_value, 2600.0, None, None) for name, e_value in (("dti", 0.2), ("grade", 1.7))]
    changed = EvidenceFigures("purpose", 9_000.0, 2600.0, "2026-03-01", "2026-02-01")
    table = tables.tests(make_report(tests=(*REPORT.tests, *calm, changed)))
    assert [(row[0].split(": ")[-1], row[1]) for row in table.rows[2:]] == [
        ("Purpose of the loan (purpose)", "9,000.0"),
        ("2 others", "1.7"),
    ]
    assert table.marked == {1, 2}


def test_a_shadow_version_that_flags_the_same_loans_has_a_page():
    same = {**CHALLENGER["swaps"], "only_champion": 0, "only_challenger": 0}
    page = render_monitor_page(make_report(challengers=({**CHALLENGER, "swaps": same, "costs": None},)))
    assert page.count("data:image/svg+xml") == 5
    assert "a call costs" not in page
