"""The module that CloudFormation puts beside inline code: answers the request of a custom resource.

Source: CloudFormation user guide, "cfn-response module" and "Custom resource response objects".
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(
    event: dict[str, Any],
    context: Any,
    responseStatus: str,  # noqa: N803 - the names are CloudFormation's
    responseData: object,  # noqa: N803
    physicalResourceId: str | None = None,  # noqa: N803
    noEcho: bool = False,  # noqa: N803
    reason: str | None = None,
) -> None:
    """Put the response at the event's ``ResponseURL``; print what fails, as on AWS."""
    response = {
        "Status": responseStatus,
        "Reason": reason or f"See the log stream {context.log_stream_name}",
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    body = json.dumps(response).encode()
    try:
        request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            print(f"cfnresponse: status {answer.status}")  # noqa: T201 - the function's log
    except (OSError, ValueError) as error:
        print(f"cfnresponse: the response can't be sent: {error}")  # noqa: T201
