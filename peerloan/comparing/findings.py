"""Everything that a comparison of two versions found; the summary, the JSON document and the page are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_rollout.window import AnnouncedWindow
from peerloan.comparing.outcome_figures import OutcomeFigures, find_outcome_figures
from peerloan.comparing.paired_scores import PairedScores, quantiles_of
from peerloan.comparing.version_scores import VersionComparison


@dataclass(frozen=True)
class Findings:
    """A comparison with its figures; ``outcomes`` is None where no outcomes are known."""

    comparison: VersionComparison
    window: AnnouncedWindow
    outcomes: OutcomeFigures | None

    @property
    def scores(self) -> PairedScores:
        """Both versions' scores."""
        return self.comparison.scores

    def to_document(self) -> dict[str, Any]:
        """Return it as the JSON document."""
        scores, window = self.scores, self.window
        reasons = {
            "to_late": self.comparison.to_late_reasons,
            "to_on_time": self.comparison.to_on_time_reasons,
        }
        return {
            "loans": len(scores),
            "rejected": scores.rejected,
            "source": scores.source,
            "main": scores.main.to_document(),
            "candidate": scores.candidate.to_document(),
            "difference": {
                "mean": window.mean_difference,
                "quantiles": quantiles_of(scores.differences),
                "differing_share": scores.differing_share,
            },
            "swap_set": {
                "to_late": int(scores.to_late.sum()),
                "to_on_time": int(scores.to_on_time.sum()),
                "reasons": {way: changes.to_document() if changes else None for way, changes in reasons.items()},
            },
            "window": window.to_document(),
            "outcomes": self.outcomes.to_document() if self.outcomes else None,
        }


def find_findings(comparison: VersionComparison) -> Findings:
    """Compute a comparison's figures."""
    return Findings(comparison, comparison.scores.window(), find_outcome_figures(comparison.scores))
