"""Applies AWS's own SAM transform to a template, and leaves out the resources and events that it refuses.

Where CloudFormation would refuse the whole template, the rest of it still starts here.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import samtranslator

from emulator.kept_results import NOTHING_KEPT, KeptResults
from emulator.template.errors import TemplateError
from emulator.template.left_out import LeftOutParts

_EVENT = re.compile(r"Event with id \[([^\]]*)\] is invalid\. ")
_GLOBAL = re.compile(r"'([^']+)' is not (?:supported\.|a supported property of '([^']+)'\.)")
# The APIs that SAM makes for events without one, and the sections of Globals that they are made of.
_MADE_OF = {"ServerlessHttpApi": "HttpApi", "ServerlessRestApi": "Api"}
_SAM = "AWS::Serverless::"
_FUNCTION = f"{_SAM}Function"


@dataclass
class SamTransform:
    """The transform of one template.

    Attributes
    ----------
    refused : dict
        Why SAM refuses a function, by logical id: the function stays in the template, and can't run.
    """

    path: Path
    values: Mapping[str, Any]
    left_out: LeftOutParts
    kept: KeptResults
    refused: dict[str, str] = field(default_factory=dict)

    def apply(self, source: dict[str, Any]) -> dict[str, Any]:
        """Return the template in plain CloudFormation; ``source`` loses what SAM refuses.

        Raises
        ------
        TemplateError
            SAM refuses all of it; or a part, and nothing may be left out.
        """
        while source["Resources"]:
            result = self._result(source, self.kept)
            if "Resources" in result:
                return dict(result)
            if self.left_out.strict:
                raise TemplateError(f"{self.path}: {result['message']}")
            # The transform names several at once; one that is left may vanish with another one.
            removed = [self._remove(source, *cause) for cause in result["causes"]]
            if not any(removed) and not self._remove_unnamed(source, result["message"]):
                raise TemplateError(f"{self.path}: {result['message']}")
        return source

    def _result(self, source: Mapping[str, Any], kept: KeptResults = NOTHING_KEPT) -> Mapping[str, Any]:
        try:
            result: Mapping[str, Any] = kept.get(
                (samtranslator.__version__, self.values, source), lambda: self._translate(source)
            )
        except TemplateError as error:
            return {"message": str(error), "causes": []}
        return result

    def _translate(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """Return what SAM makes of a template, or a message and the causes of its refusal."""
        from samtranslator.model.exceptions import InvalidDocumentException
        from samtranslator.parser.parser import Parser
        from samtranslator.translator.translator import Translator

        translator = Translator(None, Parser(), boto_session=_Region(str(self.values["AWS::Region"])))
        try:
            # The transform changes what it is given.
            document: dict[str, Any] = translator.translate(
                copy.deepcopy(source), dict(self.values), get_managed_policy_map=dict
            )
        except InvalidDocumentException as error:
            causes = [[str(getattr(cause, "_logical_id", "")), str(cause.message)] for cause in error.causes]
            return {"message": " ".join([error.message, "; ".join(text for _, text in causes)]), "causes": causes}
        except Exception as error:
            # SAM expects other types in some places, and doesn't check them.
            raise TemplateError(f"its transform fails with {type(error).__name__}: {error}") from error
        return document

    def _remove_unnamed(self, source: dict[str, Any], message: str) -> bool:
        """Take out the event or resource without which SAM says something else; return False if there is none."""
        resources = source["Resources"]
        own = [name for name, resource in resources.items() if resource["Type"].startswith(_SAM)]
        candidates = [*_events(resources), *((name, "") for name in own)]
        for owner, event in candidates:
            trial = copy.deepcopy(source)
            members = trial["Resources"][owner]["Properties"]["Events"] if event else trial["Resources"]
            del members[event or owner]
            if self._result(trial).get("message") != message:
                return self._remove(source, owner + event, message)
        return False

    def _remove(self, source: dict[str, Any], logical_id: str, message: str) -> bool:
        """Take a refused event, resource or part of Globals out of a template; return False if there is none."""
        resources = source["Resources"]
        reason = message.partition(" is invalid. ")[2] or message
        if self._remove_global(source, logical_id, reason):
            return True
        named = _EVENT.match(reason)
        for owner, event in _events(resources):
            if owner + event == logical_id or (owner == logical_id and named and named[1] == event):
                del resources[owner]["Properties"]["Events"][event]
                self._report(owner, f"Events.{event}", _EVENT.sub("", reason), "the event is left out")
                return True
        resource = resources.get(logical_id)
        if resource is None or logical_id in self.refused:
            return False
        if resource["Type"] != _FUNCTION:
            del resources[logical_id]
            self._report(logical_id, "Properties", reason, "the resource is left out")
            return True
        self.refused[logical_id] = f"SAM refuses it: {reason}"
        name = (resource.get("Properties") or {}).get("FunctionName")
        named_by_user = {"FunctionName": name} if isinstance(name, str) else {}
        resources[logical_id] = {"Type": "AWS::Lambda::Function", "Properties": named_by_user}
        return True

    def _remove_global(self, source: dict[str, Any], logical_id: str, reason: str) -> bool:
        """Take what SAM refuses out of Globals; return False if it is somewhere else."""
        sections = source.get("Globals") or {}
        if logical_id == "Globals" and (named := _GLOBAL.match(reason)):
            member, section = named.groups()
            del (sections[section] if section else sections)[member]
            place = ".".join(filter(None, ("Globals", section, member)))
            self._report(self.path.name, place, named[0], "it is left out")
        elif _MADE_OF.get(logical_id) in sections:
            section = _MADE_OF[logical_id]
            del sections[section]
            consequence = "the section is left out, and routes without an authorizer of their own are open"
            self._report(self.path.name, f"Globals.{section}", reason, consequence)
        else:
            return False
        return True

    def _report(self, logical_id: str, place: str, reason: str, consequence: str) -> None:
        self.left_out.report(logical_id, place, f"SAM refuses it: {reason}", consequence)


def _events(resources: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the functions' logical ids with the names of their events."""
    events = []
    for name, resource in resources.items():
        members = (resource.get("Properties") or {}).get("Events")
        if isinstance(members, dict):
            events += [(name, event) for event in members]
    return events


class _Region(NamedTuple):
    """Stands for a boto3 session, of which the transform reads only this. Otherwise it would read the environment."""

    region_name: str
