"""What a rule's target gets instead of the whole event: ``InputPath`` and ``InputTransformer``. Pure.

Source: EventBridge user guide, "Amazon EventBridge input transformation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_STEP = re.compile(r"\.([\w-]+)|\['([^']+)'\]|\[(\d+)\]")
_PATH = re.compile(rf"\$(?:{_STEP.pattern})*")
_VARIABLE = re.compile(r"<([\w.-]+)>")
_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')


@dataclass(frozen=True, slots=True)
class InputTransformer:
    """A template in whose JSON ``<name>`` stands for a part of the event; ``paths`` says which, by name."""

    template: str
    paths: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in self.paths.values():
            check_path(path)
        try:
            json.loads(self._filled({}))
        except ValueError as error:
            raise ValueError(f"the template isn't JSON once its variables are in place: {error}") from None

    def apply(self, event: Mapping[str, Any], rule_name: str, rule_arn: str) -> str:
        """Return the JSON that the target gets."""
        values = {name: value_at(event, path) for name, path in self.paths.items()}
        values |= {
            "aws.events.rule-name": rule_name,
            "aws.events.rule-arn": rule_arn,
            "aws.events.event.ingestion-time": event.get("time"),
            "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
            "aws.events.event.json": dict(event),
        }
        return self._filled(values)

    def _filled(self, values: Mapping[str, Any]) -> str:
        def replace(match: re.Match[str]) -> str:
            value = values.get(match[1])
            if len(_QUOTE.findall(self.template, 0, match.start())) % 2 == 0:
                return json.dumps(value)
            # Within a text. Fidelity: what isn't there leaves nothing; the form of objects is assumed.
            text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
            return json.dumps(text)[1:-1]

        return _VARIABLE.sub(replace, self.template)


def check_path(path: str) -> str:
    """Return a JSON path; raise ``ValueError`` if it has more than names and positions."""
    if _PATH.fullmatch(path) is None:
        raise ValueError(f"a path is like $.detail.items[0], without wildcards and filters, not {path!r}")
    return path


def value_at(event: Any, path: str) -> Any:
    """Return the value that a path leads to; None if there is none."""
    for name, quoted, position in _STEP.findall(path):
        if position:
            event = event[int(position)] if isinstance(event, list) and int(position) < len(event) else None
        else:
            event = event.get(name or quoted) if isinstance(event, Mapping) else None
    return event
