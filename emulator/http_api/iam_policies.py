"""Decides whether an authorizer's IAM policy allows a route. Pure.

Source: IAM user guide, "Policy evaluation logic": an explicit Deny wins, and whatever no statement
allows is denied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ACTION = "execute-api:Invoke"


class PolicyError(ValueError):
    """This isn't a policy document, or it has an element that isn't imitated."""


def allows(document: Any, route_arn: str) -> bool:
    """Return whether a policy document allows calls of a route; `PolicyError` if it can't be evaluated.

    A route's ARN is ``arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>``.
    """
    if not isinstance(document, Mapping) or not document.get("Statement"):
        raise PolicyError("the policy document has no Statement")
    statements = [_statement(value) for value in _listed(document["Statement"])]
    effects = {statement["Effect"] for statement in statements if _fits(statement, route_arn)}
    return "Allow" in effects and "Deny" not in effects


def _statement(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or value.get("Effect") not in {"Allow", "Deny"}:
        raise PolicyError("a statement's Effect must be Allow or Deny")
    if value.get("Condition"):
        raise PolicyError("conditions are not imitated")
    if not {"Action", "NotAction"} & value.keys() or not {"Resource", "NotResource"} & value.keys():
        raise PolicyError("a statement must have an Action and a Resource")
    return value


def _fits(statement: Mapping[str, Any], route_arn: str) -> bool:
    # Actions ignore case, resources don't.
    action, resource = _ACTION.lower(), route_arn
    actions = [str(pattern).lower() for pattern in _listed(statement.get("Action", statement.get("NotAction")))]
    resources = [str(pattern) for pattern in _listed(statement.get("Resource", statement.get("NotResource")))]
    action_fits = any(_matches(pattern, action) for pattern in actions) == ("Action" in statement)
    return action_fits and any(_matches(pattern, resource) for pattern in resources) == ("Resource" in statement)


def _matches(pattern: str, text: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
