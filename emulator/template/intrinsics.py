"""CloudFormation's intrinsic functions, resolved to plain values. Pure; fetches nothing.

Source: the "Intrinsic function reference" of the CloudFormation user guide. What depends on a deployed
stack (imports of other stacks' outputs, attributes that only a service knows) is refused by name.
"""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emulator.template.project import ProjectError

LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"
_PLACEHOLDER = re.compile(r"\$\{(!?)([^${}]+)\}")


class _NoValue:
    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE = _NoValue()
_REFUSED = {
    "Fn::ImportValue": "Fn::ImportValue needs the output of another stack, and there is none here",
    "Fn::Length": f"Fn::Length needs {LANGUAGE_EXTENSIONS} among the template's transforms",
    "Fn::ToJsonString": f"Fn::ToJsonString needs {LANGUAGE_EXTENSIONS} among the template's transforms",
    "Fn::Transform": "Fn::Transform: only AWS::Include of a local file is imitated",
}


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
    extended : bool, optional
        The template's transforms include `LANGUAGE_EXTENSIONS`, which brings further functions.
    """

    def __init__(
        self,
        name: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        mappings: Mapping[str, Any],
        conditions: Mapping[str, Any],
        *,
        extended: bool = False,
    ) -> None:
        self._name = name
        self._attribute = attribute
        self._mappings = mappings
        self._conditions = conditions
        self._extended = extended
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
            "Fn::Equals": lambda value: as_text(self.resolve(value[0])) == as_text(self.resolve(value[1])),
            "Fn::Not": lambda value: not self.resolve(value[0]),
            "Fn::And": lambda value: all(self.resolve(one) for one in value),
            "Fn::Or": lambda value: any(self.resolve(one) for one in value),
            "Fn::Base64": lambda value: base64.b64encode(str(self.resolve(value)).encode()).decode(),
            "Fn::GetAZs": lambda value: [f"{self.resolve(value) or self._name('AWS::Region')}{zone}" for zone in "abc"],
            "Fn::Cidr": self._cidr,
        }
        if extended:
            self._functions |= {
                "Fn::Length": lambda value: len(self.resolve(value)),
                "Fn::ToJsonString": lambda value: json.dumps(self.resolve(value), separators=(",", ":")),
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
                    return self._call(name, argument)
                if str(name).startswith("Fn::"):
                    raise IntrinsicError(_REFUSED.get(name, f"{name} is not imitated"))
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

    def _call(self, name: str, argument: Any) -> Any:
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
        logical_id, _, attribute = (
            argument if isinstance(argument, str) else ".".join(as_text(self.resolve(one)) for one in argument)
        ).partition(".")
        return self._attribute(logical_id, attribute)

    def _sub(self, argument: Any) -> str:
        template, local = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return "${" + name + "}"
            if name in local:
                return as_text(self.resolve(local[name]))
            return as_text(self._get_att(name) if "." in name else self._ref(name))

        return _PLACEHOLDER.sub(replace, template)

    def _join(self, argument: Sequence[Any]) -> str:
        return str(argument[0]).join(as_text(one) for one in self.resolve(argument[1]))

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
            by_text = {as_text(name): one for name, one in found.items()} if isinstance(found, Mapping) else {}
            if as_text(key) not in by_text:
                if self._extended and len(argument) == 4:
                    return self.resolve(argument[3]["DefaultValue"])
                raise IntrinsicError(f"Fn::FindInMap finds no {key!r}")
            found = by_text[as_text(key)]
        return found

    def _cidr(self, argument: Sequence[Any]) -> list[str]:
        block, count, bits = [self.resolve(one) for one in [*argument, 8][:3]]
        network = ipaddress.ip_network(str(block))
        subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
        found = [str(one) for one in itertools.islice(subnets, int(count))]
        if len(found) < int(count):
            raise IntrinsicError(f"Fn::Cidr: {block} does not hold {count} blocks of {bits} bits")
        return found

    def _if(self, argument: Sequence[Any]) -> Any:
        return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])


def as_text(value: Any) -> str:
    """Return a plain value as CloudFormation writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
