"""The page and the model card of a small model: complete, the same twice, and nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from model_artifact.libraries import running_environment
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_kit import small_quarter
from model_registry.manifest import Artifact, Manifest, Probe, Wording
from training.data import Quarters
from training.evidence.gathering import Evidence, Rival, gather
from training.evidence.reason_counts import ReasonCounts
from training.evidence.report import record_tables, tables
from training.evidence.report.render import render_card, render_page
from training.run import TrainingResult

SECTIONS = [
    "use",
    "development",
    "soundness",
    "outcomes",
    "segments",
    "reasons",
    "monitoring",
    "limits",
    "implementation",
]

WORDS = (
    "ROC-AUC",
    "PR-AUC",
    "Brier score",
    "Log loss",
    "KS",
    "Gini",
    "Lift",
    "captured",
    "Calibration slope",
    "Permutation importance",
    "Partial dependence",
    "PSI",
    "By grade",
    "By purpose",
    "By home ownership",
    "Cost at",
    "sha256",
    "scikit-learn",
    "lender's own pricing",
    "Intended use",
    "SR 26-2",
    "no compliance",
    "effective challenge",
    "version 1, which live points at",
    "basic model, trained on the same loans",
    "generated sample loans",
    "Logistic regression on one-hot encoded columns",
    "Serves as",
    "Arrays and pickle, at training",
    "1,500 loans of",
    "largest difference",
    "All codes",
    "LENDER_PRICING",
    "The debt payments take more of the income than is typical.",
)


class Page(HTMLParser):
    """What a browser would find: elements that are closed, addresses, texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.names: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "srcset"):
                self.addresses.append(value)
            if name == "id":
                self.names.append(value)
            if tag == "img" and name == "alt":
                assert value

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def _manifest(result: TrainingResult) -> Manifest:
    candidate = result.candidate
    return Manifest(
        model="late-payer",
        version=2,
        artifact=Artifact(len(candidate.pickle), hashlib.sha256(candidate.pickle).hexdigest()),
        environment=running_environment(),
        input_schema=candidate.input_schema,
        classes=(0, 1),
        threshold=candidate.threshold,
        metrics=candidate.metrics,
        data=candidate.data,
        probes=tuple(Probe(record, 0.1) for record in candidate.probe_records),
        git_commit=candidate.git_commit,
        description=candidate.description,
        created_at="2026-01-01T00:00:00Z",
        created_by="a <b> & c",
        serving_form=Artifact.of(_form(result)),
        reasons=candidate.reasons,
        holdout_parity=candidate.holdout_parity,
    )


def _form(result: TrainingResult) -> bytes:
    return compile_pipeline(result.pipeline).to_bytes()


@pytest.fixture(scope="module")
def evidence(trained: dict[str, TrainingResult], quarters: Quarters) -> Evidence:
    improved = trained["improved"]
    rival = Rival("version 1, which live points at", trained["basic"].pipeline)
    return gather(improved.pipeline, _manifest(improved), quarters, [rival], serving_form=_form(improved))


@pytest.fixture(scope="module")
def page(evidence: Evidence) -> str:
    return render_page(evidence)


@pytest.fixture(scope="module")
def card(evidence: Evidence) -> str:
    return render_card(evidence)


def test_the_page_has_every_section_and_needs_nothing_from_elsewhere(page: str) -> None:
    elements = Page(page)
    assert elements.names == SECTIONS
    assert [address for address in elements.addresses if address.startswith("#")] == [f"#{name}" for name in SECTIONS]
    images = [address for address in elements.addresses if not address.startswith("#")]
    assert all(image.startswith("data:image/svg+xml;base64,") for image in images)
    assert len(images) == 9
    assert "script" not in elements.tags
    assert "link" not in elements.tags
    assert "url(" not in re.sub(r'src="data:[^"]*"', "", page)


def test_every_plot_is_a_drawing_that_refers_to_nothing_else(page: str) -> None:
    for image in re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', page):
        drawing = ElementTree.fromstring(base64.b64decode(image))
        assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
        for element in drawing.iter():
            for name, value in element.attrib.items():
                assert not name.endswith("href") or value.startswith("#")


def test_the_card_or_the_page_says_what_is_asked_for(page: str, card: str) -> None:
    text = card + html.unescape(page)
    assert [words for words in WORDS if words not in text] == []


def test_every_table_and_every_text_of_the_card_is_in_the_page(page: str, card: str) -> None:
    assert page.count("<table") == card.count("\n| ---") > 10
    assert "a &lt;b&gt; &amp; c" in page
    texts = html.unescape(page)
    for line in card.splitlines():
        if line and not line.startswith("|"):
            words = line.lstrip("#-> ").removeprefix("**Note.** ").removeprefix("Model card: ")
            assert "**" in words or words in texts


def test_the_cards_tables_have_as_many_cells_in_every_row(card: str) -> None:
    for block in card.split("\n\n"):
        if block.startswith("| "):
            assert len({line.count(" | ") for line in block.splitlines()}) == 1, block


def test_the_same_version_gives_the_same_page(evidence: Evidence, page: str) -> None:
    assert render_page(evidence) == page


def test_the_figures_are_measured_again_and_compared_with_the_record(evidence: Evidence) -> None:
    assert evidence.is_own_data
    assert evidence.is_reproduced is True
    assert evidence.metrics["roc_auc"] == evidence.manifest.metrics["test"]["roc_auc"]


def test_a_record_that_says_something_else_is_a_warning(evidence: Evidence) -> None:
    other = replace(evidence, is_reproduced=False, is_own_data=False, is_sample=False)
    warnings = [line for line in render_card(other).splitlines() if line.startswith("> **Note.**")]
    assert len(warnings) == 2
    assert "not the files" in warnings[0]
    assert "could not be reproduced" in warnings[1]


def test_a_forced_version_says_so_and_shows_its_gates(evidence: Evidence) -> None:
    gates = {
        "requirement": "better-than=live",
        "against_version": 1,
        "verdicts": [{"rule": "better-than", "passed": False, "figures": "ROC-AUC gained -0.1"}],
        "forced": {"reason": "a drill", "by": "tester"},
    }
    manifest = replace(evidence.manifest, metrics={**evidence.manifest.metrics, "gates": gates})
    card = render_card(replace(evidence, manifest=manifest))
    assert "\n> **Note.** This version was published against its gates. Reason given: a drill\n" in card
    assert "### Gates at publication" in card
    table = record_tables.gates(manifest.metrics)
    assert table is not None
    assert (table.rows, table.marked) == ((("better-than", "failed", "ROC-AUC gained -0.1"),), {0})
    assert record_tables.gates(evidence.manifest.metrics) is None


def test_a_pickle_without_a_record_gets_a_report_too(trained: dict[str, TrainingResult], quarters: Quarters) -> None:
    # The figures aren't the point here: fewer loans are measured in less time.
    quarters = replace(quarters, test=small_quarter(1000))
    bare = replace(_manifest(trained["basic"]), metrics={}, data={}, git_commit=None)
    evidence = gather(trained["basic"].pipeline, bare, quarters, cost_ratios=(30.0,))
    text = render_card(evidence)
    assert (evidence.score, evidence.is_reproduced, evidence.is_own_data) == (None, None, False)
    assert "## Reasons" not in text
    assert "No selection was recorded" in text
    assert "Nobody says which loans the version was trained on" in text
    assert "| Training |" not in text
    assert "| Training data | not recorded |" in text
    assert "Cost at 30:1" in text


def test_the_costs_go_from_nobody_to_everybody_in_calls_and_in_money(evidence: Evidence) -> None:
    table = tables.thresholds(replace(evidence, call_cost=12.0))
    assert (table.rows[0][0], table.rows[-1][0]) == ("nobody flagged", "everybody flagged")
    assert table.columns[-1] == "In money"
    calls = [row.costs[0].value for row in evidence.thresholds]
    assert [row[-1] for row in table.rows] == [f"{12 * cost:,.0f}" for cost in calls]
    which = " ".join(row[1] for row in table.rows)
    for words in ("this version", "cheapest at 20:1"):
        assert words in which
    assert "In money" not in tables.thresholds(evidence).columns


def test_directions_against_lending_sense_are_marked_and_the_monotone_variant_is_offered(evidence: Evidence) -> None:
    assert tables.monotone_offer(evidence) == []
    against = tuple(replace(sweep, loans_against=9 * (sweep.column == "dti")) for sweep in evidence.sweeps)
    unpriced = replace(evidence, sweeps=against, reason_counts=ReasonCounts(200, {"DTI_LOW": 80, "DTI_HIGH": 7}))
    card = render_card(unpriced)
    assert "moves against lending sense in dti" in card
    assert "peerloan train improved --contender monotone. Its price isn't known" in card
    assert "| **DTI_LOW** |" in card
    assert "| **80** | **against it** |" in card
    assert "| DTI_HIGH |" in card
    price = {
        "contender": "monotone",
        "against_sense_in": ["dti"],
        "roc_auc": {"value": 0.02, "low": 0.01, "high": 0.03},
    }
    manifest = replace(evidence.manifest, metrics={**evidence.manifest.metrics, "alternative": price})
    assert "It costs 0.020 [0.010, 0.030] of ROC-AUC" in render_card(replace(unpriced, manifest=manifest))


def test_the_publishers_own_reasons_are_shown(evidence: Evidence) -> None:
    assert evidence.manifest.reasons is not None
    wording = Wording({"DTI_HIGH": "Your debts are high."}, ("LENDER_PRICING",))
    reasons = replace(evidence.manifest.reasons, codes_version=2, wording=wording)
    table = record_tables.reason_codes(replace(evidence, manifest=replace(evidence.manifest, reasons=reasons)))
    rows = {row[0]: row for row in table.rows}
    assert rows["DTI_HIGH"][1] == "Your debts are high."
    assert rows["LENDER_PRICING"][2] == "left out"
    assert table.note.startswith("Version 2 of the table")


def test_what_nobody_measured_is_marked_as_claimed(evidence: Evidence) -> None:
    manifest = evidence.manifest
    data = {**manifest.data, "train": {**manifest.data["train"], "claimed_by": "alice"}}
    claimed = {"by": "training.json", "what": ["cross_validation", "selection", "comparison"]}
    manifest = replace(manifest, data=data, metrics={**manifest.metrics, "claimed": claimed})
    card = render_card(replace(evidence, manifest=manifest))
    for words in (
        "alice says that the version was trained on small.csv.",
        "Claimed by training.json, and not measured when the version was published: cross validation, selection",
        "Training file (cross-validation, claimed)",
        "basic model, trained on the same loans, claimed",
    ):
        assert words in card


def test_a_verdict_that_the_loans_could_not_tell_says_so() -> None:
    verdicts = [
        {"rule": "calibration-slope", "passed": True, "figures": "wide", "is_told": False},
        {"rule": "segments", "passed": True, "figures": "as older versions recorded it"},
    ]
    table = record_tables.gates({"gates": {"requirement": "x", "against_version": 1, "verdicts": verdicts}})
    assert table is not None
    assert [row[1] for row in table.rows] == ["could not be told", "passed"]
