"""CloudFormation's intrinsic functions, resolved to plain values. Pure; fetches nothing.

Source: the "Intrinsic function reference" of the CloudFormation user guide. What depends on a deployed
stack (imports of other stacks' outputs, attributes that only a service knows) is refused by name.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emulator.project import ProjectError

_PLACEHOLDER = re.compile(r"\$\{(!?)([^${}]+)\}")


class _NoValue:
    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE = _NoValue()


class IntrinsicError(ProjectError):
    """An intrinsic function can't be resolved."""


class Resolver:
    """Resolves values of one template.

    Parameters
    ----------
    name : callable
        ``name -> value``; what ``Ref`` gives: parameters, pseudo parameters, resources.
    attribute : callable
        ``(logical id, attribute) -> value``; what ``Fn::GetAtt`` gives.
    mappings : mapping
        The template's ``Mappings``.
    conditions : mapping
        The template's ``Conditions``, unresolved.
    """

    def __init__(
        self,
        name: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        mappings: Mapping[str, Any],
        conditions: Mapping[str, Any],
    ) -> None:
        self._name = name
        self._attribute = attribute
        self._mappings = mappings
        self._conditions = conditions
        self._under_way: list[str] = []
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.holds,
            "Fn::Sub": self._sub,
            "Fn::GetAtt": self._get_att,
            "Fn::Join": self._join,
            "Fn::Split": self._split,
            "Fn::Select": self._select,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Equals": lambda value: _text(self.resolve(value[0])) == _text(self.resolve(value[1])),
            "Fn::Not": lambda value: not self.resolve(value[0]),
            "Fn::And": lambda value: all(self.resolve(one) for one in value),
            "Fn::Or": lambda value: any(self.resolve(one) for one in value),
            "Fn::Base64": lambda value: base64.b64encode(str(self.resolve(value)).encode()).decode(),
            "Fn::GetAZs": lambda value: [f"{self.resolve(value) or self._name('AWS::Region')}{zone}" for zone in "abc"],
        }

    def resolve(self, value: Any) -> Any:
        """Return the value with every intrinsic function in it replaced; AWS::NoValue removes its key or item.

        Raises
        ------
        IntrinsicError
            A name is unknown or a function isn't imitated.
        """
        if isinstance(value, Mapping):
            if len(value) == 1:
                name, argument = next(iter(value.items()))
                # Outside of the template's conditions, Condition is a name like any other.
                if name in self._functions and (name != "Condition" or self._under_way):
                    return self._functions[name](argument)
                if str(name).startswith("Fn::"):
                    raise IntrinsicError(f"{name} is not imitated")
            resolved = {key: self.resolve(one) for key, one in value.items()}
            return {key: one for key, one in resolved.items() if one is not NO_VALUE}
        if isinstance(value, list | tuple):
            return [one for one in map(self.resolve, value) if one is not NO_VALUE]
        return value

    def holds(self, condition: str) -> bool:
        """Return whether a named condition of the template holds."""
        if condition not in self._conditions:
            raise IntrinsicError(f"there is no condition {condition!r}")
        if condition in self._under_way:
            raise IntrinsicError(f"condition {condition!r} depends on itself")
        self._under_way.append(condition)
        try:
            return bool(self.resolve(self._conditions[condition]))
        finally:
            self._under_way.pop()

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        try:
            return self._name(name)
        except KeyError:
            raise IntrinsicError(f"Ref {name!r} names no parameter and no resource") from None

    def _get_att(self, argument: str | Sequence[str]) -> Any:
        logical_id, _, attribute = (
            argument if isinstance(argument, str) else ".".join(_text(self.resolve(one)) for one in argument)
        ).partition(".")
        return self._attribute(logical_id, attribute)

    def _sub(self, argument: Any) -> str:
        template, local = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return "${" + name + "}"
            if name in local:
                return _text(self.resolve(local[name]))
            return _text(self._get_att(name) if "." in name else self._ref(name))

        return _PLACEHOLDER.sub(replace, template)

    def _join(self, argument: Sequence[Any]) -> str:
        return str(argument[0]).join(_text(one) for one in self.resolve(argument[1]))

    def _split(self, argument: Sequence[Any]) -> list[str]:
        return str(self.resolve(argument[1])).split(str(argument[0]))

    def _select(self, argument: Sequence[Any]) -> Any:
        items = self.resolve(argument[1])
        index = int(self.resolve(argument[0]))
        if not 0 <= index < len(items):
            raise IntrinsicError(f"Fn::Select {index} is outside of a list of {len(items)}")
        return items[index]

    def _find_in_map(self, argument: Sequence[Any]) -> Any:
        found: Any = self._mappings
        for key in map(self.resolve, argument[:3]):
            # YAML makes numbers of keys that are digits; to CloudFormation all keys are strings.
            by_text = {_text(name): one for name, one in found.items()} if isinstance(found, Mapping) else {}
            if _text(key) not in by_text:
                raise IntrinsicError(f"Fn::FindInMap finds no {key!r}")
            found = by_text[_text(key)]
        return found

    def _if(self, argument: Sequence[Any]) -> Any:
        return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
