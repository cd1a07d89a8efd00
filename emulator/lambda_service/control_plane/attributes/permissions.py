"""Operations on a function's resource policy, statement by statement. It is kept and shown, and nothing is checked."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.lambda_service.control_plane.account import FunctionRecord, without
from emulator.lambda_service.control_plane.catalogue import Catalogue, check_revision
from emulator.lambda_service.control_plane.pages import Body
from emulator.lambda_service.errors import InvalidParameterError, ResourceConflictError, ResourceNotFoundError
from emulator.lambda_service.function_version import LATEST

# Parameter of AddPermission → operator and key of the condition that it becomes.
_CONDITIONS = {
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "EventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "PrincipalOrgID": ("StringEquals", "aws:PrincipalOrgID"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "InvokedViaFunctionUrl": ("Bool", "lambda:InvokedViaFunctionUrl"),
}


@dataclass(frozen=True, slots=True)
class PermissionOperations:
    """`AddPermission`, `RemovePermission` and `GetPolicy`; a function, a version and an alias have policies apart."""

    catalogue: Catalogue

    def add(
        self,
        *,
        function_name: str,
        statement_id: str,
        action: str,
        principal: str,
        changes: Mapping[str, Any],
        qualifier: str | None = None,
        revision_id: str | None = None,
    ) -> Body:
        """Add a statement, and return it as JSON; `changes` has its conditions, in AWS's names."""
        with self.catalogue.lock:
            function, qualifier = self._find(function_name, qualifier)
            if qualifier == LATEST:
                raise InvalidParameterError(
                    "We currently do not support adding policies for $LATEST. Please specify a different qualifier."
                )
            check_revision(revision_id, self._revision(function, qualifier))
            statements = function.permissions.get(qualifier or "", {})
            if statement_id in statements:
                raise ResourceConflictError(
                    f"The statement id ({statement_id}) provided already exists. Please provide a new statement id, or "
                    "remove the existing statement."
                )
            statement: dict[str, Any] = {
                "Sid": statement_id,
                "Effect": "Allow",
                "Principal": _principal(principal),
                "Action": action,
                "Resource": self.catalogue.arn_scope.arn(function.name, qualifier),
            }
            if changes:
                statement["Condition"] = _conditions(changes)
            self._save(function, qualifier, {**statements, statement_id: statement})
        return {"Statement": _json(statement)}

    def remove(
        self, *, function_name: str, statement_id: str, qualifier: str | None = None, revision_id: str | None = None
    ) -> None:
        """Remove a statement."""
        with self.catalogue.lock:
            function, qualifier = self._find(function_name, qualifier)
            statements = function.permissions.get(qualifier or "", {})
            if not statements:
                raise ResourceNotFoundError("No policy is associated with the given resource.")
            if statement_id not in statements:
                raise ResourceNotFoundError(f"Statement {statement_id} is not found in resource policy.")
            check_revision(revision_id, self._revision(function, qualifier))
            self._save(function, qualifier, without(statements, statement_id))

    def get_policy(self, *, function_name: str, qualifier: str | None = None) -> Body:
        """Return the policy as JSON."""
        function, qualifier = self._find(function_name, qualifier)
        statements = function.permissions.get(qualifier or "", {})
        if not statements:
            raise ResourceNotFoundError("The resource you requested does not exist.")
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": list(statements.values())}
        return {"Policy": _json(policy), "RevisionId": self._revision(function, qualifier)}

    def _find(self, function_name: str, qualifier: str | None) -> tuple[FunctionRecord, str | None]:
        function, qualifier = self.catalogue.get_function(function_name, qualifier)
        self.catalogue.get_version(function, qualifier)
        return function, qualifier

    def _revision(self, function: FunctionRecord, qualifier: str | None) -> str:
        alias = function.aliases.get(qualifier or "")
        return alias.revision_id if alias else self.catalogue.get_version(function, qualifier).revision_id

    def _save(self, function: FunctionRecord, qualifier: str | None, statements: dict[str, Any]) -> None:
        permissions = {**function.permissions, qualifier or "": statements}
        self.catalogue.save(dataclasses.replace(function, permissions=permissions))


def _principal(principal: str) -> str | dict[str, str]:
    if principal == "*":
        return principal
    if re.fullmatch(r"\d{12}", principal):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    return {"AWS" if principal.startswith("arn:") else "Service": principal}


def _conditions(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    conditions: dict[str, dict[str, Any]] = {}
    for parameter, value in values.items():
        if parameter not in _CONDITIONS:
            raise InvalidParameterError(f"The emulator does not imitate AddPermission's parameter {parameter}.")
        operator, key = _CONDITIONS[parameter]
        conditions.setdefault(operator, {})[key] = value
    return conditions


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"))
