"""The function that the tests of operations use, and how they read a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.lambda_service.control_plane.names import ArnScope
from emulator.lambda_service.errors import LambdaApiError

ARN_SCOPE = ArnScope("eu-west-1", "123456789012")
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:hello"
F = {"function_name": "hello"}


def refusal(call: Any, **arguments: Any) -> tuple[str, int, str]:
    with pytest.raises(LambdaApiError) as caught:
        call(**arguments)
    return caught.value.code, caught.value.status, caught.value.message
