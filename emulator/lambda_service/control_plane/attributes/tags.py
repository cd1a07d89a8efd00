"""Operations on tags. They belong to a function, not to its versions, and change no revision."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emulator.lambda_service.control_plane.account import FunctionRecord
from emulator.lambda_service.control_plane.catalogue import Catalogue
from emulator.lambda_service.control_plane.pages import Body
from emulator.lambda_service.errors import InvalidParameterError

_MOST_TAGS = 50


@dataclass(frozen=True, slots=True)
class TagOperations:
    """`TagResource`, `UntagResource` and `ListTags`; the resource is a function's ARN."""

    catalogue: Catalogue

    def list(self, *, resource: str) -> Body:
        """Return a function's tags."""
        return {"Tags": dict(self._function(resource).tags)}

    def add(self, *, resource: str, tags: Mapping[str, str]) -> None:
        """Add tags, or change the values of tags that are there."""
        with self.catalogue.lock:
            function = self._function(resource)
            changed = {**function.tags, **tags}
            check_tags(changed)
            self.catalogue.save(dataclasses.replace(function, tags=changed))

    def remove(self, *, resource: str, tag_keys: Sequence[str]) -> None:
        """Remove tags; one that isn't there counts as removed."""
        with self.catalogue.lock:
            function = self._function(resource)
            kept = {name: value for name, value in function.tags.items() if name not in tag_keys}
            self.catalogue.save(dataclasses.replace(function, tags=kept))

    def _function(self, resource: str) -> FunctionRecord:
        function, qualifier = self.catalogue.get_function(resource)
        if qualifier is not None:
            raise InvalidParameterError(
                "Tags on function aliases and versions are not supported. Please specify a function ARN."
            )
        return function


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise `InvalidParameterError` if these are more tags than a function may have."""
    if len(tags) > _MOST_TAGS:
        raise InvalidParameterError("Number of tags exceeds resource tag limit.")
