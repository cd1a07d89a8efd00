"""Explains a record: which of its values raise its late probability above a typical on-time loan's, and how far.

Like the reasons that lenders give for an adverse action, only values that raise the probability are named: at most
four, the largest effect first. An effect is the exact Shapley value of the late probability itself (not of the
log-odds) for one of the nine players of ``players``. All nine add up to the record's probability minus the reference's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from model_artifact.reasons import CODES_VERSION, WORDED_CODES_VERSION
from model_artifact.reasons.coalitions import make_game
from model_artifact.reasons.codes import TEXTS, find_code
from model_artifact.reasons.players import PLAYERS, PRICING, shapley_values
from model_artifact.serving_form.scorers.record_scorer import Scorer
from model_registry.manifest import Wording

MAX_REASONS = 4

# An effect below one in a million may be a rounding error.
LEAST_EFFECT = 1e-6


@dataclass(frozen=True)
class Reason:
    """A value of the record that raises its late probability.

    ``code`` is a key of ``codes.TEXTS``, and ``text`` says it in words: the publisher's, else the table's. ``feature``
    is the field, ``int_rate+grade`` for the two together. ``effect`` is by how much it raises the late probability,
    above ``LEAST_EFFECT``.
    ``is_lender_pricing`` says whether this is the lender's own judgement of the loan rather than a fact about the
    borrower.
    """

    code: str
    feature: str
    effect: float
    text: str
    is_lender_pricing: bool


@dataclass(frozen=True)
class Explanation:
    """The difference between a record's probability and the reference's, shared out among the players.

    ``effects`` are the effects of all players by name, positive and negative; they add up to ``late_probability -
    reference_probability`` to within 1e-9. ``reasons`` leaves out the codes that the publisher excluded.
    """

    late_probability: float
    reference_probability: float
    effects: Mapping[str, float]
    reasons: tuple[Reason, ...]


class Explainer:
    """Explains one version's probabilities.

    ``reference`` is the typical on-time loan, ``codes_version`` the version of the table of codes, and ``wording`` the
    publisher's own reasons, all from the version's manifest. Raises ``ValueError`` if this code has another version of
    that table.
    """

    def __init__(
        self,
        scorer: Scorer,
        reference: Mapping[str, Any],
        *,
        codes_version: int = CODES_VERSION,
        wording: Wording | None = None,
    ) -> None:
        if codes_version not in (CODES_VERSION, WORDED_CODES_VERSION):
            raise ValueError(f"The table of reasons has version {CODES_VERSION} here, not {codes_version}.")
        self._reference = dict(reference)
        self._texts = {**TEXTS, **wording.texts} if wording else TEXTS
        self._excluded = frozenset(wording.excluded if wording else ())
        self._game = make_game(scorer, reference, PLAYERS)

    def explain(self, record: Mapping[str, Any]) -> Explanation:
        """Explain one checked record; the same record always gets the same explanation."""
        game = self._game(record)
        values = shapley_values(game).tolist()
        effects = {player: value for (player, _), value in zip(PLAYERS, values, strict=True)}
        # Rounded, so that the order of equal effects doesn't depend on the processor's last bit.
        against = sorted((-round(effect, 12), player) for player, effect in effects.items() if effect > LEAST_EFFECT)
        reasons = (self._reason(player, effects[player], record) for _, player in against)
        return Explanation(
            late_probability=float(game[-1]),
            reference_probability=float(game[0]),
            effects=effects,
            reasons=tuple(islice((given for given in reasons if given.code not in self._excluded), MAX_REASONS)),
        )

    def _reason(self, player: str, effect: float, record: Mapping[str, Any]) -> Reason:
        code = find_code(player, record, self._reference)
        return Reason(code, player, effect, self._texts[code], is_lender_pricing=player == PRICING)
