"""The handler that Lambda calls. Importing this module builds the function: that is Lambda's init phase."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from predict_api.app import Handler


def _build() -> Handler:
    # An empty variable counts as absent. Powertools would take it for neither true nor false, and the start would end.
    # It reads some of them when it is imported.
    for name in [name for name, value in os.environ.items() if name.startswith("POWERTOOLS_") and not value]:
        del os.environ[name]
    from predict_api.app import build_for_lambda

    return build_for_lambda()


handler = _build()
