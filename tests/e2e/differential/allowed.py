"""The table of allowed differences: every one, in the order of the page."""

from __future__ import annotations

from tests.e2e.differential.allowance import Allowed
from tests.e2e.differential.allowed_answers import ANSWERS
from tests.e2e.differential.allowed_events import EVENTS
from tests.e2e.differential.allowed_failures import FAILURES

HTTP_API: tuple[Allowed, ...] = (*EVENTS, *ANSWERS, *FAILURES)
