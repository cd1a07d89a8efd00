"""CloudFormation's intrinsic functions, replaced by plain values. Pure; fetches nothing.

Source: the "Intrinsic function reference" of the CloudFormation user guide. What depends on a deployed
stack (imports of other stacks' outputs, attributes that only a service knows) becomes a placeholder.
"""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emulator.template.errors import ProjectError
from emulator.template.resolving.placeholders import Placeholders
from emulator.template.values import as_text

LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"
_PLACEHOLDER = re.compile(r"\$\{(!?)([^${}]+)\}")
NO_VALUE = object()
_REASONS = {
    "Fn::Length": f"Fn::Length needs {LANGUAGE_EXTENSIONS} among the template's transforms",
    "Fn::ToJsonString": f"Fn::ToJsonString needs {LANGUAGE_EXTENSIONS} among the template's transforms",
    "Fn::Transform": "Fn::Transform: only AWS::Include of a local file is imitated",
}


class IntrinsicError(ProjectError):
    """An intrinsic function can't be resolved. Outside of conditions, it becomes a placeholder with this reason."""


class Resolver:
    """Resolves values of one template, which has these ``Mappings`` and these ``Conditions``, not resolved yet.

    ``name`` gives the value of ``Ref``: of parameters, pseudo parameters and resources; ``attribute`` that of
    ``Fn::GetAtt``. ``extended`` says that the transforms include `LANGUAGE_EXTENSIONS`, which brings further functions.
    """

    def __init__(
        self,
        name: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        mappings: Mapping[str, Any],
        conditions: Mapping[str, Any],
        *,
        extended: bool = False,
        placeholders: Placeholders | None = None,
    ) -> None:
        self._placeholders = placeholders or Placeholders()
        self._name = name
        self._attribute = attribute
        self._mappings = mappings
        self._conditions = conditions
        self._extended = extended
        self._under_way: list[str] = []
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.holds,
            "Fn::ImportValue": self._import_value,
            "Fn::Sub": self._sub,
            "Fn::GetAtt": self._get_att,
            "Fn::Join": lambda value: str(value[0]).join(map(as_text, self.resolve(value[1]))),
            "Fn::Split": lambda value: as_text(self.resolve(value[1])).split(str(value[0])),
            "Fn::Select": self._select,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Equals": lambda value: as_text(self.resolve(value[0])) == as_text(self.resolve(value[1])),
            "Fn::Not": lambda value: not self.resolve(value[0]),
            "Fn::And": lambda value: all(map(self.resolve, value)),
            "Fn::Or": lambda value: any(map(self.resolve, value)),
            "Fn::Base64": lambda value: base64.b64encode(as_text(self.resolve(value)).encode()).decode(),
            "Fn::GetAZs": lambda value: [f"{self.resolve(value) or self._name('AWS::Region')}{zone}" for zone in "abc"],
            "Fn::Cidr": self._cidr,
        }
        if extended:
            self._functions |= {
                "Fn::Length": lambda value: len(self.resolve(value)),
                "Fn::ToJsonString": lambda value: json.dumps(self.resolve(value), separators=(",", ":"), default=str),
            }

    def resolve(self, value: Any) -> Any:
        """Return a value with its functions replaced; AWS::NoValue removes its key or item.

        A placeholder replaces a function that can't be resolved. Within a condition, it raises `IntrinsicError`.
        """
        if not self._is_function(value):
            return self._walk(value, self.resolve)
        try:
            return self._call(value)
        except IntrinsicError as error:
            if self._under_way:
                raise
            ((name, argument),) = value.items()
            words = argument if isinstance(argument, str) else json.dumps(argument, default=str)
            return self._placeholders.value(f"{name.removeprefix('Fn::')}:{words}", str(error))

    def resolve_document(self, value: Any) -> Any:
        """Return what `resolve` returns, with values for dynamic references, and each placeholder marked as one."""
        return self._marked(self.resolve(value))

    def _marked(self, value: Any) -> Any:
        return (
            self._placeholders.mark(self._placeholders.fill(value))
            if isinstance(value, str)
            else self._walk(value, self._marked)
        )

    def holds(self, condition: str) -> bool:
        """Return whether a named condition of the template holds."""
        if not isinstance(condition, str) or condition not in self._conditions:
            raise IntrinsicError(f"the template has no condition {condition!r}: declare it under Conditions")
        if condition in self._under_way:
            raise IntrinsicError(f"condition {condition!r} depends on itself")
        self._under_way.append(condition)
        try:
            return bool(self.resolve(self._conditions[condition]))
        finally:
            self._under_way.pop()

    def _is_function(self, value: Any) -> bool:
        if not isinstance(value, Mapping) or len(value) != 1:
            return False
        (name,) = value
        if name == "Condition":
            # Outside of the template's conditions, this is a name like any other.
            return bool(self._under_way)
        return name in self._functions or str(name).startswith("Fn::")

    @staticmethod
    def _walk(value: Any, resolve: Callable[[Any], Any]) -> Any:
        if isinstance(value, Mapping):
            resolved = {key: resolve(item) for key, item in value.items()}
            return {key: item for key, item in resolved.items() if item is not NO_VALUE}
        if isinstance(value, list | tuple):
            return [item for item in map(resolve, value) if item is not NO_VALUE]
        return value

    def _call(self, call: Mapping[str, Any]) -> Any:
        ((name, argument),) = call.items()
        if name not in self._functions:
            raise IntrinsicError(_REASONS.get(name, f"{name} is not imitated"))
        try:
            return self._functions[name](argument)
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise IntrinsicError(f"{name} can't be used with {argument!r}: {error}") from error

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        try:
            return self._name(name)
        except KeyError:
            raise IntrinsicError(f"Ref {name!r} names no parameter and no resource") from None

    def _get_att(self, argument: str | Sequence[str]) -> Any:
        words = [argument] if isinstance(argument, str) else [as_text(self.resolve(word)) for word in argument]
        logical_id, _, attribute = ".".join(words).partition(".")
        return self._attribute(logical_id, attribute)

    def _import_value(self, argument: Any) -> str:
        name = as_text(self.resolve(argument))
        reason = f"Fn::ImportValue needs the output {name} of another stack, which the emulator doesn't have"
        return self._placeholders.value(f"ImportValue:{name}", reason)

    def _sub(self, argument: Any) -> str:
        template, local = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return "${" + name + "}"
            if name in local:
                return as_text(self.resolve(local[name]))
            return as_text(self.resolve({"Fn::GetAtt" if "." in name else "Ref": name}))

        return _PLACEHOLDER.sub(replace, template)

    def _select(self, argument: Sequence[Any]) -> Any:
        items = self.resolve(argument[1])
        if isinstance(items, str):
            # A placeholder for the whole list.
            return items
        index = int(self.resolve(argument[0]))
        if not 0 <= index < len(items):
            raise IntrinsicError(f"Fn::Select {index} is outside of a list of {len(items)}")
        return items[index]

    def _find_in_map(self, argument: Sequence[Any]) -> Any:
        entry: Any = self._mappings
        for key in map(self.resolve, argument[:3]):
            # YAML makes numbers of keys that are digits; to CloudFormation all keys are strings.
            by_text = {as_text(name): item for name, item in entry.items()} if isinstance(entry, Mapping) else {}
            if as_text(key) not in by_text:
                if self._extended and len(argument) == 4:
                    return self.resolve(argument[3]["DefaultValue"])
                raise IntrinsicError(f"Fn::FindInMap finds no {key!r}")
            entry = by_text[as_text(key)]
        return entry

    def _cidr(self, argument: Sequence[Any]) -> list[str]:
        block, count, bits = [self.resolve(word) for word in [*argument, 8][:3]]
        network = ipaddress.ip_network(str(block))
        subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
        blocks = [str(subnet) for subnet in itertools.islice(subnets, int(count))]
        if len(blocks) < int(count):
            raise IntrinsicError(f"Fn::Cidr: {block} does not hold {count} blocks of {bits} bits")
        return blocks

    def _if(self, argument: Sequence[Any]) -> Any:
        return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])
