"""Looks up which loans the prediction log has."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from model_monitor.joined.maturity import Loans
from model_monitor.joined.predictions import predictions_of
from model_monitor.settings import default_settings
from model_registry.stores.base import ObjectStore
from model_watch.folding.day_lines import NewLines, read_days
from model_watch.log_objects import ONE_DAY, list_days


class KnownLoans:
    """The loans in the log of one model."""

    def __init__(self, log_store: ObjectStore, model: str, window_days: int | None = None) -> None:
        self._log_store = log_store
        self._model = model
        self._reach = timedelta(days=2 * (window_days or default_settings().outcome_window_days))

    def find(self, loans: Loans, first: date, last: date) -> NDArray[np.bool_]:
        """Say of each loan whether the log has a prediction that outcomes of these days can tell of.

        Parameters
        ----------
        loans : ndarray of shape (n,)
        first, last : date
            The days that the outcomes are of. The log is read from two outcome windows before them on.
        """
        distinct, places = np.unique(loans, return_inverse=True)
        known = np.zeros(len(distinct), dtype=np.bool_)
        days = [first - self._reach + number * ONE_DAY for number in range((last - first + self._reach).days + 1)]
        folders = list_days(self._log_store, days[0] - ONE_DAY, days[-1] + ONE_DAY)
        for new in read_days(self._log_store, self._model, days, folders):
            for predictions in predictions_of(new) if isinstance(new, NewLines) else ():
                predicted = predictions.loans[predictions.has_hash]
                found = np.minimum(distinct.searchsorted(predicted), len(distinct) - 1)
                known[found[distinct[found] == predicted]] = True
            if known.all():
                break
        return known[places]
