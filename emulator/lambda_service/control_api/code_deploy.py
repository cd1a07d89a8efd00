"""The one operation of CodeDeploy that a deployment's hook calls, on the port of Lambda's API."""

from __future__ import annotations

import json

from emulator.lambda_service.control_api.answers import ApiAnswer
from emulator.lambda_service.control_api.parameters import read_object
from emulator.lambda_service.data_plane.code_rollouts import CodeRollouts
from emulator.lambda_service.errors import LambdaApiError

PREFIX = "CodeDeploy_20141006."
_OPERATION = "PutLifecycleEventHookExecutionStatus"


def answer_code_deploy(target: str, body: bytes, rollouts: CodeRollouts) -> ApiAnswer:
    """Return the answer to a request whose header ``X-Amz-Target`` names an operation of CodeDeploy."""
    operation = target.removeprefix(PREFIX)
    try:
        if operation != _OPERATION:
            raise LambdaApiError("InvalidOperationException", 400, f"Of CodeDeploy only {_OPERATION} is imitated.")
        given = read_object(body)
        execution_id = str(given.get("lifecycleEventHookExecutionId", ""))
        rollouts.put_status(str(given.get("deploymentId", "")), execution_id, str(given.get("status", "")))
    except LambdaApiError as error:
        document = {"__type": error.code, "message": error.message}
        return ApiAnswer(error.status, json.dumps(document).encode())
    return ApiAnswer(200, json.dumps({"lifecycleEventHookExecutionId": execution_id}).encode())
