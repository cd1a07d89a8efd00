"""What the groups of operations share: the catalogue, and answers in pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from emulator.lambda_service.control_plane.account import FunctionRecord, VersionRecord
from emulator.lambda_service.control_plane.catalogue import Catalogue
from emulator.lambda_service.control_plane.configuration import describe
from emulator.lambda_service.errors import InvalidParameterError

Body = dict[str, Any]


class OperationGroup:
    """Some of the API's operations.

    Parameters
    ----------
    catalogue : Catalogue
        What they read and change.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def _describe(self, function: FunctionRecord, record: VersionRecord, qualifier: str | None) -> Body:
        """Return AWS's ``FunctionConfiguration`` with the ARN of this qualifier."""
        arn = self._catalogue.place.arn(function.name, qualifier)
        return describe(function.name, arn, record, self._catalogue.readiness(function.name, record.version))


def page(name: str, items: Sequence[Body], marker: str | None, max_items: int | None, most: int = 50) -> Body:
    """Return one page of a list, with ``NextMarker`` if more follow.

    Parameters
    ----------
    name : str
        The list's key.
    items : sequence
        The whole list.
    marker : str or None
        ``NextMarker`` of the page before.
    max_items : int or None
        How many are wanted.
    most : int
        How many AWS gives at once.
    """
    if marker and not re.fullmatch("[0-9]{1,9}", marker):
        raise InvalidParameterError(f"Invalid marker {marker}.")
    start = int(marker or 0)
    end = start + min(max_items or most, most)
    answer: Body = {name: list(items[start:end])}
    if end < len(items):
        answer["NextMarker"] = str(end)
    return answer
