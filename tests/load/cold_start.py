"""One cold start of the function, in a process of its own: from nothing to the first answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from predict_api.main import handler

answer = handler(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), None)
print(answer["statusCode"], answer["headers"].get("X-Model-Form"), file=sys.stderr)
