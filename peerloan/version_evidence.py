"""Measures a published version for its report and its model card."""

from __future__ import annotations

from collections.abc import Sequence

from model_artifact.loading import load_pickle
from peerloan.workplace import Workplace
from training.data import Quarters
from training.evidence.gathering import Evidence, Rival, gather


def gather_evidence(
    workplace: Workplace,
    version: int,
    quarters: Quarters,
    rivals: Sequence[Rival] = (),
    ratios: tuple[float, ...] | None = None,
    *,
    call_cost: float | None = None,
) -> Evidence:
    """Open a version's pickle, which a trusted publisher must have signed, and measure it; see ``gather``."""
    reader = workplace.reader()
    model = load_pickle(reader, version, workplace.keyring().trust())
    serving_form = reader.get_serving_form(model.manifest) if model.manifest.serving_form else None
    return gather(model.pipeline, model.manifest, quarters, rivals, ratios, serving_form, call_cost=call_cost)
