"""Reasons: exact Shapley values, the same ones each time, in words that hold no borrower's values."""

from __future__ import annotations

import itertools
import math
import re
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitted_pipelines import any_record, fitted, form, loans, records
from model_artifact.features import frame_from_records
from model_artifact.pipeline import late_probabilities
from model_artifact.reasons import CODES_VERSION, WORDED_CODES_VERSION
from model_artifact.reasons.coalitions import LinearGame, MixedRecordsGame, make_game
from model_artifact.reasons.codes import TEXTS, find_code
from model_artifact.reasons.explain import LEAST_EFFECT, MAX_REASONS, Explainer
from model_artifact.reasons.players import PLAYERS, PRICING, Players, shapley_values
from model_artifact.reasons.reference import typical_record
from model_artifact.reasons.small_tree_game import SmallTreeGame
from model_artifact.schema import FIELD_NAMES, FIELDS
from model_artifact.serving_form.scorers.record_scorer import make_scorer
from model_registry.manifest import Wording

FAST = {
    "boosting-small": SmallTreeGame,
    "boosting-small-native-categories": SmallTreeGame,
    "forest-small": SmallTreeGame,
    "lightgbm-small-zero-as-missing": SmallTreeGame,
    "logistic": LinearGame,
    "logistic-curves": LinearGame,
}
KINDS = {
    **FAST,
    "boosting-large": MixedRecordsGame,
    "xgboost-small": MixedRecordsGame,
    "composite-calibrated": MixedRecordsGame,
}
EACH_FIELD: Players = tuple((name, (name,)) for name in FIELD_NAMES)


@cache
def reference() -> dict[str, object]:
    frame, late = loans()
    return typical_record({name: frame.loc[late == 0, name].tolist() for name in FIELD_NAMES})


@cache
def explainer(kind: str) -> Explainer:
    return Explainer(make_scorer(form(kind)), reference())


def coalition_records(record: dict[str, object], players: Players) -> list[dict[str, object]]:
    hybrids = []
    for coalition in range(1 << len(players)):
        own = {name for number, (_, fields) in enumerate(players) if coalition >> number & 1 for name in fields}
        hybrids.append({name: (record if name in own else reference())[name] for name in FIELD_NAMES})
    return hybrids


def brute_force(kind: str, record: dict[str, object], players: Players) -> list[float]:
    """Shapley values by their definition, from the pipeline itself."""
    game = late_probabilities(fitted(kind), frame_from_records(coalition_records(record, players)))
    n_players = len(players)
    values = []
    for player in range(n_players):
        value = 0.0
        for coalition in range(1 << n_players):
            if not coalition >> player & 1:
                size = coalition.bit_count()
                share = math.factorial(size) * math.factorial(n_players - size - 1) / math.factorial(n_players)
                value += share * (game[coalition | 1 << player] - game[coalition])
        values.append(value)
    return values


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", [0, 7, 500])
def test_effects_are_the_shapley_values_of_the_pipelines_probability(kind: str, row: int) -> None:
    effects = explainer(kind).explain(records()[row]).effects
    expected = brute_force(kind, records()[row], PLAYERS)
    assert list(effects) == [name for name, _ in PLAYERS]
    assert list(effects.values()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_ten_players_are_the_shapley_values_over_1024_coalitions(kind: str) -> None:
    game = make_game(make_scorer(form(kind)), reference(), EACH_FIELD)
    assert type(game) is KINDS[kind]
    expected = brute_force(kind, records()[3], EACH_FIELD)
    assert shapley_values(game(records()[3])).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(record=any_record())
def test_effects_add_up_and_every_game_is_the_same(kind: str, record: dict[str, object]) -> None:
    scorer = make_scorer(form(kind))
    explanation = explainer(kind).explain(record)
    difference = scorer.late_probability(record) - scorer.late_probability(reference())
    assert sum(explanation.effects.values()) == pytest.approx(difference, abs=1e-9)
    assert explanation.late_probability == pytest.approx(scorer.late_probability(record), abs=1e-12)
    assert explanation.reference_probability == pytest.approx(scorer.late_probability(reference()), abs=1e-12)
    plain = MixedRecordsGame(scorer, reference(), PLAYERS)(record)
    assert np.abs(make_game(scorer, reference(), PLAYERS)(record) - plain).max() <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(record=any_record())
def test_reasons_are_at_most_four_positive_effects_weightiest_first(kind: str, record: dict[str, object]) -> None:
    explanation = explainer(kind).explain(record)
    positive = sorted((effect for effect in explanation.effects.values() if effect > LEAST_EFFECT), reverse=True)
    assert [reason.effect for reason in explanation.reasons] == pytest.approx(positive[:MAX_REASONS], abs=1e-11)
    assert len(explanation.reasons) <= 4
    for reason in explanation.reasons:
        assert explanation.effects[reason.feature] == reason.effect
        assert TEXTS[reason.code] == reason.text
        assert reason.is_lender_pricing == (reason.feature == PRICING)
    assert explainer(kind).explain(dict(reversed(record.items()))) == explanation
    assert Explainer(make_scorer(form(kind)), reference()).explain(record) == explanation


def test_reference_itself_has_no_reasons() -> None:
    for kind in KINDS:
        assert explainer(kind).explain(reference()).reasons == ()


def test_rate_and_grade_are_one_reason_flagged_as_the_lenders_own() -> None:
    dear = {**reference(), "grade": "G", "int_rate": 0.28}
    (reason,) = explainer("boosting-small").explain(dear).reasons
    assert (reason.code, reason.feature, reason.is_lender_pricing) == ("LENDER_PRICING", "int_rate+grade", True)
    assert "lender's own pricing" in reason.text


def test_players_cover_every_field_once() -> None:
    for players in (PLAYERS, EACH_FIELD):
        assert sorted(name for _, fields in players for name in fields) == sorted(FIELD_NAMES)
    assert len(PLAYERS) == 9


@given(any_record(), any_record())
def test_every_code_that_can_be_given_has_a_text(record: dict[str, object], other: dict[str, object]) -> None:
    for player, _ in PLAYERS:
        assert find_code(player, record, other) in TEXTS


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("revol_util", 0.99, "REVOL_UTIL_HIGH"),
        ("revol_util", 0.0, "REVOL_UTIL_LOW"),
        ("revol_util", None, "REVOL_UTIL_MISSING"),
        ("revol_util", float("nan"), "REVOL_UTIL_MISSING"),
        ("emp_length", "< 1 year", "EMP_LENGTH_LOW"),
        ("emp_length", "10+ years", "EMP_LENGTH_HIGH"),
        ("emp_length", "ages", "EMP_LENGTH_OTHER"),
        ("emp_length", None, "EMP_LENGTH_MISSING"),
        ("purpose", "yacht", "PURPOSE_OTHER"),
        ("home_ownership", "RENT", "HOME_OWNERSHIP_OTHER"),
        ("int_rate+grade", None, "LENDER_PRICING"),
    ],
)
def test_code_says_how_the_value_stands_to_the_references(field: str, value: object, code: str) -> None:
    record = {**records()[0], "revol_util": 0.5, "emp_length": "5 years"}
    assert find_code(field, {**record, field: value}, record) == code


def test_codes_are_stable() -> None:
    """A change here is a change of ``CODES_VERSION``."""
    assert CODES_VERSION == 1
    assert sorted(TEXTS) == [
        "ANNUAL_INC_HIGH",
        "ANNUAL_INC_LOW",
        "ANNUAL_INC_MISSING",
        "DELINQ_2YRS_HIGH",
        "DELINQ_2YRS_LOW",
        "DELINQ_2YRS_MISSING",
        "DTI_HIGH",
        "DTI_LOW",
        "DTI_MISSING",
        "EMP_LENGTH_HIGH",
        "EMP_LENGTH_LOW",
        "EMP_LENGTH_MISSING",
        "EMP_LENGTH_OTHER",
        "HOME_OWNERSHIP_MISSING",
        "HOME_OWNERSHIP_OTHER",
        "LENDER_PRICING",
        "LOAN_AMNT_HIGH",
        "LOAN_AMNT_LOW",
        "LOAN_AMNT_MISSING",
        "PURPOSE_MISSING",
        "PURPOSE_OTHER",
        "REVOL_UTIL_HIGH",
        "REVOL_UTIL_LOW",
        "REVOL_UTIL_MISSING",
    ]


def test_texts_hold_no_values() -> None:
    for text in TEXTS.values():
        assert text.endswith(".")
        assert not re.search(r"\d", text)
        assert "{" not in text


def test_unknown_table_of_codes_is_refused() -> None:
    with pytest.raises(ValueError, match="version 1 here, not 3"):
        Explainer(make_scorer(form("logistic")), reference(), codes_version=3)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(record=any_record(), excluded=st.sets(st.sampled_from(sorted(TEXTS))), texts=st.sampled_from(sorted(TEXTS)))
def test_an_excluded_code_gives_way_to_the_next_strongest_and_a_worded_one_has_its_text(
    kind: str, record: dict[str, object], excluded: set[str], texts: str
) -> None:
    plain = explainer(kind).explain(record)
    wording = Wording({texts: "In our own words."}, tuple(excluded))
    scorer = make_scorer(form(kind))
    own = Explainer(scorer, reference(), codes_version=WORDED_CODES_VERSION, wording=wording).explain(record)
    assert (own.effects, own.late_probability) == (plain.effects, plain.late_probability)
    by_effect = sorted(
        (-round(effect, 12), player, find_code(player, record, reference()))
        for player, effect in plain.effects.items()
        if effect > LEAST_EFFECT
    )
    codes = [code for _, _, code in by_effect if code not in excluded][:MAX_REASONS]
    assert [reason.code for reason in own.reasons] == codes
    for reason in own.reasons:
        assert reason.text == ("In our own words." if reason.code == texts else TEXTS[reason.code])


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_shapley_values_are_the_mean_over_all_orders(game: list[float]) -> None:
    expected = np.zeros(3)
    orders = list(itertools.permutations(range(3)))
    for order in orders:
        coalition = 0
        for player in order:
            expected[player] += game[coalition | 1 << player] - game[coalition]
            coalition |= 1 << player
    assert shapley_values(np.array(game)).tolist() == pytest.approx((expected / len(orders)).tolist(), abs=1e-12)


def test_typical_record_is_made_of_medians_and_most_frequent_labels() -> None:
    values = {"number": [1.0, 2.0, 3.0, 10.0], "category": ["b", "a", "b", "a"]}
    usual = {field.name: values[field.type] for field in FIELDS}
    gap = float("nan")
    typical = typical_record({**usual, "revol_util": [None, gap, 0.5], "emp_length": [None, "x", gap]})
    assert typical["loan_amnt"] == 2.0
    assert typical["purpose"] == "a"
    assert (typical["revol_util"], typical["emp_length"]) == (0.5, "x")
    assert list(typical) == list(FIELD_NAMES)


def test_typical_record_of_nothing_is_refused() -> None:
    nothing = {name: [None] for name in FIELD_NAMES}
    with pytest.raises(ValueError, match="loan_amnt"):
        typical_record(nothing)
