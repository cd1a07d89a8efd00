"""The project's function, held for a second: 32 requests at once need 32 environments, each with a model loaded."""

from __future__ import annotations

import json
import time
from typing import Any

from predict_api.main import handler as predict


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Predict, wait, and say when this began."""
    began = time.time()
    answer = predict(event, context)
    time.sleep(1)
    return {**answer, "body": json.dumps({"began": began, "answer": json.loads(answer["body"])})}
