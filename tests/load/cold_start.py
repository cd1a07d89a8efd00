"""One cold start of the function, in a process of its own: from nothing to the first answer."""

from __future__ import annotations

import json
import sys

from predict_api.app import handler

with open(sys.argv[1], encoding="utf-8") as file:
    answer = handler(json.load(file), None)
print(answer["statusCode"], answer["headers"].get("X-Model-Form"), file=sys.stderr)
