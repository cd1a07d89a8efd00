"""The tables of allowed differences, one for each door that is compared."""

from __future__ import annotations

from tests.e2e.differential import allowed_guarded, allowed_lambda, allowed_stage
from tests.e2e.differential.allowance import Allowed
from tests.e2e.differential.allowed_answers import ANSWERS, SERVER
from tests.e2e.differential.allowed_events import ALWAYS, EVENTS, NO_PARAMETERS, NO_VARIABLES
from tests.e2e.differential.allowed_failures import FAILURES

HTTP_API: tuple[Allowed, ...] = (SERVER, *ALWAYS, NO_PARAMETERS, *EVENTS, *ANSWERS, *FAILURES)
STAGE: tuple[Allowed, ...] = (SERVER, *ALWAYS, NO_VARIABLES, *allowed_stage.STAGE)
GUARDED: tuple[Allowed, ...] = (SERVER, *ALWAYS, NO_PARAMETERS, NO_VARIABLES, *allowed_guarded.GUARDED)
LAMBDA_API: tuple[Allowed, ...] = allowed_lambda.LAMBDA_API
