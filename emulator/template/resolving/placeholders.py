"""Stands in for values that only a deployed stack or another service knows: imports, parameters, secrets. Pure.

A placeholder is a text such as ``unresolved-importvalue-shared-vpc``, of letters, digits and hyphens, so that it can
be part of a name or of an address. It passes through AWS's transform and through joins like any other text; `mark`
finds it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from emulator.template.values import Unresolvable, as_text

_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:((ssm|ssm-secure|secretsmanager):[^{}]+)\}\}")
_MOST_CHARACTERS = 80
_PARAMETERS = "the SSM parameter store"
_STORES = {"ssm": _PARAMETERS, "ssm-secure": _PARAMETERS, "secretsmanager": "Secrets Manager"}


class Placeholders:
    """The placeholders of one template, and the texts in it that are only likely.

    ``values`` has what the user gave for them, by source: ``ssm:/app/url``, ``secretsmanager:db``,
    ``ImportValue:shared-vpc``. A secret may be an object, of which references name a key.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = values or {}
        self._reasons: dict[str, str] = {}
        self._likely: dict[str, str] = {}

    def value(self, source: str, reason: str) -> str:
        """Return the value that the user gave for a source, or else a placeholder; ``reason`` says why it is one."""
        value = self._given(source)
        if value is not None:
            return value
        text = "unresolved-" + re.sub(r"[^a-z0-9]+", "-", source.lower()).strip("-")[:_MOST_CHARACTERS]
        self._reasons.setdefault(text, reason)
        return text

    def note_likely(self, text: str, resource: str) -> None:
        """Note that a name, an address or an ARN is only a likely one of a resource."""
        self._likely[text] = resource

    def likely_in(self, text: str) -> dict[str, str]:
        """Return the likely names, addresses and ARNs in a text, with the resource of each; no name within an ARN."""
        present = [likely for likely in self._likely if likely in text]
        return {
            likely: self._likely[likely]
            for likely in present
            if not any(likely in other for other in present if other != likely)
        }

    def fill(self, text: str) -> str:
        """Return a text with the values of its dynamic references, ``{{resolve:…}}``."""
        if "{{resolve:" not in text:
            return text

        def replace(match: re.Match[str]) -> str:
            source, service = match.groups()
            reason = f"{match[0]} is in {_STORES[service]}, which isn't imitated: give its value with --values"
            return self.value(source, reason)

        return _DYNAMIC_REFERENCE.sub(replace, text)

    def mark(self, text: str) -> str | Unresolvable:
        """Return a text, or an `Unresolvable` with the reason if there is a placeholder in it."""
        if "unresolved-" not in text:
            return text
        found = max((placeholder for placeholder in self._reasons if placeholder in text), key=len, default=None)
        return text if found is None else Unresolvable(self._reasons[found], text)

    def _given(self, source: str) -> str | None:
        """Return the user's value for a source, which may have a version or a secret's key at its end."""
        if source in self._values:
            return as_text(self._values[source])
        words = source.split(":")
        for count in range(len(words) - 1, 1, -1):
            value, rest = self._values.get(":".join(words[:count])), words[count:]
            if isinstance(value, Mapping):
                # secretsmanager:ID:SecretString:KEY, with a version after it.
                return as_text(value[rest[1]]) if len(rest) > 1 and rest[1] in value else None
            if value is not None and len(rest) == 1:
                return as_text(value)
        return None
